with id_merges as (
    select * from {{ source('raw', 'id_merges') }}
)

select
    old_conversation_id,
    new_conversation_id,
    source,
    merged_at,
    evidence,
    transfer_id,
    publication_no
from id_merges
