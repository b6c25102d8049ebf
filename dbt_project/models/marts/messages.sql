-- One row per message, in the order of its conversation, sorted as it is read: a conversation's
-- messages lie together. A reply is what the respondent of a contact says: an agent, or in a bot's
-- contact the bot; an automatic message in an agent's contact is none. A private note is not said
-- to the visitor: it is neither side's. Messages of contacts that belong to no conversation are
-- kept, without a number.
--
-- Windows name the message of those: they are nobody's neighbours, and an engine that gives all
-- rows of a window to one task does not give it all of them.
with messages as (
    select * from {{ ref('int_messages__consolidated') }}
),

contested as (
    select * from {{ ref('int_messages__contested') }}
),

-- The place of a conversation among those of its day: sorting eighty million messages by numbers,
-- not by times and texts, takes a quarter off the time of the whole model.
places as (
    select
        conversation_key,
        row_number() over (
            partition by cast(conversation_started_at as date)
            order by conversation_started_at, conversation_id
        ) as conversation_place
    from {{ ref('int_contacts__indexed') }}
    where contact_no = 1
),

contacts as (
    select
        indexed.contact_key,
        indexed.source,
        indexed.contact_id,
        indexed.contact_no,
        indexed.agent_kind,
        indexed.conversation_key,
        indexed.conversation_id,
        indexed.conversation_started_at,
        indexed.started_at,
        indexed.ended_at,
        places.conversation_place
    from {{ ref('int_contacts__indexed') }} as indexed
    left join places on indexed.conversation_key = places.conversation_key
),

joined as (
    select
        messages.source,
        messages.message_id,
        coalesce(contested.contact_id, messages.contact_id) as contact_id,
        contacts.contact_key,
        contacts.contact_no,
        contacts.conversation_key,
        contacts.conversation_id,
        contacts.conversation_started_at,
        contacts.conversation_place,
        contacts.started_at,
        contacts.ended_at,
        messages.author_kind,
        messages.author_id,
        messages.body,
        messages.content_type,
        messages.is_private,
        messages.sent_at,
        messages.changed_load_no,
        case
            when messages.is_private then null
            when messages.author_kind = 'visitor' then 'visitor'
            when messages.author_kind = 'agent' then 'reply'
            when messages.author_kind = 'bot' and contacts.agent_kind = 'bot' then 'reply'
        end as side,
        -- Of two messages in one second the visitor's is the earlier: it is what the other answers.
        case when messages.author_kind = 'visitor' then 0 else 1 end as author_place
    from messages
    left join contested
        on
            messages.source = contested.source
            and messages.message_id = contested.message_id
    left join contacts
        on
            messages.source = contacts.source
            and coalesce(contested.contact_id, messages.contact_id) = contacts.contact_id
),

-- Durations are taken from what lies in its contact. Up to 30 days before it began a visitor may
-- have written: a mail waits in the queue. Of a contact that was not delivered no times are known.
timed as (
    select
        source,
        message_id,
        contact_id,
        contact_key,
        contact_no,
        conversation_key,
        conversation_id,
        conversation_started_at,
        conversation_place,
        sent_at,
        author_kind,
        author_id,
        body,
        content_type,
        is_private,
        side,
        author_place,
        changed_load_no,
        case
            when sent_at > ended_at then false
            when side = 'reply' then coalesce(sent_at >= started_at, true)
            else coalesce({{ seconds_between('sent_at', 'started_at') }} <= 30 * 86400, true)
        end as is_timed
    from joined
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
        is_private,
        side,
        is_timed,
        changed_load_no,
        row_number() over (
            partition by
                conversation_key, case when conversation_key is null then message_id end
            order by sent_at, author_place, contact_no nulls last, message_id, source
        ) as message_rank,
        min(case when side = 'visitor' and is_timed then sent_at end) over (
            partition by
                conversation_key, case when conversation_key is null then message_id end
            order by sent_at, author_place, contact_no nulls last, message_id, source
            rows between unbounded preceding and current row
        ) is not null as visitor_has_spoken
    from timed
)

select
    message_id,
    conversation_id,
    conversation_started_at,
    contact_id,
    source,
    sent_at,
    cast(case when conversation_key is not null then message_rank end as bigint) as message_no,
    author_kind,
    author_id,
    body,
    content_type,
    is_private,
    contact_key,
    side,
    is_timed,
    -- Messages without a conversation are not each other's.
    conversation_key is not null and visitor_has_spoken as visitor_has_spoken,
    changed_load_no
from ranked
{{ laid_out_by(quicker=[
    'cast(conversation_started_at as date)', 'conversation_place', 'message_rank',
]) }}
