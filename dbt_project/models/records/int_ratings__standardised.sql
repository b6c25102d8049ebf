{{ config(materialized='view') }}

-- One row per version of an answer, its time in UTC. An answer without an id gets one from what it
-- says, so that a repeat meets its first copy, however the clock of either was written.
with ratings as (
    select * from {{ ref('stg_canonical__ratings') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

timed as (
    select
        ratings.source,
        ratings.rating_id,
        ratings.contact_id,
        ratings.question_code,
        ratings.score,
        ratings.comment,
        {{ as_utc('ratings.answered_at', 1, 'sources.time_zone') }} as answered_at,
        ratings.row_id,
        ratings.load_no
    from ratings
    left join sources on ratings.source = sources.source
)

select
    source,
    coalesce(
        rating_id,
        {{ generated_id(['contact_id', 'question_code', 'answered_at']) }}
    ) as rating_id,
    contact_id,
    question_code,
    score,
    comment,
    answered_at,
    row_id,
    load_no
from timed
