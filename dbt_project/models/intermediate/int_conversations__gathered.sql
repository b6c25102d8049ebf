-- One row per conversation that links joined: everything that its contacts, messages and links say.
-- A table of its own, so that the largest sort, that of all conversations, shares its memory with
-- few joins.
with linked as (
    select * from {{ ref('int_conversations__contacts') }}
),

answers as (
    select * from {{ ref('int_conversations__answers') }}
),

paths as (
    select * from {{ ref('int_conversations__paths') }}
),

links as (
    select * from {{ ref('int_conversations__links') }}
)

select
    linked.conversation_key,
    linked.conversation_id,
    linked.source,
    linked.anchor_contact_id,
    linked.visitor_id,
    linked.project_id,
    linked.channel,
    linked.language,
    linked.time_zone,
    linked.started_at,
    linked.closed_at,
    linked.last_end_reason,
    linked.contact_count,
    linked.human_contact_count,
    linked.bot_contact_count,
    linked.first_agent_kind,
    linked.is_escalated,
    linked.only_agent_id,
    linked.first_group_id,
    linked.is_answered,
    linked.is_answered_by_human,
    linked.handle_seconds,
    linked.human_handle_seconds,
    linked.first_loaded_at,
    answers.first_visitor_message_at,
    answers.first_human_reply_at,
    answers.messages_sent_count,
    answers.messages_received_count,
    answers.has_messages,
    answers.missing_contact_count,
    paths.agent_path,
    paths.agent_count,
    paths.is_bounced,
    greatest(
        linked.changed_load_no,
        coalesce(answers.changed_load_no, 0),
        coalesce(links.changed_load_no, 0)
    ) as changed_load_no
from linked
inner join answers on linked.conversation_key = answers.conversation_key
left join paths on linked.conversation_key = paths.conversation_key
left join links on linked.conversation_key = links.conversation_key
