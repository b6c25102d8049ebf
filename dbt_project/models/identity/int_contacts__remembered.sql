-- One row per contact that no log has delivered and that a link of the past made part of a
-- conversation: the conversation that it belonged to last. Ids that were public keep resolving.
--
-- It hung, itself or over others of its kind, on a contact that is in a conversation today. Of
-- several the one whose link was taken back last decides, then the conversation that was published
-- first.
with links as (
    select * from {{ ref('int_links__retired') }}
),

components as (
    select * from {{ ref('int_components__retired') }}
),

indexed as (
    select * from {{ ref('int_contacts__indexed') }}
),

published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

ends as (
    select
        source,
        from_contact_id as contact_id,
        to_contact_id as other_contact_id,
        retired_load_no
    from links

    union all

    select
        source,
        to_contact_id as contact_id,
        from_contact_id as other_contact_id,
        retired_load_no
    from links
),

-- In no conversation today.
lost_ends as (
    select
        ends.source,
        ends.contact_id,
        ends.other_contact_id,
        ends.retired_load_no,
        {{ id_hash("concat(ends.source, ':', ends.contact_id)") }} as node
    from ends
    left join indexed
        on
            ends.source = indexed.source
            and ends.contact_id = indexed.contact_id
    where indexed.contact_key is null
),

held_ends as (
    select
        lost_ends.source,
        coalesce(components.component, lost_ends.node) as component,
        others.conversation_id,
        others.conversation_started_at,
        lost_ends.retired_load_no
    from lost_ends
    inner join indexed as others
        on
            lost_ends.source = others.source
            and lost_ends.other_contact_id = others.contact_id
    left join components on lost_ends.node = components.node
),

ranked_holds as (
    select
        held_ends.source,
        held_ends.component,
        held_ends.conversation_id,
        held_ends.conversation_started_at,
        row_number() over (
            partition by held_ends.component
            order by
                held_ends.retired_load_no desc,
                published_ids.publication_no asc nulls last,
                held_ends.conversation_started_at asc,
                held_ends.conversation_id asc
        ) as hold_rank
    from held_ends
    left join published_ids on held_ends.conversation_id = published_ids.conversation_id
),

lost as (
    select
        lost_ends.source,
        lost_ends.contact_id,
        coalesce(components.component, lost_ends.node) as component
    from lost_ends
    left join components on lost_ends.node = components.node

    union

    select
        missing_contacts.source,
        missing_contacts.contact_id,
        components.component
    from {{ ref('int_contacts__inferred') }} as missing_contacts
    inner join components
        on
            {{ id_hash("concat(missing_contacts.source, ':', missing_contacts.contact_id)") }}
            = components.node
)

select
    lost.source,
    lost.contact_id,
    ranked_holds.conversation_id,
    ranked_holds.conversation_started_at
from lost
inner join ranked_holds
    on
        lost.component = ranked_holds.component
        and ranked_holds.hold_rank = 1
