-- The world of volume mode as table macros over contact numbers, so that any block of contacts can
-- be made on its own: everything about contact i follows from hash(i, seed, purpose).
--
-- Variables: seed, total (contacts), first_second (epoch), span_seconds, agents, messages_per_contact,
-- and the rates in thousandths.

create or replace macro drawn(number, purpose) as
    hash(number, getvariable('seed')::bigint, purpose);

create or replace macro per_mille(number, purpose) as
    (drawn(number, purpose) % 1000)::integer;

create or replace macro below(number, purpose, bound) as
    (drawn(number, purpose) % bound::ubigint)::bigint;

-- How contact i hangs on contact i - 1: a share arrives by transfer, a few come back from a snooze,
-- the rest begin a conversation. Chain lengths are geometric.
create or replace macro comes_by_transfer(number) as
    number > 0
    and number < getvariable('total')
    and per_mille(number, 1) < getvariable('transfer_per_mille');

create or replace macro comes_from_snooze(number) as
    number > 0
    and number < getvariable('total')
    and per_mille(number, 1) >= getvariable('transfer_per_mille')
    and per_mille(number, 1) < getvariable('transfer_per_mille') + getvariable('snooze_per_mille');

-- In one pair of neighbours out of 25 the ids are swapped, so ids do not always follow time.
create or replace macro contact_id(number) as
    (100000000 + case when drawn(number // 2, 2) % 25 = 0 then xor(number, 1) else number end)
    ::varchar;

create or replace macro instant(microseconds) as make_timestamptz(microseconds);

-- One row per contact number in [low, high). A chain never reaches over 64 contacts in practice
-- (0.32 to the power of 64), so its beginning is looked for in the 64 numbers before the block.
create or replace macro contact_facts(low, high) as table
with
numbered as (
    select
        number,
        comes_by_transfer(number) as is_transferred_in,
        comes_from_snooze(number) as is_return,
    from range(greatest(low - 64, 0), high) as numbers(number)
),
placed as (
    select
        number,
        is_transferred_in,
        is_return,
        max(case when is_transferred_in or is_return then 0 else number end)
            over (order by number rows between unbounded preceding and current row)
            as first_number,
    from numbered
),
timed as (
    select
        number,
        first_number,
        is_transferred_in,
        is_return,
        comes_by_transfer(number + 1) as is_transferred_out,
        comes_from_snooze(number + 1) as is_snoozed,
        (number = first_number and per_mille(first_number, 3) < getvariable('bot_first_per_mille'))
            as is_bot,
        per_mille(number, 4) < getvariable('unanswered_per_mille') as is_unanswered,
        1000000 * (
            getvariable('first_second')
            + first_number * getvariable('span_seconds') // getvariable('total')
            + (number - first_number) * 600
            + below(number, 5, 240)
        ) as started,
        1000000 * (40 + below(number, 6, 260)) as duration,
    from placed
    where number >= low
)
select
    *,
    started + duration as ended,
    (
        not is_transferred_out
        and not is_snoozed
        and started + duration
            > 1000000 * (getvariable('first_second') + getvariable('span_seconds'))
    ) as is_open,
    case
        when is_bot then 'b' || (1 + below(first_number, 7, 4))
        -- In a long chain an agent now and then comes back after another one.
        when number >= first_number + 2 and drawn(number, 8) % 10 = 0
            then 'a' || (1 + below(number - 2, 9, getvariable('agents')))
        else 'a' || (1 + below(number, 9, getvariable('agents')))
    end as agent_id,
    'v' || (1 + below(first_number, 10, greatest(getvariable('total') * 4 // 5, 1))) as visitor_id,
from timed;

create or replace macro agent_kind_of(agent_id) as
    case
        when agent_id[1] = 'b' then 'bot'
        when agent_id[2:]::bigint % 12 = 0 then 'expert'
        else 'human'
    end;

create or replace macro contacts_between(low, high) as table
select
    contact_id(number) as contact_id,
    case when drawn(first_number, 11) % 10 = 0 then 'ref-' || first_number end as conversation_ref,
    case when is_return then contact_id(number - 1) end as previous_contact_id,
    visitor_id,
    'p' || (1 + below(first_number, 12, 6)) as project_id,
    (['chat', 'chat', 'chat', 'whatsapp', 'facebook', 'sms', 'chat', 'instagram'])
        [1 + below(first_number, 13, 8)] as channel,
    agent_id,
    agent_kind_of(agent_id) as agent_kind,
    case when not is_bot then 'g' || (agent_id[2:]::bigint % 20) end as group_id,
    (['en', 'fr'])[1 + below(first_number, 14, 2)] as language,
    instant(started) as started_at,
    case
        when is_unanswered then null
        when getvariable('messages_per_contact') > 1
            then instant(started + 2 * duration // (getvariable('messages_per_contact') + 1))
        when is_bot then instant(started + 1000000)
        else instant(started + 1000000 * (3 + below(number, 15, 30)))
    end as answered_at,
    case when not is_open and copy_no = 0 then instant(ended) end as ended_at,
    case
        when is_open or copy_no > 0 then null
        when is_transferred_out then 'transfer'
        when is_snoozed then 'snooze'
        when is_unanswered then 'timeout'
        else 'close'
    end as end_reason,
    case when is_open or copy_no > 0 then instant(started) else instant(ended) end as updated_at,
-- Copy 0 is the contact, copy 1 an unfinished version of it.
from contact_facts(low, high), (values (0), (1)) as copies(copy_no)
where copy_no = 0 or per_mille(number, 16) < getvariable('repeat_per_mille');

create or replace macro transfers_between(low, high) as table
select
    't' || number as transfer_id,
    contact_id(number) as from_contact_id,
    case when is_transferred_out then contact_id(number + 1) end as to_contact_id,
    instant(case when is_transferred_out then ended else ended - 10000000 end) as requested_at,
    case when is_bot then 'bot_escalation' else 'manual' end as kind,
    case when is_bot or drawn(number, 17) % 3 = 0 then 'group' else 'agent' end as target_kind,
    case
        when is_transferred_out then 'accepted'
        when drawn(number, 18) % 2 = 0 then 'failed'
        else 'abandoned'
    end as outcome,
    instant(ended) as updated_at,
-- Copy 1 is an identical repeat.
from contact_facts(low, high), (values (0), (1)) as copies(copy_no)
where
    (is_transferred_out or per_mille(number, 19) < getvariable('unmet_per_mille'))
    and (copy_no = 0 or per_mille(number, 20) < getvariable('repeat_per_mille'));

create or replace macro messages_between(low, high) as table
select
    'm' || (number * getvariable('messages_per_contact') + message_no) as message_id,
    contact_id(number) as contact_id,
    instant(started + (message_no + 1) * duration // (getvariable('messages_per_contact') + 1))
        as sent_at,
    case
        when message_no % 2 = 0 or is_unanswered then 'visitor'
        when is_bot then 'bot'
        else 'agent'
    end as author_kind,
    case when message_no % 2 = 0 or is_unanswered then visitor_id else agent_id end as author_id,
    ([
        'Good morning, where is my parcel ', 'Bonjour, où en est ma commande ',
        'The connection is down again, case ', 'La box clignote en rouge, dossier ',
        'Let me check the file, reference ', 'Je regarde tout de suite le dossier ',
        'I would like to return the item ', 'Je voudrais renvoyer un article, ',
        'Thank you, that solved it. Ref ', 'Merci beaucoup, parfait. Réf ',
        'Could you confirm the number ', 'Pouvez-vous confirmer le numéro ',
        'It will be delivered tomorrow, no. ', 'Vous serez livré demain, numéro ',
        'Please restart the router, ticket ', 'Nous revenons vers vous, ticket '
    ])[1 + below(number, 21, 16)]
        || (10000 + below(number * 64 + message_no, 22, 90000)) as body,
from contact_facts(low, high), range(getvariable('messages_per_contact')) as numbers(message_no);

-- What follows a conversation hangs on its last contact.
create or replace macro ratings_between(low, high) as table
select
    'r' || number || '-' || answer_no as rating_id,
    contact_id(number) as contact_id,
    case when answer_no < 2 then 'csat' else 'nps' end as question,
    instant(ended + 1000000 * (30 + 20 * answer_no)) as answered_at,
    case
        when answer_no = 2 then below(number, 23, 11)
        else 5 - least(below(number * 4 + answer_no, 24, 5), below(number * 4 + answer_no, 25, 5))
    end::double as score,
from contact_facts(low, high), (values (0), (1), (2)) as answers(answer_no)
where
    not is_transferred_out
    and not is_snoozed
    and not is_open
    and not is_unanswered
    and case answer_no
        when 0 then per_mille(number, 26) < getvariable('csat_per_mille')
        -- The second click of somebody who has changed their mind.
        when 1 then
            per_mille(number, 26) < getvariable('csat_per_mille')
            and per_mille(number, 27) < getvariable('csat_changed_per_mille')
        else per_mille(number, 28) < getvariable('nps_per_mille')
    end;

create or replace macro transactions_between(low, high) as table
select
    'x' || number || '-' || purchase_no as transaction_id,
    instant(ended + 1000000 * (1 + purchase_no) * (60 + below(number, 29, 80000))) as occurred_at,
    (5 + below(number * 2 + purchase_no, 30, 400) + 0.99)::decimal(18, 2) as amount,
    'EUR' as currency,
    case when drawn(number, 31) % 10 > 0 then contact_id(number) end as contact_id,
    visitor_id,
from contact_facts(low, high), (values (0), (1)) as purchases(purchase_no)
where
    not is_transferred_out
    and not is_snoozed
    and not is_open
    and per_mille(number, 32) < getvariable('transaction_per_mille')
    and (purchase_no = 0 or per_mille(number, 33) < getvariable('second_transaction_per_mille'));

create or replace macro all_agents() as table
select
    agent_id,
    agent_kind_of(agent_id) as agent_kind,
    'Agent ' || agent_id as display_name,
    case when agent_id[1] = 'a' then 'g' || (agent_id[2:]::bigint % 20) end as group_id,
    case when agent_id[1] = 'a' then 'Group ' || (agent_id[2:]::bigint % 20) end as group_name,
    instant(1000000 * getvariable('first_second')) as valid_from,
from (
    select 'b' || (1 + number) as agent_id from range(4) as bots(number)
    union all
    select 'a' || (1 + number) as agent_id from range(getvariable('agents')) as people(number)
);

create or replace macro truth_between(low, high) as table
select
    contact_id(number) as contact_id,
    first_number as conversation_no,
from contact_facts(low, high);

create or replace macro counts_between(low, high) as table
select
    count(*) filter (where number = first_number) as conversations,
    count(*) as contacts,
    count(*) filter (where is_open) as open_contacts,
    count(*) filter (
        where is_transferred_out or per_mille(number, 19) < getvariable('unmet_per_mille')
    ) as transfer_requests,
    count(*) filter (where is_transferred_out) as accepted_transfers,
    count(*) * getvariable('messages_per_contact') as messages,
from contact_facts(low, high);

-- The extreme shapes: one conversation of every contact. Ids are scattered, so that no order of ids
-- helps whoever looks for the component.
create or replace macro scattered_id(number) as
    (100000000 + number * getvariable('stride') % getvariable('total'))::varchar;

create or replace macro shape_contacts_between(low, high) as table
select
    scattered_id(number) as contact_id,
    'a' || (1 + below(number, 9, getvariable('agents'))) as agent_id,
    'human' as agent_kind,
    'v1' as visitor_id,
    'p1' as project_id,
    'chat' as channel,
    instant(began) as started_at,
    instant(began + 1000) as answered_at,
    instant(began + 2000) as ended_at,
    case
        when getvariable('shape') = 'star' and number > 0 then 'close'
        when getvariable('shape') = 'chain' and number = getvariable('total') - 1 then 'close'
        else 'transfer'
    end as end_reason,
    instant(began + 2000) as updated_at,
from (
    select
        number,
        1000000 * getvariable('first_second')
        + number * (1000000 * getvariable('span_seconds') // getvariable('total')) as began,
    from range(low, high) as numbers(number)
);

create or replace macro shape_transfers_between(low, high) as table
select
    't' || number as transfer_id,
    scattered_id(case when getvariable('shape') = 'star' then 0 else number end) as from_contact_id,
    scattered_id((number + 1) % getvariable('total')) as to_contact_id,
    instant(
        1000000 * getvariable('first_second')
        + number * (1000000 * getvariable('span_seconds') // getvariable('total'))
        + 2000
    ) as requested_at,
    'manual' as kind,
    'agent' as target_kind,
    'accepted' as outcome,
from range(low, high) as numbers(number)
where number < getvariable('total') - 1 or getvariable('shape') = 'cycle';
