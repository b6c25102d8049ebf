{{ config(materialized='view') }}

-- One row per contact. A view: the enriched contacts already lie in this order.
with contacts as (
    select * from {{ ref('int_contacts__enriched') }}
)

select
    contact_id,
    source,
    conversation_id,
    conversation_started_at,
    contact_no,
    agent_id,
    agent_kind,
    group_id,
    visitor_id,
    project_id,
    channel,
    language,
    tags,
    conversation_ref,
    time_zone,
    started_at,
    started_on,
    answered_at,
    ended_at,
    end_reason,
    is_open,
    is_answered,
    is_transferred_in,
    is_transferred_out,
    previous_contact_id,
    next_contact_id,
    transfer_wait_seconds,
    duration_seconds,
    first_reply_seconds,
    response_seconds_sum,
    response_count,
    closing_delay_seconds,
    last_reply_at,
    messages_sent_count,
    messages_received_count,
    csat_score,
    nps_score,
    transaction_count,
    transaction_amount,
    currency,
    facts_source,
    first_loaded_at
from contacts
