-- One row per merge: a published id, the conversation it became part of, when, and why. A merge
-- that was found is on record as soon as it is published, which is no reason to show it twice.
with recorded as (
    select * from {{ ref('stg_canonical__id_merges') }}
),

found as (
    select * from {{ ref('int_conversation_ids__merged') }}
),

next_publication as (
    select coalesce(max(publication_no), 0) + 1 as publication_no
    from {{ ref('stg_canonical__publications') }}
),

unioned as (
    select
        old_conversation_id,
        new_conversation_id,
        source,
        merged_at,
        evidence,
        transfer_id,
        publication_no
    from recorded

    union all

    select
        found.old_conversation_id,
        found.new_conversation_id,
        found.source,
        found.merged_at,
        found.evidence,
        found.transfer_id,
        next_publication.publication_no
    from found
    cross join next_publication
    where not exists (
        select 1
        from recorded
        where
            recorded.old_conversation_id = found.old_conversation_id
            and recorded.new_conversation_id = found.new_conversation_id
    )
)

select
    old_conversation_id,
    new_conversation_id,
    source,
    merged_at,
    evidence,
    transfer_id,
    publication_no
from unioned
{{ laid_out_by() }}
