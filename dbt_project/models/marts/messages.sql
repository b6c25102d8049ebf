{{ config(materialized='view') }}

-- One row per message. A view: the ordered messages are large, and already lie in this order.
with messages as (
    select * from {{ ref('int_messages__ordered') }}
)

select
    message_id,
    conversation_id,
    conversation_started_at,
    contact_id,
    source,
    sent_at,
    message_no,
    author_kind,
    author_id,
    body,
    content_type
from messages
