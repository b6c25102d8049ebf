with ratings as (
    select * from {{ source('raw', 'ratings') }}
)

select
    -- ids, verbatim
    source,
    nullif(rating_id, '') as rating_id,
    contact_id,

    -- codes
    {{ normalised_code('question') }} as question_code,

    -- answers
    score,
    nullif(comment, '') as comment,

    -- times, some of them wall clock readings: local_times says which
    answered_at,
    local_times,

    -- provenance
    row_id,
    load_no
from ratings
