-- One row per source and log: how long after their events its records arrive, as its deliveries so
-- far say. A delivery is what one run loaded of a log.
--
-- A history says nothing of lateness: the first delivery of a log is left out, and one of which
-- more than half is over 30 days old.
with arrivals as (
    select * from {{ ref('arrivals') }}
),

numbered as (
    select
        source,
        log,
        run_id,
        delay_seconds,
        record_count,
        load_no,
        min(load_no) over (partition by source, log) as opening_load_no
    from arrivals
),

deliveries as (
    select
        source,
        log,
        run_id,
        min(load_no) = min(opening_load_no)
        or 2 * sum(case when delay_seconds <= 30 * 86400 then record_count else 0 end)
        < sum(case when delay_seconds is not null then record_count else 0 end) as is_backfill
    from numbered
    group by source, log, run_id
),

-- Grain: source, log, delay. A backfill keeps its place with no records, so that it is counted.
by_delay as (
    select
        arrivals.source,
        arrivals.log,
        arrivals.delay_seconds,
        sum(case when deliveries.is_backfill then 0 else arrivals.record_count end) as records,
        sum(case when deliveries.is_backfill then arrivals.record_count else 0 end)
            as backfilled
    from arrivals
    inner join deliveries
        on
            arrivals.source = deliveries.source
            and arrivals.log = deliveries.log
            and arrivals.run_id = deliveries.run_id
    where arrivals.delay_seconds is not null
    group by arrivals.source, arrivals.log, arrivals.delay_seconds
),

accumulated as (
    select
        source,
        log,
        delay_seconds,
        records,
        backfilled,
        sum(records) over (
            partition by source, log
            order by delay_seconds
            rows between unbounded preceding and current row
        ) as arrived,
        sum(records) over (partition by source, log) as total
    from by_delay
),

summed as (
    select
        source,
        log,
        cast(max(total) as bigint) as record_count,
        cast(sum(backfilled) as bigint) as backfilled_count,
        {{ arrived_within('3600', 'hour') }},
        {{ arrived_within('86400', 'day') }},
        {{ arrived_within('7 * 86400', 'week') }},
        {{ arrived_within('30 * 86400', 'month') }},
        {{ delay_percentile('0.5') }} as median_seconds,
        {{ delay_percentile('0.9') }} as p90_seconds,
        {{ delay_percentile('0.99') }} as p99_seconds,
        -- A share of fewer records than make one of them is no share.
        case
            when max(total) * {{ var('late_percent') }} >= 100
                then {{ delay_percentile('1 - ' ~ var('late_percent') ~ ' / 100.0') }}
        end as settled_seconds
    from accumulated
    group by source, log
)

select
    source,
    log,
    record_count,
    backfilled_count,
    within_hour_count,
    {{ ratio('within_hour_count', 'record_count') }} as within_hour_rate,
    within_day_count,
    {{ ratio('within_day_count', 'record_count') }} as within_day_rate,
    within_week_count,
    {{ ratio('within_week_count', 'record_count') }} as within_week_rate,
    within_month_count,
    {{ ratio('within_month_count', 'record_count') }} as within_month_rate,
    median_seconds,
    p90_seconds,
    p99_seconds,
    settled_seconds
from summed
{{ laid_out_by() }}
