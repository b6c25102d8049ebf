{{ config(materialized='view') }}

-- One row per version of a message. A message without an id gets one from its whole content, so
-- that a repeat meets its first copy.
with messages as (
    select * from {{ ref('stg_canonical__messages') }}
)

select
    source,
    coalesce(
        message_id,
        {{ generated_id([
            'contact_id', 'sent_at', 'author_kind_code', 'author_id', 'body', 'content_type'
        ]) }}
    ) as message_id,
    contact_id,
    author_id,
    author_kind_code,
    body,
    content_type,
    sent_at,
    local_times,
    row_id,
    load_no
from messages
