-- One row per contact, delivered or missing, that stands in an accepted link with another: its
-- conversation. A contact that stands alone, as most do, is its own and needs no row.
with contacts as (
    select * from {{ ref('int_contacts__current') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

ranked_candidates as (
    select
        components.component,
        contacts.contact_key,
        contacts.source,
        contacts.contact_id,
        row_number() over (
            partition by components.component
            order by
                published_ids.publication_no nulls last,
                contacts.first_load_no,
                contacts.started_at,
                contacts.contact_id
        ) as anchor_rank
    from components
    inner join contacts on components.node = contacts.contact_key
    left join published_ids
        on
            contacts.source = published_ids.source
            and contacts.contact_id = published_ids.contact_id
),

anchors as (
    select
        component,
        contact_key as conversation_key,
        contact_id as anchor_contact_id,
        source
    from ranked_candidates
    where anchor_rank = 1
)

select
    components.node as contact_key,
    anchors.conversation_key,
    concat(anchors.source, ':', anchors.anchor_contact_id) as conversation_id,
    components.component
from components
inner join anchors on components.component = anchors.component
