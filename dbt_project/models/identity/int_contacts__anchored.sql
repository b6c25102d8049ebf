-- One row per contact, delivered or missing, that stands in an accepted link with another: its
-- conversation. A contact that stands alone, as most do, is its own and needs no row.
--
-- The anchor is a delivered contact and gives the conversation its key. It gives the id as well,
-- unless the contact whose id was published first is missing: a warehouse that was lost and is
-- loaded anew, in another order, names nothing anew.
with contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

missing_contacts as (
    select * from {{ ref('int_contacts__inferred') }}
),

published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

recorded_merges as (
    select distinct old_conversation_id
    from {{ ref('stg_canonical__id_merges') }}
),

-- An id that gave way to another gives way to it again, whatever is loaded first.
ranked_ids as (
    select
        published_ids.conversation_id,
        published_ids.source,
        published_ids.contact_id,
        published_ids.publication_no,
        case when recorded_merges.old_conversation_id is null then 0 else 1 end as merged_before
    from published_ids
    left join recorded_merges
        on published_ids.conversation_id = recorded_merges.old_conversation_id
),

ranked_candidates as (
    select
        components.component,
        contacts.contact_key,
        contacts.source,
        contacts.contact_id,
        ranked_ids.publication_no,
        ranked_ids.merged_before,
        row_number() over (
            partition by components.component
            order by
                ranked_ids.merged_before nulls last,
                ranked_ids.publication_no nulls last,
                contacts.first_load_no,
                contacts.started_at,
                contacts.contact_id
        ) as anchor_rank
    from components
    inner join contacts on components.node = contacts.contact_key
    left join ranked_ids
        on
            contacts.source = ranked_ids.source
            and contacts.contact_id = ranked_ids.contact_id
),

missing_candidates as (
    select
        components.component,
        ranked_ids.conversation_id,
        ranked_ids.publication_no,
        ranked_ids.merged_before,
        row_number() over (
            partition by components.component
            order by
                ranked_ids.merged_before,
                ranked_ids.publication_no nulls last,
                ranked_ids.conversation_id
        ) as name_rank
    from components
    inner join missing_contacts on components.node = missing_contacts.contact_key
    inner join ranked_ids
        on
            missing_contacts.source = ranked_ids.source
            and missing_contacts.contact_id = ranked_ids.contact_id
),

anchors as (
    select
        ranked_candidates.component,
        ranked_candidates.contact_key as conversation_key,
        case
            when
                missing_candidates.component is not null
                and (
                    ranked_candidates.merged_before is null
                    or missing_candidates.merged_before < ranked_candidates.merged_before
                    or (
                        missing_candidates.merged_before = ranked_candidates.merged_before
                        and missing_candidates.publication_no < ranked_candidates.publication_no
                    )
                )
                then missing_candidates.conversation_id
            else concat(ranked_candidates.source, ':', ranked_candidates.contact_id)
        end as conversation_id
    from ranked_candidates
    left join missing_candidates
        on
            ranked_candidates.component = missing_candidates.component
            and missing_candidates.name_rank = 1
    where ranked_candidates.anchor_rank = 1
)

select
    components.node as contact_key,
    anchors.conversation_key,
    anchors.conversation_id,
    components.component
from components
inner join anchors on components.component = anchors.component
