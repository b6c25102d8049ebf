-- One row per conversation that links joined: who spoke first, when a person first answered, how
-- many messages.
--
-- A person's first answer is the first reply by a human contact after the visitor's first message,
-- or, where the log holds no message by the visitor, the first reply at all.
with observed as (
    select * from {{ ref('int_contacts__observed') }}
    where not is_alone
),

visitors as (
    select
        conversation_key,
        min(first_visitor_message_at) as first_visitor_message_at
    from observed
    group by conversation_key
)

select
    observed.conversation_key,
    visitors.first_visitor_message_at,
    min(
        {{ human_answer('observed', 'visitors.first_visitor_message_at') }}
    ) as first_human_reply_at,
    cast(sum(observed.messages_sent_count) as bigint) as messages_sent_count,
    cast(sum(observed.messages_received_count) as bigint) as messages_received_count,
    max(case when observed.facts_source = 'messages' then 1 else 0 end) = 1 as has_messages,
    count(case when observed.is_missing then 1 end) as missing_contact_count,
    max(observed.messages_changed_load_no) as changed_load_no
from observed
inner join visitors on observed.conversation_key = visitors.conversation_key
group by observed.conversation_key, visitors.first_visitor_message_at
