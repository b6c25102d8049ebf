-- One row per contact, delivered or missing: its facts from the messages where it has any, else
-- from the contact log itself.
with identified as (
    select * from {{ ref('int_contacts__identified') }}
),

-- Software notices alone say nothing of who spoke.
message_facts as (
    select * from {{ ref('int_contacts__message_facts') }}
    where messages_sent_count + messages_received_count > 0
)

select
    identified.contact_key,
    identified.conversation_key,
    identified.conversation_id,
    identified.conversation_started_at,
    identified.contact_no,
    identified.is_alone,
    identified.previous_contact_id,
    identified.next_contact_id,
    identified.previous_ended_at,
    identified.is_missing,
    -- An agent who speaks for a contact that was never delivered is taken for a person.
    coalesce(identified.agent_kind, case when identified.is_missing then 'human' end) as agent_kind,
    identified.agent_id,
    case when message_facts.contact_key is not null then 'messages' else 'contact_log' end
        as facts_source,
    case
        when message_facts.contact_key is not null then message_facts.first_reply_at
        else identified.answered_at
    end as answered_at,
    case
        when message_facts.contact_key is not null then message_facts.last_reply_at
        else identified.answered_at
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
from identified
left join message_facts on identified.contact_key = message_facts.contact_key
