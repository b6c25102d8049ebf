-- One row per answer to a question.
with ratings as (
    select * from {{ ref('int_ratings__assigned') }}
)

select
    rating_id,
    source,
    conversation_id,
    conversation_started_at,
    contact_id,
    question,
    answered_at,
    score,
    comment,
    is_counted
from ratings
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    source,
    answered_at,
    rating_id
