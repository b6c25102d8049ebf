-- One row per contact, delivered or missing, that belongs to a conversation.
with contacts as (
    select * from {{ ref('int_contacts__current') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

-- Only contacts that stand in a link can have to choose an anchor.
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
),

linked as (
    select
        components.node as contact_key,
        anchors.conversation_key,
        anchors.anchor_contact_id,
        anchors.source,
        components.component
    from components
    inner join anchors on components.component = anchors.component
),

single as (
    select
        contacts.contact_key,
        contacts.contact_key as conversation_key,
        contacts.contact_id as anchor_contact_id,
        contacts.source,
        cast(null as bigint) as component
    from contacts
    left join components on contacts.contact_key = components.node
    where components.node is null
),

assigned as (
    select * from linked
    union all
    select * from single
)

select
    contact_key,
    conversation_key,
    concat(source, ':', anchor_contact_id) as conversation_id,
    anchor_contact_id,
    component
from assigned
