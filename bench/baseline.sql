-- The yardstick: one DuckDB script, written by hand for the same input, that writes the marts and the
-- reports of the pipeline with the same content, in the order that readers are promised. `python -m bench`
-- runs it and compares every column.
--
-- It may do what the pipeline may not: it keeps no raw tables, no ledger of loads and no history of
-- ids, tests nothing, publishes nothing, knows one engine, and starts from nothing each time.
--
-- `-- step: name` begins a step, timed by itself. The view input.<log> reads a log's Parquet files: the
-- columns of the contract, instants in UTC, and source, file_no (files in order of path), row_no.
-- reference.codes, sources and projects hold the vocabulary and the registry. The steps of the
-- component search are in components_by_contraction.sql or components_by_recursion.sql.

-- step: agents
create table marts.agents as
with versions as (
    select *
    from input.agents
    qualify row_number() over (
        partition by source, agent_id, valid_from
        order by updated_at desc nulls last, file_no desc, row_no desc
    ) = 1
)
select
    versions.agent_id,
    versions.source,
    kinds.value as agent_kind,
    nullif(trim(versions.agent_kind), '') is not null as has_kind,
    versions.display_name,
    versions.group_id,
    versions.group_name,
    versions.valid_from,
    lead(versions.valid_from) over validities as valid_to,
    lead(versions.valid_from) over validities is null as is_current
from versions
left join reference.codes as kinds
    on kinds.vocabulary = 'agent_kind' and kinds.code = lower(trim(versions.agent_kind))
window validities as (
    partition by versions.source, versions.agent_id order by versions.valid_from nulls first
)
order by versions.source, versions.agent_id, versions.valid_from nulls first;

-- step: contacts, newest versions
-- Ids that came once, nearly all, are not sorted.
create table work.contacts as
with repeated as (
    select source, contact_id
    from input.contacts
    group by all
    having count(*) > 1
),
newest as (
    select contacts.*, file_no as first_file_no
    from input.contacts as contacts
    anti join repeated using (source, contact_id)
    union all by name
    select
        contacts.*,
        min(file_no) over (partition by source, contact_id) as first_file_no
    from input.contacts as contacts
    semi join repeated using (source, contact_id)
    qualify row_number() over (
        partition by source, contact_id
        order by updated_at desc nulls last, file_no desc, ended_at desc nulls last, row_no desc
    ) = 1
),
validities as (
    select
        *,
        row_number() over (partition by source, agent_id order by valid_from nulls first) as number
    from marts.agents
)
select
    newest.source,
    newest.contact_id,
    newest.agent_id,
    case
        when nullif(trim(newest.agent_kind), '') is not null then kinds.value
        when validities.has_kind then validities.agent_kind
        else 'human'
    end as agent_kind,
    coalesce(newest.group_id, validities.group_id) as group_id,
    newest.visitor_id,
    newest.project_id,
    newest.channel,
    newest.language,
    string_split(newest.tags, ',') as tags,
    newest.conversation_ref,
    newest.previous_contact_id,
    newest.started_at,
    newest.answered_at,
    newest.ended_at,
    end_reasons.value as end_reason,
    coalesce(projects.time_zone, sources.time_zone, 'UTC') as time_zone,
    coalesce(projects.currency, sources.currency) as currency,
    newest.first_file_no
from newest
left join reference.codes as kinds
    on kinds.vocabulary = 'agent_kind' and kinds.code = lower(trim(newest.agent_kind))
left join reference.codes as end_reasons
    on
        end_reasons.vocabulary = 'end_reason'
        and end_reasons.code = lower(trim(newest.end_reason))
left join validities
    on
        validities.source = newest.source
        and validities.agent_id = newest.agent_id
        and (validities.number = 1 or newest.started_at >= validities.valid_from)
        and (validities.valid_to is null or newest.started_at < validities.valid_to)
left join reference.sources as sources on sources.source = newest.source
left join reference.projects as projects
    on projects.source = newest.source and projects.project_id = newest.project_id;

-- step: transfers, newest versions
create table work.transfers as
with identified as (
    select
        * replace (
            coalesce(
                transfer_id,
                'gen-' || md5(concat_ws(chr(31), from_contact_id, requested_at, to_contact_id))
            ) as transfer_id
        )
    from input.transfers
),
repeated as (
    select source, transfer_id
    from identified
    group by all
    having count(*) > 1
),
newest as (
    from identified
    anti join repeated using (source, transfer_id)
    union all by name
    from identified
    semi join repeated using (source, transfer_id)
    qualify row_number() over (
        partition by source, transfer_id
        order by updated_at desc nulls last, file_no desc, row_no desc
    ) = 1
)
select
    newest.source,
    newest.transfer_id,
    newest.from_contact_id,
    newest.to_contact_id,
    newest.requested_at,
    newest.kind,
    target_kinds.value as target_kind,
    newest.target_id,
    -- A word that nobody knows is an acceptance where both contacts are there.
    coalesce(
        outcomes.value,
        case when newest.to_contact_id is not null and newest.outcome is null then 'accepted' end,
        case when origins.contact_id is not null and targets.contact_id is not null then 'accepted' end,
        'unknown'
    ) as outcome
from newest
left join reference.codes as outcomes
    on outcomes.vocabulary = 'outcome' and outcomes.code = lower(trim(newest.outcome))
left join reference.codes as target_kinds
    on
        target_kinds.vocabulary = 'target_kind'
        and target_kinds.code = lower(trim(newest.target_kind))
left join work.contacts as origins
    on origins.source = newest.source and origins.contact_id = newest.from_contact_id
left join work.contacts as targets
    on targets.source = newest.source and targets.contact_id = newest.to_contact_id;

-- step: links
-- A contact's key is its rowid. Contacts that share a reference form a chain in time.
create table work.links as
with evidence as (
    select source, from_contact_id, to_contact_id, 'transfer' as evidence, transfer_id
    from work.transfers
    where to_contact_id is not null
    union all
    select source, previous_contact_id, contact_id, 'previous_contact', null
    from work.contacts
    where previous_contact_id is not null
    union all
    select
        source,
        lag(contact_id) over (partition by source, conversation_ref order by started_at, contact_id)
            as earlier_contact_id,
        contact_id,
        'conversation_ref',
        null
    from work.contacts
    where conversation_ref is not null
    qualify earlier_contact_id is not null
)
select
    evidence.*,
    origins.rowid as from_key,
    targets.rowid as to_key,
    case
        when evidence.from_contact_id = evidence.to_contact_id then 'self_link'
        when sources.reject_visitor_mismatch and origins.visitor_id <> targets.visitor_id
            then 'visitor_mismatch'
        when
            epoch_us(targets.started_at) - epoch_us(coalesce(origins.ended_at, origins.started_at))
            > sources.max_gap_days * 86400000000
            then 'gap_too_long'
    end as rejection_reason
from evidence
left join work.contacts as origins
    on origins.source = evidence.source and origins.contact_id = evidence.from_contact_id
left join work.contacts as targets
    on targets.source = evidence.source and targets.contact_id = evidence.to_contact_id
left join reference.sources as sources on sources.source = evidence.source;

-- step: missing contacts
create table work.missing as
select -row_number() over (order by source, contact_id) as contact_key, source, contact_id
from (
    select source, from_contact_id as contact_id
    from work.links
    where from_key is null and rejection_reason is null
    union
    select source, to_contact_id
    from work.links
    where to_key is null and rejection_reason is null
);

-- step: edges
create table work.edges as
select distinct
    least(coalesce(from_key, origins.contact_key), coalesce(to_key, targets.contact_key)) as node_a,
    greatest(coalesce(from_key, origins.contact_key), coalesce(to_key, targets.contact_key)) as node_b
from work.links as links
left join work.missing as origins
    on
        links.from_key is null
        and origins.source = links.source
        and origins.contact_id = links.from_contact_id
left join work.missing as targets
    on
        links.to_key is null
        and targets.source = links.source
        and targets.contact_id = links.to_contact_id
where rejection_reason is null;

-- components

-- step: contacts in conversations
-- The anchor is the contact that was loaded first, then the earliest, then the smallest id.
create table work.placed as
with anchors as (
    select
        components.component,
        arg_min(
            contacts.source || ':' || contacts.contact_id,
            row(contacts.first_file_no, contacts.started_at, contacts.contact_id)
        ) as conversation_id,
        min(contacts.rowid) as conversation_key,
        min(contacts.started_at) as conversation_started_at,
        count(*) as contact_count
    from work.components as components
    inner join work.contacts as contacts on contacts.rowid = components.node
    group by components.component
),
linked as (
    select
        components.node as contact_key,
        anchors.conversation_key,
        anchors.conversation_id,
        anchors.conversation_started_at,
        contacts.contact_id,
        contacts.started_at,
        contacts.ended_at
    from work.components as components
    inner join anchors using (component)
    inner join work.contacts as contacts on contacts.rowid = components.node
)
select
    contact_key,
    conversation_key,
    conversation_id,
    conversation_started_at,
    row_number() over placed as contact_no,
    lag(contact_id) over placed as previous_contact_id,
    lead(contact_id) over placed as next_contact_id
from linked
window placed as (
    partition by conversation_key order by started_at, ended_at nulls last, contact_id
)
union all
select
    contacts.rowid,
    contacts.rowid,
    contacts.source || ':' || contacts.contact_id,
    contacts.started_at,
    1,
    null,
    null
from work.contacts as contacts
anti join work.components as components on components.node = contacts.rowid
union all
select
    components.node,
    anchors.conversation_key,
    anchors.conversation_id,
    anchors.conversation_started_at,
    null,
    null,
    null
from work.components as components
inner join anchors using (component)
where components.node < 0;

-- step: who is who
-- What the other logs look up: contacts, delivered or missing, by id.
create table work.identified as
select
    contacts.source,
    contacts.contact_id,
    placed.contact_key,
    placed.conversation_key,
    placed.conversation_id,
    placed.conversation_started_at,
    placed.contact_no,
    contacts.agent_id,
    contacts.agent_kind,
    contacts.started_at,
    contacts.ended_at,
    contacts.answered_at,
    contacts.currency
from work.contacts as contacts
inner join work.placed as placed on placed.contact_key = contacts.rowid
union all by name
select
    missing.source,
    missing.contact_id,
    placed.contact_key,
    placed.conversation_key,
    placed.conversation_id,
    placed.conversation_started_at
from work.missing as missing
inner join work.placed as placed using (contact_key);

-- step: marts.transfers
create table marts.transfers as
select
    transfers.transfer_id,
    transfers.source,
    coalesce(origins.conversation_id, targets.conversation_id) as conversation_id,
    coalesce(origins.conversation_started_at, targets.conversation_started_at)
        as conversation_started_at,
    transfers.from_contact_id,
    transfers.to_contact_id,
    origins.agent_id as from_agent_id,
    targets.agent_id as to_agent_id,
    origins.agent_kind as from_agent_kind,
    targets.agent_kind as to_agent_kind,
    transfers.requested_at,
    transfers.kind,
    transfers.target_kind,
    transfers.target_id,
    transfers.outcome,
    transfers.outcome = 'accepted' and rejected.rejection_reason is null as is_completed,
    case
        when is_completed
            then
                greatest(
                    epoch_us(targets.started_at) - epoch_us(transfers.requested_at),
                    case when targets.started_at is not null then 0 end
                ) / 1e6
    end as wait_seconds,
    rejected.rejection_reason is not null as is_rejected_link,
    rejected.rejection_reason,
    origins.contact_key as from_key,
    targets.contact_key as to_key,
    coalesce(origins.conversation_key, targets.conversation_key) as conversation_key
from work.transfers as transfers
left join work.identified as origins
    on origins.source = transfers.source and origins.contact_id = transfers.from_contact_id
left join work.identified as targets
    on targets.source = transfers.source and targets.contact_id = transfers.to_contact_id
left join work.links as rejected
    on
        rejected.evidence = 'transfer'
        and rejected.rejection_reason is not null
        and rejected.source = transfers.source
        and rejected.transfer_id = transfers.transfer_id
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    transfers.requested_at,
    transfers.source,
    transfers.transfer_id;

-- step: marts.messages
-- contact_key and side are kept for the next step and cost little.
create table marts.messages as
with identified as (
    select
        * replace (
            coalesce(
                message_id,
                'gen-'
                || md5(concat_ws(
                    chr(31), contact_id, sent_at, author_kind, author_id, body, content_type
                ))
            ) as message_id
        )
    from input.messages
),
repeated as (
    select source, message_id
    from identified
    group by all
    having count(*) > 1
),
newest as (
    from identified
    anti join repeated using (source, message_id)
    union all by name
    from identified
    semi join repeated using (source, message_id)
    qualify row_number() over (
        partition by source, message_id order by file_no desc, row_no desc
    ) = 1
),
joined as (
    select
        newest.message_id,
        contacts.conversation_id,
        contacts.conversation_started_at,
        newest.contact_id,
        newest.source,
        newest.sent_at,
        author_kinds.value as author_kind,
        newest.author_id,
        newest.body,
        newest.content_type,
        coalesce(newest.is_private, false) as is_private,
        contacts.contact_key,
        contacts.conversation_key,
        contacts.contact_no,
        case
            when newest.is_private then null
            when author_kinds.value = 'visitor' then 'visitor'
            when author_kinds.value = 'agent' then 'reply'
            when author_kinds.value = 'bot' and contacts.agent_kind = 'bot' then 'reply'
        end as side,
        -- Durations are taken from what lies in its contact; a visitor may have written before it.
        case
            when newest.sent_at > contacts.ended_at then false
            when side = 'reply' then coalesce(newest.sent_at >= contacts.started_at, true)
            else
                coalesce(
                    epoch_us(contacts.started_at) - epoch_us(newest.sent_at) <= 30 * 86400000000,
                    true
                )
        end as is_timed
    from newest
    left join reference.codes as author_kinds
        on
            author_kinds.vocabulary = 'author_kind'
            and author_kinds.code = lower(trim(newest.author_kind))
    left join work.identified as contacts
        on contacts.source = newest.source and contacts.contact_id = newest.contact_id
)
select
    message_id,
    conversation_id,
    conversation_started_at,
    contact_id,
    source,
    sent_at,
    case
        when conversation_key is not null
            then
                row_number() over (
                    partition by conversation_key
                    order by
                        sent_at,
                        author_kind is distinct from 'visitor',
                        contact_no nulls last,
                        message_id,
                        source,
                        contact_id
                )
    end as message_no,
    author_kind,
    author_id,
    body,
    content_type,
    is_private,
    contact_key,
    conversation_key,
    side,
    is_timed
from joined
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    message_no,
    source,
    contact_id,
    sent_at,
    message_id;

-- step: facts from messages
create table work.message_facts as
with visitors as (
    select conversation_key, min(message_no) as first_visitor_message_no
    from marts.messages
    where side = 'visitor' and is_timed and conversation_key is not null
    group by conversation_key
),
turns as (
    select
        contact_key,
        conversation_key,
        if(is_private, null, author_kind) as author_kind,
        side as any_side,
        if(is_timed, side, null) as side,
        sent_at,
        message_no,
        lag(if(is_timed, side, null) ignore nulls) over (partition by contact_key order by message_no) as previous_side
    from marts.messages
    where contact_key is not null
)
select
    turns.contact_key,
    count(*) filter (turns.author_kind in ('agent', 'bot')) as messages_sent_count,
    count(*) filter (turns.author_kind = 'visitor') as messages_received_count,
    count(*) filter (turns.any_side = 'reply') as reply_count,
    min(turns.sent_at) filter (turns.side = 'visitor') as first_visitor_message_at,
    max(turns.sent_at) filter (turns.side = 'visitor') as last_visitor_message_at,
    min(turns.sent_at) filter (turns.side = 'reply') as first_reply_at,
    max(turns.sent_at) filter (turns.side = 'reply') as last_reply_at,
    max(turns.sent_at) filter (turns.author_kind in ('visitor', 'agent', 'bot'))
        as last_message_at,
    min(turns.sent_at) filter (
        turns.side = 'reply' and turns.message_no > visitors.first_visitor_message_no
    ) as first_answer_at,
    count(*) filter (turns.side = 'reply' and turns.previous_side = 'visitor') as response_count,
    -- Turns alternate: the replies' times less the times at which the visitor's turns began.
    (
        sum(epoch_us(turns.sent_at)) filter (
            turns.side = 'reply' and turns.previous_side = 'visitor'
        )
        - sum(epoch_us(turns.sent_at)) filter (
            turns.side = 'visitor' and coalesce(turns.previous_side, 'reply') = 'reply'
        )
        + case
            when
                count(*) filter (
                    turns.side = 'visitor' and coalesce(turns.previous_side, 'reply') = 'reply'
                ) > response_count
                then
                    max(epoch_us(turns.sent_at)) filter (
                        turns.side = 'visitor' and coalesce(turns.previous_side, 'reply') = 'reply'
                    )
            else 0
        end
    ) / 1e6 as response_seconds_sum
from turns
left join visitors using (conversation_key)
group by turns.contact_key;

-- step: facts
create table work.facts as
select
    identified.contact_key,
    identified.conversation_key,
    identified.contact_no,
    identified.agent_kind,
    messages.contact_key is not null as has_messages,
    if(has_messages, messages.first_reply_at, identified.answered_at) as answered_at,
    if(has_messages, messages.reply_count > 0, identified.answered_at is not null) as is_answered,
    if(has_messages, messages.last_reply_at, identified.answered_at) as last_reply_at,
    messages.first_answer_at,
    messages.first_visitor_message_at,
    messages.last_visitor_message_at,
    messages.last_message_at,
    coalesce(messages.messages_sent_count, 0) as messages_sent_count,
    coalesce(messages.messages_received_count, 0) as messages_received_count,
    coalesce(messages.response_count, 0) as response_count,
    messages.response_seconds_sum
from work.identified as identified
-- Software notices and private notes alone say nothing of who spoke.
left join work.message_facts as messages
    on
        messages.contact_key = identified.contact_key
        and messages.messages_sent_count + messages.messages_received_count > 0;

-- step: marts.ratings
create table marts.ratings as
with identified as (
    select
        * replace (
            coalesce(
                rating_id, 'gen-' || md5(concat_ws(chr(31), contact_id, question, answered_at))
            ) as rating_id
        )
    from input.ratings
),
newest as (
    from identified
    qualify row_number() over (
        partition by source, rating_id
        order by answered_at desc nulls last, file_no desc, row_no desc
    ) = 1
)
select
    newest.rating_id,
    newest.source,
    contacts.conversation_id,
    contacts.conversation_started_at,
    newest.contact_id,
    questions.value as question,
    newest.answered_at,
    newest.score,
    newest.comment,
    contacts.conversation_key is not null
    and row_number() over (
        partition by contacts.conversation_key, questions.value
        order by newest.answered_at desc, newest.file_no desc, newest.rating_id desc
    ) = 1 as is_counted,
    contacts.conversation_key
from newest
left join reference.codes as questions
    on questions.vocabulary = 'question' and questions.code = lower(trim(newest.question))
left join work.identified as contacts
    on contacts.source = newest.source and contacts.contact_id = newest.contact_id
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    newest.source,
    newest.answered_at,
    newest.rating_id;

-- step: marts.transactions
-- Credited to the last respondent who replied in the conversation, once.
create table marts.transactions as
with newest as (
    from input.transactions
    qualify row_number() over (
        partition by source, transaction_id order by file_no desc, row_no desc
    ) = 1
),
placed as (
    select
        newest.transaction_id,
        newest.source,
        contacts.conversation_id,
        contacts.conversation_started_at,
        newest.contact_id,
        newest.visitor_id,
        newest.occurred_at,
        newest.amount,
        coalesce(newest.currency, contacts.currency, sources.currency) as currency,
        contacts.conversation_key
    from newest
    left join reference.sources as sources on sources.source = newest.source
    left join work.identified as contacts
        on contacts.source = newest.source and contacts.contact_id = newest.contact_id
),
respondents as (
    select
        facts.conversation_key,
        first(
            facts.contact_key
            order by facts.last_reply_at desc nulls last, facts.contact_no desc
        ) as contact_key
    from work.facts as facts
    where
        facts.is_answered
        and facts.contact_key >= 0
        and facts.conversation_key in (select conversation_key from placed)
    group by facts.conversation_key
)
select
    placed.* exclude (conversation_key),
    contacts.contact_id as credited_contact_id,
    contacts.agent_id as credited_agent_id,
    placed.conversation_key,
    respondents.contact_key as credited_contact_key
from placed
left join respondents using (conversation_key)
left join work.contacts as contacts on contacts.rowid = respondents.contact_key
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    placed.source,
    placed.occurred_at,
    placed.transaction_id;

-- step: marts.contacts
create table marts.contacts as
with departures as (
    select distinct from_key as contact_key
    from marts.transfers
    where outcome = 'accepted' and not is_rejected_link and from_key is not null
),
pending as (
    select from_key as contact_key, max(requested_at) as pending_requested_at
    from marts.transfers
    where outcome = 'pending' and from_key is not null
    group by from_key
),
arrivals as (
    select to_key as contact_key, min(requested_at) as requested_at
    from marts.transfers
    where outcome = 'accepted' and not is_rejected_link and to_key is not null
    group by to_key
),
ratings as (
    select
        conversation_key,
        max(score) filter (question = 'csat') as csat_score,
        max(score) filter (question = 'nps') as nps_score
    from marts.ratings
    where is_counted
    group by conversation_key
),
credits as (
    select
        credited_contact_key as contact_key,
        count(*) filter (amount > 0) as transaction_count,
        count(*) filter (amount < 0) as refund_count,
        case
            when
                min(coalesce(currency, '')) filter (amount <> 0)
                = max(coalesce(currency, '')) filter (amount <> 0)
                then sum(amount)::decimal(38, 4)
        end as transaction_amount,
        case
            when
                min(coalesce(currency, '')) filter (amount <> 0)
                = max(coalesce(currency, '')) filter (amount <> 0)
                then max(currency) filter (amount <> 0)
        end as currency
    from marts.transactions
    where credited_contact_key is not null
    group by credited_contact_key
)
select
    contacts.contact_id,
    contacts.source,
    placed.conversation_id,
    placed.conversation_started_at,
    placed.contact_no,
    contacts.agent_id,
    contacts.agent_kind,
    coalesce(contacts.agent_kind in ('human', 'expert'), false) as is_human,
    contacts.group_id,
    contacts.visitor_id,
    contacts.project_id,
    contacts.channel,
    contacts.language,
    contacts.tags,
    null::varchar as extra,
    contacts.conversation_ref,
    contacts.time_zone,
    contacts.started_at,
    if(
        contacts.time_zone = 'UTC',
        contacts.started_at,
        timezone(contacts.time_zone, timezone('UTC', contacts.started_at))
    )::date as started_on,
    facts.answered_at,
    contacts.ended_at,
    contacts.end_reason,
    contacts.ended_at is null as is_open,
    facts.is_answered,
    arrivals.contact_key is not null as is_transferred_in,
    departures.contact_key is not null as is_transferred_out,
    placed.previous_contact_id,
    placed.next_contact_id,
    work.seconds_since(arrivals.requested_at, contacts.started_at) as transfer_wait_seconds,
    work.seconds_since(contacts.started_at, contacts.ended_at) as duration_seconds,
    -- A greeting answers nobody who wrote later.
    if(
        facts.first_answer_at is not null or facts.messages_received_count = 0,
        work.seconds_since(
            if(
                facts.first_visitor_message_at <= facts.first_answer_at,
                facts.first_visitor_message_at,
                contacts.started_at
            ),
            coalesce(facts.first_answer_at, facts.answered_at)
        ),
        null
    ) as first_reply_seconds,
    facts.response_seconds_sum,
    facts.response_count,
    work.seconds_since(facts.last_visitor_message_at, contacts.ended_at) as closing_delay_seconds,
    facts.last_reply_at,
    facts.messages_sent_count,
    facts.messages_received_count,
    case when facts.is_answered then ratings.csat_score end as csat_score,
    case when facts.is_answered then ratings.nps_score end as nps_score,
    case when facts.is_answered then ratings.csat_score >= 4 end as is_csat_positive,
    coalesce(credits.transaction_count, 0) as transaction_count,
    coalesce(credits.refund_count, 0) as refund_count,
    credits.transaction_amount,
    credits.currency,
    coalesce(credits.transaction_count > 0, false) as is_converted,
    case
        when credits.transaction_amount is not null then coalesce(credits.currency, '')
        when credits.transaction_count + credits.refund_count > 0 then ''
    end as smallest_currency,
    case
        when credits.transaction_amount is not null then coalesce(credits.currency, '')
        when credits.transaction_count + credits.refund_count > 0 then '~'
    end as largest_currency,
    if(facts.has_messages, 'messages', 'contact_log') as facts_source,
    getvariable('started') as first_loaded_at,
    placed.contact_key,
    placed.conversation_key,
    pending.pending_requested_at,
    facts.last_message_at
from work.contacts as contacts
inner join work.placed as placed on placed.contact_key = contacts.rowid
inner join work.facts as facts on facts.contact_key = contacts.rowid
left join departures on departures.contact_key = contacts.rowid
left join arrivals on arrivals.contact_key = contacts.rowid
left join ratings on ratings.conversation_key = placed.conversation_key
left join credits on credits.contact_key = contacts.rowid
left join pending on pending.contact_key = contacts.rowid
order by placed.conversation_started_at, placed.conversation_id, placed.contact_no;

-- step: marts.conversations
create table marts.conversations as
with answers as (
    select
        facts.conversation_key,
        visitors.first_visitor_message_at,
        min(
            case
                when not coalesce(facts.agent_kind in ('human', 'expert'), false) then null
                when visitors.first_visitor_message_at is null then facts.answered_at
                when facts.has_messages then facts.first_answer_at
                when facts.answered_at >= visitors.first_visitor_message_at then facts.answered_at
            end
        ) as first_human_reply_at,
        sum(facts.messages_sent_count)::bigint as messages_sent_count,
        sum(facts.messages_received_count)::bigint as messages_received_count,
        bool_or(facts.has_messages) as has_messages,
        count(*) filter (facts.contact_key < 0) as missing_contact_count
    from work.facts as facts
    inner join (
        select conversation_key, min(first_visitor_message_at) as first_visitor_message_at
        from work.facts
        group by conversation_key
    ) as visitors using (conversation_key)
    group by all
),
contacts as (
    select
        conversation_key,
        any_value(conversation_id) as conversation_id,
        any_value(source) as source,
        arg_min(visitor_id, contact_no) filter (visitor_id is not null) as visitor_id,
        arg_min(project_id, contact_no) filter (project_id is not null) as project_id,
        arg_min(channel, contact_no) filter (channel is not null) as channel,
        arg_min(language, contact_no) filter (language is not null) as language,
        arg_min(group_id, contact_no) filter (group_id is not null) as first_group_id,
        arg_min(time_zone, contact_no + if(project_id is null, 1000000000, 0)) as time_zone,
        min(started_at) as started_at,
        case when count(ended_at) = count(*) then max(ended_at) end as ended_at,
        max(end_reason) filter (next_contact_id is null) as last_end_reason,
        max(pending_requested_at) filter (next_contact_id is null) as pending_requested_at,
        max(last_message_at) as last_message_at,
        count(*) as contact_count,
        count(*) filter (agent_kind in ('human', 'expert')) as human_contact_count,
        count(*) filter (agent_kind = 'bot') as bot_contact_count,
        max(agent_kind) filter (contact_no = 1) as first_agent_kind,
        min(contact_no) filter (agent_kind = 'bot')
        < max(contact_no) filter (agent_kind in ('human', 'expert')) as is_escalated,
        min(agent_id) as any_agent_id,
        bool_or(is_answered) as is_answered,
        bool_or(is_answered and is_human) as is_answered_by_human,
        sum(duration_seconds) as handle_seconds,
        sum(duration_seconds) filter (agent_kind in ('human', 'expert')) as human_handle_seconds
    from marts.contacts
    group by conversation_key
),
-- The newest event of each source, which waiting is measured against.
newest as (
    select source, max(event_at) as event_at
    from (
        select source, greatest(started_at, answered_at, ended_at) as event_at from work.contacts
        union all
        select source, requested_at from marts.transfers
        union all
        select source, sent_at from marts.messages
        union all
        select source, answered_at from marts.ratings
        union all
        select source, occurred_at from marts.transactions
    )
    group by source
),
waiting as (
    select
        contacts.conversation_key,
        epoch_us(newest.event_at) - epoch_us(greatest(
            contacts.ended_at, contacts.pending_requested_at, contacts.last_message_at
        )) >= coalesce(sources.waiting_days, 7) * 86400000000 as is_expired
    from contacts
    inner join newest using (source)
    left join reference.sources as sources using (source)
    where
        contacts.ended_at is not null
        and (contacts.last_end_reason = 'snooze' or contacts.pending_requested_at is not null)
),
turns as (
    select
        conversation_key,
        contact_no,
        agent_id,
        lag(agent_id) over (partition by conversation_key order by contact_no) as previous_agent_id
    from marts.contacts
    where
        agent_id is not null
        and (previous_contact_id is not null or next_contact_id is not null)
),
paths as (
    select
        conversation_key,
        list(agent_id order by contact_no) as agent_path,
        count(distinct agent_id) as agent_count,
        count(*) filter (agent_id is distinct from previous_agent_id) > agent_count as is_bounced
    from turns
    group by conversation_key
),
transfers as (
    select
        conversation_key,
        count(*) as transfer_request_count,
        count(*) filter (outcome = 'accepted' and not is_rejected_link) as transfer_count
    from marts.transfers
    where conversation_key is not null
    group by conversation_key
),
ratings as (
    select
        conversation_key,
        max(score) filter (question = 'csat') as csat_score,
        max(score) filter (question = 'nps') as nps_score
    from marts.ratings
    where is_counted
    group by conversation_key
),
transactions as (
    select
        conversation_key,
        count(*) filter (amount > 0) as transaction_count,
        count(*) filter (amount < 0) as refund_count,
        case
            when
                min(coalesce(currency, '')) filter (amount <> 0)
                = max(coalesce(currency, '')) filter (amount <> 0)
                then sum(amount)::decimal(38, 4)
        end as transaction_amount,
        case
            when
                min(coalesce(currency, '')) filter (amount <> 0)
                = max(coalesce(currency, '')) filter (amount <> 0)
                then max(currency) filter (amount <> 0)
        end as currency
    from marts.transactions
    where conversation_key is not null
    group by conversation_key
)
select
    contacts.conversation_id,
    contacts.source,
    contacts.visitor_id,
    contacts.project_id,
    contacts.channel,
    contacts.language,
    contacts.time_zone,
    contacts.started_at,
    if(
        contacts.time_zone = 'UTC',
        contacts.started_at,
        timezone(contacts.time_zone, timezone('UTC', contacts.started_at))
    )::date as started_on,
    if(coalesce(waiting.is_expired, true), contacts.ended_at, null) as closed_at,
    if(
        contacts.time_zone = 'UTC',
        closed_at,
        timezone(contacts.time_zone, timezone('UTC', closed_at))
    )::date as closed_on,
    closed_at is not null as is_closed,
    coalesce(not waiting.is_expired, false) as is_waiting,
    case
        when closed_at is null then null
        when waiting.is_expired then 'expired'
        else contacts.last_end_reason
    end as close_reason,
    contacts.contact_count,
    answers.missing_contact_count,
    contacts.human_contact_count,
    contacts.bot_contact_count,
    coalesce(paths.agent_count, if(contacts.any_agent_id is null, 0, 1)) as agent_count,
    coalesce(transfers.transfer_request_count, 0) as transfer_request_count,
    coalesce(transfers.transfer_count, 0) as transfer_count,
    coalesce(transfers.transfer_count, 0) > 0 as is_transferred,
    coalesce(contacts.first_agent_kind = 'bot', false) as is_bot_first,
    coalesce(contacts.is_escalated, false) as is_escalated,
    coalesce(contacts.first_agent_kind = 'bot' and contacts.is_escalated, false)
        as is_escalated_from_bot,
    coalesce(paths.is_bounced, false) as is_bounced,
    coalesce(paths.agent_path[1], contacts.any_agent_id) as first_agent_id,
    coalesce(paths.agent_path[-1], contacts.any_agent_id) as last_agent_id,
    coalesce(
        paths.agent_path, if(contacts.any_agent_id is null, [], [contacts.any_agent_id])
    ) as agent_path,
    contacts.first_group_id,
    null::varchar as extra,
    case
        when contacts.bot_contact_count = 0 then 'not_automated'
        when contacts.human_contact_count = 0 then 'fully_automated'
        else 'partially_automated'
    end as automation_level,
    contacts.is_answered,
    contacts.is_answered_by_human,
    answers.first_visitor_message_at,
    answers.first_human_reply_at,
    work.seconds_since(answers.first_visitor_message_at, answers.first_human_reply_at)
        as first_reply_seconds,
    if(
        answers.messages_received_count = 0,
        work.seconds_since(contacts.started_at, answers.first_human_reply_at),
        null
    ) as pickup_seconds,
    work.seconds_since(
        coalesce(answers.first_visitor_message_at, contacts.started_at), closed_at
    ) as resolution_seconds,
    contacts.handle_seconds,
    contacts.human_handle_seconds,
    answers.messages_sent_count,
    answers.messages_received_count,
    ratings.csat_score,
    ratings.nps_score,
    ratings.csat_score >= 4 as is_csat_positive,
    case
        when ratings.nps_score >= 9 then 'promoter'
        when ratings.nps_score <= 6 then 'detractor'
        when ratings.nps_score is not null then 'passive'
    end as nps_class,
    coalesce(transactions.transaction_count, 0) as transaction_count,
    coalesce(transactions.refund_count, 0) as refund_count,
    transactions.transaction_amount,
    transactions.currency,
    coalesce(transactions.transaction_count > 0, false) as is_converted,
    case
        when transactions.transaction_amount is not null then coalesce(transactions.currency, '')
        when transactions.transaction_count + transactions.refund_count > 0 then ''
    end as smallest_currency,
    case
        when transactions.transaction_amount is not null then coalesce(transactions.currency, '')
        when transactions.transaction_count + transactions.refund_count > 0 then '~'
    end as largest_currency,
    if(answers.has_messages, 'messages', 'contact_log') as facts_source,
    getvariable('started') as changed_at,
    -- All of it is shown by the first publication.
    cast(1 as bigint) as changed_publication_no,
    getvariable('started') as first_loaded_at,
    contacts.conversation_id[length(contacts.source) + 2:] as anchor_contact_id
from contacts
inner join answers using (conversation_key)
left join paths using (conversation_key)
left join transfers using (conversation_key)
left join ratings using (conversation_key)
left join transactions using (conversation_key)
left join waiting using (conversation_key)
order by contacts.started_at, contacts.conversation_id;

-- step: marts.conversation_ids
create table marts.conversation_ids as
with unioned as (
    select
        contact_id as id,
        'contact' as id_kind,
        source,
        conversation_id,
        conversation_started_at,
        first_loaded_at as since,
        'contact' as reason
    from marts.contacts
    union all
    select
        missing.contact_id,
        'missing_contact',
        missing.source,
        placed.conversation_id,
        placed.conversation_started_at,
        getvariable('started'),
        'named_by_link'
    from work.missing as missing
    inner join work.placed as placed using (contact_key)
    union all
    select
        conversation_id,
        'conversation',
        source,
        conversation_id,
        started_at,
        first_loaded_at,
        'current'
    from marts.conversations
)
select *, ('0x' || md5(id)[:15])::bigint as id_hash
from unioned
order by id_hash, id, source, id_kind;

-- step: marts.projects
create table marts.projects as
with known as (
    select source, project_id
    from reference.projects
    union
    select source, project_id
    from work.contacts
    where project_id is not null
)
select
    known.source,
    known.project_id,
    registered.project_name,
    coalesce(registered.time_zone, sources.time_zone, 'UTC') as time_zone,
    coalesce(registered.currency, sources.currency) as currency
from known
left join reference.projects as registered using (source, project_id)
left join reference.sources as sources using (source)
order by known.source, known.project_id;

-- step: daily figures of contacts
create table work.contact_days as
with measured as (
    select
        started_on as day,
        source,
        project_id,
        channel,
        agent_id,
        agent_kind,
        group_id,
        1 as contacts,
        is_answered::int as answered,
        (not is_answered)::int as unanswered,
        is_open::int as open,
        is_transferred_in::int as transferred_in,
        is_transferred_out::int as transferred_out,
        (end_reason is not distinct from 'snooze')::int as snoozed,
        (end_reason is not distinct from 'close')::int as closed,
        (end_reason is not distinct from 'timeout')::int as timed_out,
        duration_seconds as duration_seconds_sum,
        (duration_seconds is not null)::int as duration_count,
        is_human,
        if(is_human, first_reply_seconds, null) as first_reply_seconds_sum,
        (first_reply_seconds_sum is not null)::int as first_reply_count,
        if(is_human, response_seconds_sum, null) as response_seconds_sum,
        if(is_human, response_count, 0) as response_count,
        if(is_human, closing_delay_seconds, null) as closing_delay_seconds_sum,
        (closing_delay_seconds_sum is not null)::int as closing_delay_count,
        messages_sent_count as messages_sent,
        messages_received_count as messages_received,
        (csat_score is not null)::int as csat_responses,
        (csat_score is not null and csat_score >= 4)::int as csat_positive,
        transaction_count as transactions,
        coalesce(transaction_amount, 0) as revenue,
        case when transaction_count = 0 and refund_count = 0 then null when transaction_amount is null then '' else coalesce(currency, '') end as smallest_currency,
        case when transaction_count = 0 and refund_count = 0 then null when transaction_amount is null then '~' else coalesce(currency, '') end as largest_currency
    from marts.contacts
),
attributed as (
    select
        day,
        source,
        project_id,
        channel,
        agent_id,
        agent_kind,
        group_id,
        sum(columns(
            measured.* exclude (
                day, source, project_id, channel, agent_id, agent_kind, group_id, is_human,
                smallest_currency, largest_currency
            )
        )),
        min(smallest_currency) as smallest_currency,
        max(largest_currency) as largest_currency
    from measured
    group by day, source, project_id, channel, agent_id, agent_kind, group_id
)
select
    day,
    case
        when grouping(agent_id) = 0 then 'agent'
        when grouping(group_id) = 0 then 'group'
        when grouping(project_id) = 0 then 'project'
        when grouping(source) = 0 then 'source'
        when grouping(channel) = 0 then 'channel'
        when grouping(agent_kind) = 0 then 'agent_kind'
        else 'all'
    end as dimension,
    source,
    case dimension
        when 'agent' then agent_id
        when 'group' then group_id
        when 'project' then project_id
        when 'source' then source
        when 'channel' then channel
        when 'agent_kind' then agent_kind
    end as dimension_value,
    sum(columns(
        attributed.* exclude (
            day, source, project_id, channel, agent_id, agent_kind, group_id,
            smallest_currency, largest_currency
        )
    )),
    min(smallest_currency) as smallest_currency,
    max(largest_currency) as largest_currency
from attributed
group by grouping sets (
    (day),
    (day, source),
    (day, source, project_id),
    (day, channel),
    (day, source, agent_id),
    (day, agent_kind),
    (day, source, group_id)
);

create table work.periods as
with days as (
    select closed_on as day from marts.conversations where is_closed
    union
    select started_on from marts.contacts
)
select
    day,
    unnest(['day', 'week', 'month']) as period_grain,
    unnest([day, date_trunc('week', day)::date, date_trunc('month', day)::date]) as period_start
from days;

-- step: daily figures of conversations
create table work.measured as
select
    conversations.conversation_id,
    closed_on as day,
    source,
    project_id,
    channel,
    automation_level,
    first_reply_seconds,
    pickup_seconds,
    resolution_seconds,
    1 as conversations,
    is_answered::int as answered,
    is_answered_by_human::int as answered_by_human,
    contact_count as contacts,
    is_transferred::int as transferred,
    transfer_count as transfers,
    is_bounced::int as bounced,
    is_bot_first::int as bot_first,
    (is_bot_first and is_escalated)::int as escalated,
    (automation_level = 'fully_automated')::int as fully_automated,
    handle_seconds as handle_seconds_sum,
    (handle_seconds is not null)::int as handle_count,
    (csat_score is not null)::int as csat_responses,
    (csat_score is not null and csat_score >= 4)::int as csat_positive,
    csat_score as csat_score_sum,
    (nps_score is not null)::int as nps_responses,
    (nps_score is not null and nps_score >= 9)::int as nps_promoters,
    (nps_score is not null and nps_score <= 6)::int as nps_detractors,
    transaction_count as transactions,
    refund_count as refunds,
    (transaction_count > 0)::int as converted,
    coalesce(transaction_amount, 0) as revenue,
    case when transaction_count = 0 and refund_count = 0 then null when transaction_amount is null then '' else coalesce(currency, '') end as smallest_currency,
    case when transaction_count = 0 and refund_count = 0 then null when transaction_amount is null then '~' else coalesce(currency, '') end as largest_currency
from marts.conversations as conversations
where is_closed;

-- A conversation counts once for each agent and each group that took part in it.
create table work.participants as
select distinct conversation_id, 'agent' as dimension, agent_id as dimension_value
from marts.contacts
where agent_id is not null
union all
select distinct conversation_id, 'group', group_id
from marts.contacts
where group_id is not null;

create table work.conversation_days as
with attributed as (
    select
        day,
        source,
        project_id,
        channel,
        automation_level,
        sum(columns(
            measured.* exclude (
                conversation_id, day, source, project_id, channel, automation_level,
                first_reply_seconds, pickup_seconds, resolution_seconds, smallest_currency,
                largest_currency
            )
        )),
        min(smallest_currency) as smallest_currency,
        max(largest_currency) as largest_currency
    from work.measured as measured
    group by day, source, project_id, channel, automation_level
)
select
    day,
    case
        when grouping(project_id) = 0 then 'project'
        when grouping(source) = 0 then 'source'
        when grouping(channel) = 0 then 'channel'
        when grouping(automation_level) = 0 then 'automation_level'
        else 'all'
    end as dimension,
    source,
    case dimension
        when 'project' then project_id
        when 'source' then source
        when 'channel' then channel
        when 'automation_level' then automation_level
    end as dimension_value,
    sum(columns(
        attributed.* exclude (
            day, source, project_id, channel, automation_level, smallest_currency, largest_currency
        )
    )),
    min(smallest_currency) as smallest_currency,
    max(largest_currency) as largest_currency
from attributed
group by grouping sets (
    (day),
    (day, source),
    (day, source, project_id),
    (day, channel),
    (day, automation_level)
)
union all by name
select
    measured.day,
    participants.dimension,
    measured.source,
    participants.dimension_value,
    sum(columns(
        measured.* exclude (
            conversation_id, day, source, project_id, channel, automation_level,
            first_reply_seconds, pickup_seconds, resolution_seconds, smallest_currency,
            largest_currency
        )
    )),
    min(smallest_currency) as smallest_currency,
    max(largest_currency) as largest_currency
from work.participants as participants
inner join work.measured as measured using (conversation_id)
group by measured.day, participants.dimension, measured.source, participants.dimension_value;

-- step: percentiles
-- Quantiles keep their values in memory: one grain at a time.
create macro work.percentiles_by(grain) as table
with spread as (
    select
        day,
        unnest(
            [
                {'dimension': 'all', 'source': null, 'dimension_value': null},
                {'dimension': 'source', 'source': source, 'dimension_value': source},
                {'dimension': 'project', 'source': source, 'dimension_value': project_id},
                {'dimension': 'channel', 'source': null, 'dimension_value': channel},
                {
                    'dimension': 'automation_level',
                    'source': null,
                    'dimension_value': automation_level
                }
            ],
            recursive := true
        ),
        first_reply_seconds,
        pickup_seconds,
        resolution_seconds
    from work.measured
    union all by name
    select
        measured.day,
        participants.dimension,
        measured.source,
        participants.dimension_value,
        measured.first_reply_seconds,
        measured.pickup_seconds,
        measured.resolution_seconds
    from work.participants as participants
    inner join work.measured as measured using (conversation_id)
)
select
    periods.period_grain,
    periods.period_start,
    spread.dimension,
    spread.source,
    spread.dimension_value,
    count(first_reply_seconds) as first_reply_count,
    count(pickup_seconds) as pickup_count,
    count(resolution_seconds) as resolution_count,
    quantile_cont(first_reply_seconds, [0.5, 0.9]) as first_reply,
    quantile_cont(pickup_seconds, [0.5, 0.9]) as pickup,
    quantile_cont(resolution_seconds, [0.5, 0.9]) as resolution
from spread
inner join work.periods as periods using (day)
where periods.period_grain = grain
group by all;

create table work.percentiles as from work.percentiles_by('day');
insert into work.percentiles from work.percentiles_by('week');
insert into work.percentiles from work.percentiles_by('month');

-- step: reports
create table reports.contacts_report as
with summed as (
    select
        periods.period_grain,
        periods.period_start,
        days.dimension,
        days.dimension_value,
        days.source,
        sum(columns(
            days.* exclude (
                day, dimension, dimension_value, source, smallest_currency, largest_currency
            )
        )),
        min(smallest_currency) as smallest_currency,
        max(largest_currency) as largest_currency
    from work.contact_days as days
    inner join work.periods as periods using (day)
    group by
        periods.period_grain,
        periods.period_start,
        days.dimension,
        days.dimension_value,
        days.source
)
select
    period_grain,
    period_start,
    dimension,
    dimension_value,
    source,
    open > 0 as is_provisional,
    contacts::bigint as contacts,
    answered::bigint as answered,
    unanswered::bigint as unanswered,
    open::bigint as open,
    transferred_in::bigint as transferred_in,
    transferred_out::bigint as transferred_out,
    transferred_out / contacts as transfer_out_rate,
    snoozed::bigint as snoozed,
    closed::bigint as closed,
    timed_out::bigint as timed_out,
    coalesce(duration_seconds_sum, 0) as duration_seconds_sum,
    duration_count::bigint as duration_count,
    duration_seconds_sum / nullif(duration_count, 0) as duration_mean_seconds,
    coalesce(first_reply_seconds_sum, 0) as first_reply_seconds_sum,
    first_reply_count::bigint as first_reply_count,
    first_reply_seconds_sum / nullif(first_reply_count, 0) as first_reply_mean_seconds,
    coalesce(response_seconds_sum, 0) as response_seconds_sum,
    response_count::bigint as response_count,
    response_seconds_sum / nullif(response_count, 0) as response_mean_seconds,
    coalesce(closing_delay_seconds_sum, 0) as closing_delay_seconds_sum,
    closing_delay_count::bigint as closing_delay_count,
    closing_delay_seconds_sum / nullif(closing_delay_count, 0) as closing_delay_mean_seconds,
    messages_sent::bigint as messages_sent,
    messages_received::bigint as messages_received,
    csat_responses::bigint as csat_responses,
    csat_positive::bigint as csat_positive,
    csat_positive / nullif(csat_responses, 0) as csat_rate,
    transactions::bigint as transactions,
    if(
        smallest_currency = largest_currency or largest_currency is null,
        revenue::decimal(38, 4),
        null
    ) as revenue,
    if(smallest_currency = largest_currency, nullif(largest_currency, ''), null) as currency
from summed;

create table reports.statistical_report as
with summed as (
    select
        periods.period_grain,
        periods.period_start,
        days.dimension,
        days.dimension_value,
        days.source,
        sum(columns(
            days.* exclude (
                day, dimension, dimension_value, source, smallest_currency, largest_currency
            )
        )),
        min(smallest_currency) as smallest_currency,
        max(largest_currency) as largest_currency
    from work.conversation_days as days
    inner join work.periods as periods using (day)
    group by
        periods.period_grain,
        periods.period_start,
        days.dimension,
        days.dimension_value,
        days.source
)
select
    summed.period_grain,
    summed.period_start,
    summed.dimension,
    summed.dimension_value,
    summed.source,
    summed.dimension not in ('agent', 'group') as is_additive,
    conversations::bigint as conversations,
    answered::bigint as answered,
    answered_by_human::bigint as answered_by_human,
    contacts::bigint as contacts,
    contacts / conversations as contacts_per_conversation,
    transferred::bigint as transferred,
    transferred / conversations as transfer_rate,
    transfers::bigint as transfers,
    bounced::bigint as bounced,
    bot_first::bigint as bot_first,
    escalated::bigint as escalated,
    escalated / nullif(bot_first, 0) as escalation_rate,
    fully_automated::bigint as fully_automated,
    fully_automated / conversations as automation_rate,
    percentiles.first_reply_count,
    percentiles.first_reply[1] as first_reply_median_seconds,
    percentiles.first_reply[2] as first_reply_p90_seconds,
    percentiles.pickup_count,
    percentiles.pickup[1] as pickup_median_seconds,
    percentiles.pickup[2] as pickup_p90_seconds,
    percentiles.resolution_count,
    percentiles.resolution[1] as resolution_median_seconds,
    percentiles.resolution[2] as resolution_p90_seconds,
    coalesce(handle_seconds_sum, 0) as handle_seconds_sum,
    handle_count::bigint as handle_count,
    handle_seconds_sum / nullif(handle_count, 0) as handle_mean_seconds,
    csat_responses::bigint as csat_responses,
    csat_positive::bigint as csat_positive,
    csat_positive / nullif(csat_responses, 0) as csat_rate,
    coalesce(csat_score_sum, 0) as csat_score_sum,
    csat_score_sum / nullif(csat_responses, 0) as csat_mean,
    nps_responses::bigint as nps_responses,
    nps_promoters::bigint as nps_promoters,
    nps_detractors::bigint as nps_detractors,
    100 * (nps_promoters - nps_detractors) / nullif(nps_responses, 0) as nps,
    transactions::bigint as transactions,
    refunds::bigint as refunds,
    converted::bigint as converted,
    transactions / conversations as conversion_rate,
    converted / conversations as converted_share,
    if(
        smallest_currency = largest_currency or largest_currency is null,
        summed.revenue::decimal(38, 4),
        null
    ) as revenue,
    if(
        smallest_currency = largest_currency or largest_currency is null,
        summed.revenue::double / nullif(transactions, 0),
        null
    ) as average_order_value,
    if(smallest_currency = largest_currency, nullif(largest_currency, ''), null) as currency
from summed
left join work.percentiles as percentiles
    on
        percentiles.period_grain = summed.period_grain
        and percentiles.period_start = summed.period_start
        and percentiles.dimension = summed.dimension
        and percentiles.source is not distinct from summed.source
        and percentiles.dimension_value is not distinct from summed.dimension_value;

create table reports.reconciliation as
with placed as (
    select
        contacts.source,
        contacts.started_on,
        conversations.closed_on,
        conversations.is_waiting,
        count(*) as contacts
    from marts.contacts as contacts
    inner join marts.conversations as conversations using (conversation_id)
    group by all
),
spans as (
    select
        placed.source,
        placed.contacts,
        placed.is_waiting,
        started.period_grain,
        started.period_start as started_in,
        closed.period_start as closed_in
    from placed
    inner join work.periods as started on started.day = placed.started_on
    left join work.periods as closed
        on closed.day = placed.closed_on and closed.period_grain = started.period_grain
),
causes as (
    select
        period_grain,
        started_in as period_start,
        source,
        sum(contacts) filter (closed_in is null and not is_waiting) as still_open,
        sum(contacts) filter (is_waiting) as waiting,
        sum(contacts) filter (closed_in > started_in) as closed_in_later_period,
        sum(contacts) filter (closed_in < started_in) as closed_in_earlier_period,
        0 as started_in_earlier_period,
        0 as started_in_later_period
    from spans
    group by all
    union all by name
    select
        period_grain,
        closed_in as period_start,
        source,
        sum(contacts) filter (started_in < closed_in) as started_in_earlier_period,
        sum(contacts) filter (started_in > closed_in) as started_in_later_period
    from spans
    where closed_in is not null
    group by all
),
summed as (
    select
        period_grain,
        period_start,
        source,
        coalesce(sum(still_open), 0)::bigint as still_open,
        coalesce(sum(waiting), 0)::bigint as waiting,
        coalesce(sum(closed_in_later_period), 0)::bigint as closed_in_later_period,
        coalesce(sum(closed_in_earlier_period), 0)::bigint as closed_in_earlier_period,
        coalesce(sum(started_in_earlier_period), 0)::bigint as started_in_earlier_period,
        coalesce(sum(started_in_later_period), 0)::bigint as started_in_later_period
    from causes
    group by all
)
select
    summed.period_grain,
    summed.period_start,
    summed.source,
    coalesce(contacts_report.contacts, 0) as contacts_report_contacts,
    coalesce(statistical_report.conversations, 0) as statistical_report_conversations,
    coalesce(statistical_report.contacts, 0) as statistical_report_contacts,
    contacts_report_contacts - statistical_report_contacts as difference,
    still_open,
    waiting,
    closed_in_later_period,
    closed_in_earlier_period,
    started_in_earlier_period,
    started_in_later_period,
    difference
    - still_open
    - waiting
    - closed_in_later_period
    - closed_in_earlier_period
    + started_in_earlier_period
    + started_in_later_period as unexplained
from summed
left join reports.contacts_report as contacts_report
    on
        contacts_report.dimension = 'source'
        and contacts_report.source = summed.source
        and contacts_report.period_grain = summed.period_grain
        and contacts_report.period_start = summed.period_start
left join reports.statistical_report as statistical_report
    on
        statistical_report.dimension = 'source'
        and statistical_report.source = summed.source
        and statistical_report.period_grain = summed.period_grain
        and statistical_report.period_start = summed.period_start;
