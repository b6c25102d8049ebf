-- One row per merge: a published id, the conversation it became part of, when, and why.
with recorded as (
    select * from {{ ref('stg_canonical__id_merges') }}
),

found as (
    select * from {{ ref('int_conversation_ids__merged') }}
),

unioned as (
    select
        old_conversation_id,
        new_conversation_id,
        source,
        merged_at,
        evidence,
        transfer_id
    from recorded

    union all

    select
        old_conversation_id,
        new_conversation_id,
        source,
        merged_at,
        evidence,
        transfer_id
    from found
)

select
    old_conversation_id,
    new_conversation_id,
    source,
    merged_at,
    evidence,
    transfer_id
from unioned
order by merged_at, old_conversation_id, new_conversation_id
