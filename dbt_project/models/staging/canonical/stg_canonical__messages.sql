with messages as (
    select * from {{ source('raw', 'messages') }}
)

select
    -- ids, verbatim
    source,
    nullif(message_id, '') as message_id,
    contact_id,
    nullif(author_id, '') as author_id,

    -- codes
    {{ normalised_code('author_kind') }} as author_kind_code,

    -- text
    body,
    nullif(content_type, '') as content_type,

    -- flags
    is_private,

    -- times, some of them wall clock readings: local_times says which
    sent_at,
    local_times,

    -- provenance
    row_id,
    load_no
from messages
