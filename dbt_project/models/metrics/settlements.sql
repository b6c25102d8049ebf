-- One row per period and source, and per period over all of its sources: whether its figures may
-- still change, and when they will have settled. What is now is the newest load of a source, never
-- the clock.
with contact_metrics as (
    {{ with_kept(ref('contact_metrics'), day='started_on') }}
),

conversation_metrics as (
    {{ with_kept(ref('conversation_metrics'), day='closed_on') }}
),

every_conversation as (
    {{ with_kept(ref('conversations')) }}
),

conversations as (
    select
        source,
        waiting_since_at,
        time_zone
    from every_conversation
    where waiting_since_at is not null
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
),

arrivals as (
    select * from {{ ref('arrivals') }}
),

lateness as (
    select * from {{ ref('lateness') }}
),

zones as (
    select
        source,
        time_zone
    from {{ ref('sources') }}

    union

    select
        source,
        time_zone
    from {{ ref('projects') }}
),

newest as (
    select
        source,
        max(loaded_at) as loaded_at
    from arrivals
    group by source
),

-- A source has settled when the slowest of its logs has.
settling as (
    select
        source,
        max(settled_seconds) as settled_seconds
    from lateness
    group by source
),

counted as (
    select
        source,
        started_on as day
    from contact_metrics
    where dimension = 'source'

    union

    select
        source,
        closed_on as day
    from conversation_metrics
    where dimension = 'source'
),

-- Grain: period, source.
of_sources as (
    select distinct
        periods.period_grain,
        periods.period_start,
        cast(
            case periods.period_grain
                when 'day' then {{ dbt.dateadd('day', 1, 'periods.period_start') }}
                when 'week' then {{ dbt.dateadd('day', 7, 'periods.period_start') }}
                else {{ dbt.dateadd('month', 1, 'periods.period_start') }}
            end as timestamp
        ) as next_start,
        counted.source
    from counted
    inner join periods on counted.day = periods.day
),

-- A period is over for a source when it is in the last of its zones.
ended as (
    select
        of_sources.period_grain,
        of_sources.period_start,
        of_sources.source,
        max({{ wall_clock_to_utc('of_sources.next_start', 'zones.time_zone') }}) as ends_at
    from of_sources
    inner join zones on of_sources.source = zones.source
    group by of_sources.period_grain, of_sources.period_start, of_sources.source
),

-- Grain: period, source; a conversation that waits may turn out to have closed in it.
waiting as (
    select distinct
        of_sources.period_grain,
        of_sources.period_start,
        of_sources.source
    from of_sources
    inner join conversations
        on
            of_sources.source = conversations.source
            and {{ local_day('conversations.waiting_since_at', 'conversations.time_zone') }}
            >= of_sources.period_start
            and {{ local_day('conversations.waiting_since_at', 'conversations.time_zone') }}
            < of_sources.next_start
),

timed as (
    select
        ended.period_grain,
        ended.period_start,
        ended.source,
        ended.ends_at,
        newest.loaded_at,
        waiting.source is not null as has_waiting,
        {{ dbt.dateadd('second', 'cast(settling.settled_seconds as bigint)', 'ended.ends_at') }}
            as settles_at
    from ended
    inner join newest on ended.source = newest.source
    left join settling on ended.source = settling.source
    left join waiting
        on
            ended.period_grain = waiting.period_grain
            and ended.period_start = waiting.period_start
            and ended.source = waiting.source
),

judged as (
    select
        period_grain,
        period_start,
        source,
        settles_at,
        has_waiting,
        coalesce(settles_at, ends_at) > loaded_at as is_growing
    from timed
),

unioned as (
    select
        period_grain,
        period_start,
        source,
        settles_at,
        has_waiting,
        is_growing
    from judged

    union all

    -- Over all sources of a period, its figures settle with the last of them.
    select
        period_grain,
        period_start,
        null as source,
        max(settles_at) as settles_at,
        max(case when has_waiting then 1 else 0 end) = 1 as has_waiting,
        max(case when is_growing then 1 else 0 end) = 1 as is_growing
    from judged
    group by period_grain, period_start
)

select
    period_grain,
    period_start,
    source,
    settles_at,
    has_waiting,
    is_growing
from unioned
{{ laid_out_by() }}
