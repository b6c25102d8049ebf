-- One row per source and load that brought a record as it is now: the newest event that it brought.
--
-- An event is whatever the current records date: the start, the reply and the end of a contact, a
-- request for a transfer, a message, an answer, a purchase. Never the clock: the same logs give the
-- same marts on any day.
with contacts as (
    select
        source,
        changed_load_no as load_no,
        max(started_at) as started_at,
        max(answered_at) as answered_at,
        max(ended_at) as ended_at
    from {{ ref('int_contacts__consolidated') }}
    group by source, changed_load_no
),

events as (
    select
        source,
        load_no,
        started_at as event_at
    from contacts

    union all

    select
        source,
        load_no,
        answered_at as event_at
    from contacts

    union all

    select
        source,
        load_no,
        ended_at as event_at
    from contacts

    union all

    select
        source,
        changed_load_no as load_no,
        requested_at as event_at
    from {{ ref('int_transfers__consolidated') }}

    union all

    select
        source,
        changed_load_no as load_no,
        sent_at as event_at
    from {{ ref('messages') }}

    union all

    select
        source,
        changed_load_no as load_no,
        answered_at as event_at
    from {{ ref('ratings') }}

    union all

    select
        source,
        changed_load_no as load_no,
        occurred_at as event_at
    from {{ ref('transactions') }}
),

built as (
    select
        source,
        load_no,
        max(event_at) as event_at
    from events
    where event_at is not null
    group by source, load_no
),

dated as (
    {{ with_kept('built', of=this) }}
)

select
    source,
    load_no,
    max(event_at) as event_at
from dated
group by source, load_no
