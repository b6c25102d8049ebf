-- One row per message that came under more than one contact, as a transcript does that is exported
-- with each contact of its conversation: the contact that it belongs to.
--
-- Inside one conversation that is the contact that was on at its time; of several, that of its
-- author, then the one that started last; where none was, the one before it. Between two
-- conversations, or where a contact is not known, the newest version decides, as for every record.
with messages as {{ each_time() }} (
    select * from {{ ref('stg_canonical__messages') }}
    where message_id is not null
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
),

-- Hashes find the few such messages; the exact contacts are compared below.
contested_keys as (
    select {{ volatile_hash(['source', 'message_id']) }} as key_hash
    from messages
    group by key_hash
    having min({{ volatile_hash(['contact_id']) }}) <> max({{ volatile_hash(['contact_id']) }})
),

hashed as (
    select
        source,
        message_id,
        contact_id,
        author_id,
        sent_at,
        local_times,
        load_no,
        {{ volatile_hash(['source', 'message_id']) }} as key_hash
    from messages
),

versions as (
    select
        hashed.source,
        hashed.message_id,
        hashed.contact_id,
        hashed.author_id,
        {{ as_utc('hashed.sent_at', 1, 'sources.time_zone') }} as sent_at,
        hashed.load_no
    from hashed
    inner join contested_keys on hashed.key_hash = contested_keys.key_hash
    left join sources on hashed.source = sources.source
),

ranked_versions as (
    select
        source,
        message_id,
        contact_id,
        author_id,
        sent_at,
        row_number() over (
            partition by source, message_id
            order by load_no desc, contact_id desc, sent_at desc, author_id desc nulls last
        ) as recency
    from versions
),

newest as (
    select
        source,
        message_id,
        contact_id,
        author_id,
        sent_at
    from ranked_versions
    where recency = 1
),

candidates as (
    select distinct
        source,
        message_id,
        contact_id
    from versions
),

placed as (
    select
        candidates.source,
        candidates.message_id,
        candidates.contact_id,
        contacts.conversation_key,
        contacts.contact_no,
        contacts.started_at,
        newest.sent_at,
        newest.contact_id = candidates.contact_id as is_newest,
        newest.author_id = contacts.agent_id as is_by_its_agent,
        contacts.started_at <= newest.sent_at as has_started,
        contacts.started_at <= newest.sent_at
        and newest.sent_at <= coalesce(contacts.ended_at, newest.sent_at) as is_on
    from candidates
    inner join newest
        on
            candidates.source = newest.source
            and candidates.message_id = newest.message_id
    left join contacts
        on
            candidates.source = contacts.source
            and candidates.contact_id = contacts.contact_id
),

gathered as (
    select
        source,
        message_id,
        count(*) as contact_count,
        count(conversation_key) = count(*)
        and min(conversation_key) = max(conversation_key) as is_one_conversation
    from placed
    group by source, message_id
),

ranked as (
    select
        placed.source,
        placed.message_id,
        placed.contact_id,
        gathered.contact_count,
        row_number() over (
            partition by placed.source, placed.message_id
            order by
                case when gathered.is_one_conversation or placed.is_newest then 0 else 1 end asc,
                case when placed.is_on then 0 else 1 end asc,
                case when placed.is_by_its_agent then 0 else 1 end asc,
                case when placed.has_started then 0 else 1 end asc,
                case when placed.has_started then placed.started_at end desc nulls last,
                placed.started_at asc nulls last,
                placed.contact_no asc,
                placed.contact_id asc
        ) as place_rank
    from placed
    inner join gathered
        on
            placed.source = gathered.source
            and placed.message_id = gathered.message_id
    where gathered.contact_count > 1
)

select
    source,
    message_id,
    contact_id,
    contact_count
from ranked
where place_rank = 1
