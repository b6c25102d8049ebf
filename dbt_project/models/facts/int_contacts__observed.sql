{{ config(materialized='view') }}

-- One row per contact, delivered or missing: what it is, its place in its conversation, and its
-- facts from the messages where it has any, else from the contact log itself.
with threaded as (
    select * from {{ ref('int_contacts__threaded') }}
),

-- Software notices alone say nothing of who spoke.
messaged as (
    select * from {{ ref('int_contacts__messaged') }}
    where messages_sent_count + messages_received_count > 0
)

select
    threaded.contact_key,
    threaded.source,
    threaded.contact_id,
    threaded.agent_id,
    threaded.agent_kind,
    threaded.group_id,
    threaded.visitor_id,
    threaded.project_id,
    threaded.channel,
    threaded.language,
    threaded.tags,
    threaded.extra,
    threaded.conversation_ref,
    threaded.started_at,
    threaded.ended_at,
    threaded.end_reason,
    threaded.time_zone,
    threaded.first_load_no,
    threaded.changed_load_no,
    threaded.conversation_key,
    threaded.conversation_id,
    threaded.conversation_started_at,
    threaded.contact_no,
    threaded.is_alone,
    threaded.previous_contact_id,
    threaded.next_contact_id,
    threaded.previous_ended_at,
    threaded.is_missing,
    case when messaged.contact_key is not null then 'messages' else 'contact_log' end
        as facts_source,
    case
        when messaged.contact_key is not null then messaged.first_reply_at
        else threaded.answered_at
    end as answered_at,
    -- A reply outside its contact answered it, at a time that says nothing.
    case
        when messaged.contact_key is not null then messaged.reply_count > 0
        else threaded.answered_at is not null
    end as is_answered,
    case
        when messaged.contact_key is not null then messaged.last_reply_at
        else threaded.answered_at
    end as last_reply_at,
    case
        when messaged.contact_key is not null then messaged.first_answer_at
    end as first_answer_at,
    messaged.first_visitor_message_at,
    messaged.last_visitor_message_at,
    messaged.last_message_at,
    coalesce(messaged.messages_sent_count, 0) as messages_sent_count,
    coalesce(messaged.messages_received_count, 0) as messages_received_count,
    coalesce(messaged.response_count, 0) as response_count,
    messaged.response_seconds_sum,
    messaged.changed_load_no as messages_changed_load_no
from threaded
left join messaged on threaded.contact_key = messaged.contact_key
