-- One row per conversation that links joined: everything that its contacts, messages and links say.
-- A table of its own, so that the largest sort, that of all conversations, shares its memory with
-- few joins.
with contacts as (
    select * from {{ ref('contacts') }}
    where not is_alone
),

summarised as (
    select
        {{ what_contacts_say(alone=false) }},
        max(changed_load_no) as changed_load_no
    from contacts
    group by conversation_key
),

answers as (
    select * from {{ ref('int_conversations__answered') }}
),

paths as (
    select * from {{ ref('int_conversations__routed') }}
),

links as (
    select * from {{ ref('int_conversations__linked') }}
)

select
    summarised.conversation_key,
    summarised.conversation_id,
    summarised.source,
    summarised.anchor_contact_id,
    summarised.visitor_id,
    summarised.project_id,
    summarised.channel,
    summarised.language,
    summarised.time_zone,
    summarised.started_at,
    summarised.ended_at,
    summarised.last_end_reason,
    summarised.pending_requested_at,
    summarised.last_message_at,
    summarised.contact_count,
    summarised.human_contact_count,
    summarised.bot_contact_count,
    summarised.first_agent_kind,
    summarised.is_escalated,
    summarised.only_agent_id,
    summarised.first_group_id,
    summarised.extra,
    summarised.is_answered,
    summarised.is_answered_by_human,
    summarised.handle_seconds,
    summarised.human_handle_seconds,
    summarised.first_loaded_at,
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
        summarised.changed_load_no,
        coalesce(answers.changed_load_no, 0),
        coalesce(links.changed_load_no, 0)
    ) as changed_load_no
from summarised
inner join answers on summarised.conversation_key = answers.conversation_key
left join paths on summarised.conversation_key = paths.conversation_key
left join links on summarised.conversation_key = links.conversation_key
