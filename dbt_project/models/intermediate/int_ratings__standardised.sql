{{ config(materialized='view') }}

-- One row per version of an answer, its time in UTC.
with ratings as (
    select * from {{ ref('stg_canonical__ratings') }}
),

sources as (
    select * from {{ ref('sources') }}
)

select
    ratings.source,
    coalesce(
        ratings.rating_id,
        {{ generated_id(['ratings.contact_id', 'ratings.question_code', 'ratings.answered_at']) }}
    ) as rating_id,
    ratings.contact_id,
    ratings.question_code,
    ratings.score,
    ratings.comment,
    {{ as_utc('ratings.answered_at', 1, 'sources.time_zone') }} as answered_at,
    ratings.row_id,
    ratings.load_no
from ratings
left join sources on ratings.source = sources.source
