-- One row per conversation that links joined: who spoke first, when a person first answered, how
-- many messages.
--
-- A person's first answer is the first reply by a human contact after the visitor's first message,
-- or, where the log holds no message by the visitor, the first reply at all.
with facts as (
    select * from {{ ref('int_contacts__facts') }}
    where not is_alone
),

visitors as (
    select
        conversation_key,
        min(first_visitor_message_at) as first_visitor_message_at
    from facts
    group by conversation_key
)

select
    facts.conversation_key,
    visitors.first_visitor_message_at,
    min(
        {{ human_answer('facts', 'visitors.first_visitor_message_at') }}
    ) as first_human_reply_at,
    cast(sum(facts.messages_sent_count) as bigint) as messages_sent_count,
    cast(sum(facts.messages_received_count) as bigint) as messages_received_count,
    max(case when facts.facts_source = 'messages' then 1 else 0 end) = 1 as has_messages,
    count(case when facts.is_missing then 1 end) as missing_contact_count,
    max(facts.messages_changed_load_no) as changed_load_no
from facts
inner join visitors on facts.conversation_key = visitors.conversation_key
group by facts.conversation_key, visitors.first_visitor_message_at
