{{ config(schema='marts') }}

-- One row per message, in the order of its conversation. Like the enriched contacts, what is
-- published itself.
--
-- Sorted as it is read: a conversation's messages lie together. A reply is what the respondent of a
-- contact says: an agent, or in a bot's contact the bot; an automatic message in an agent's contact
-- is none. Messages of contacts that belong to no conversation are kept, without a number.
with messages as (
    select * from {{ ref('int_messages__deduplicated') }}
),

author_kinds as (
    select * from {{ ref('codes') }}
    where vocabulary = 'author_kind'
),

sources as (
    select * from {{ ref('sources') }}
),

-- The place of a conversation among all: sorting eighty million messages by two numbers, not by
-- times and texts, takes a quarter off the time of the whole model.
places as (
    select
        conversation_key,
        row_number() over (order by conversation_started_at nulls last, conversation_id)
            as conversation_place
    from {{ ref('int_contacts__identified') }}
    where contact_no = 1
),

contacts as (
    select
        identified.contact_key,
        identified.source,
        identified.contact_id,
        identified.contact_no,
        identified.agent_kind,
        identified.conversation_key,
        identified.conversation_id,
        identified.conversation_started_at,
        places.conversation_place
    from {{ ref('int_contacts__identified') }} as identified
    left join places on identified.conversation_key = places.conversation_key
),

joined as (
    select
        messages.source,
        messages.message_id,
        messages.contact_id,
        contacts.contact_key,
        contacts.contact_no,
        contacts.conversation_key,
        contacts.conversation_id,
        contacts.conversation_started_at,
        contacts.conversation_place,
        author_kinds.value as author_kind,
        messages.author_id,
        messages.body,
        messages.content_type,
        {{ as_utc('messages.sent_at', 1, 'sources.time_zone') }} as sent_at,
        messages.changed_load_no,
        case
            when author_kinds.value = 'visitor' then 'visitor'
            when author_kinds.value = 'agent' then 'reply'
            when author_kinds.value = 'bot' and contacts.agent_kind = 'bot' then 'reply'
        end as side
    from messages
    left join author_kinds on messages.author_kind_code = author_kinds.code
    left join sources on messages.source = sources.source
    left join contacts
        on
            messages.source = contacts.source
            and messages.contact_id = contacts.contact_id
),

ranked as (
    select
        source,
        message_id,
        contact_id,
        contact_key,
        conversation_key,
        conversation_id,
        conversation_started_at,
        conversation_place,
        sent_at,
        author_kind,
        author_id,
        body,
        content_type,
        side,
        changed_load_no,
        row_number() over (
            partition by conversation_key
            order by sent_at, contact_no nulls last, message_id, source
        ) as message_rank,
        min(case when side = 'visitor' then sent_at end) over (
            partition by conversation_key
            order by sent_at, contact_no nulls last, message_id, source
            rows between unbounded preceding and current row
        ) is not null as visitor_has_spoken
    from joined
)

select
    message_id,
    conversation_id,
    conversation_started_at,
    contact_id,
    source,
    sent_at,
    case when conversation_key is not null then message_rank end as message_no,
    author_kind,
    author_id,
    body,
    content_type,
    contact_key,
    side,
    visitor_has_spoken,
    changed_load_no
from ranked
order by conversation_place nulls last, message_rank
