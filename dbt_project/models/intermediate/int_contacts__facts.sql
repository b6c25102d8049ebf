{{ config(materialized='view') }}

-- One row per contact, delivered or missing: what it is, its place in its conversation, and its
-- facts from the messages where it has any, else from the contact log itself.
with placed as (
    select * from {{ ref('int_contacts__placed') }}
),

-- Software notices alone say nothing of who spoke.
message_facts as (
    select * from {{ ref('int_contacts__message_facts') }}
    where messages_sent_count + messages_received_count > 0
)

select
    placed.contact_key,
    placed.source,
    placed.contact_id,
    placed.agent_id,
    placed.group_id,
    placed.visitor_id,
    placed.project_id,
    placed.channel,
    placed.language,
    placed.tags,
    placed.conversation_ref,
    placed.started_at,
    placed.ended_at,
    placed.end_reason,
    placed.time_zone,
    placed.first_load_no,
    placed.changed_load_no,
    placed.conversation_key,
    placed.conversation_id,
    placed.conversation_started_at,
    placed.contact_no,
    placed.is_alone,
    placed.previous_contact_id,
    placed.next_contact_id,
    placed.previous_ended_at,
    placed.is_missing,
    -- An agent who speaks for a contact that was never delivered is taken for a person.
    coalesce(placed.agent_kind, case when placed.is_missing then 'human' end) as agent_kind,
    case when message_facts.contact_key is not null then 'messages' else 'contact_log' end
        as facts_source,
    case
        when message_facts.contact_key is not null then message_facts.first_reply_at
        else placed.answered_at
    end as answered_at,
    case
        when message_facts.contact_key is not null then message_facts.last_reply_at
        else placed.answered_at
    end as last_reply_at,
    case
        when message_facts.contact_key is not null then message_facts.first_answer_at
    end as first_answer_at,
    message_facts.first_visitor_message_at,
    message_facts.last_visitor_message_at,
    coalesce(message_facts.messages_sent_count, 0) as messages_sent_count,
    coalesce(message_facts.messages_received_count, 0) as messages_received_count,
    coalesce(message_facts.response_count, 0) as response_count,
    message_facts.response_seconds_sum,
    message_facts.changed_load_no as messages_changed_load_no
from placed
left join message_facts on placed.contact_key = message_facts.contact_key
