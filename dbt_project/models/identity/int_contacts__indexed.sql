-- One row per contact, delivered or missing, that belongs to a conversation: what other logs look
-- up. A table for the look-ups by id, and no wider than they need.
with threaded as (
    select * from {{ ref('int_contacts__threaded') }}
)

select
    contact_key,
    source,
    contact_id,
    conversation_key,
    conversation_id,
    conversation_started_at,
    contact_no,
    agent_id,
    agent_kind,
    currency,
    started_at,
    ended_at,
    is_missing
from threaded
