with published_ids as (
    select * from {{ source('raw', 'published_ids') }}
)

select
    conversation_id,
    source,
    contact_id,
    publication_no
from published_ids
