{{ config(materialized='view') }}

-- One row per answer to a question. A view: the assigned answers already lie in this order.
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
