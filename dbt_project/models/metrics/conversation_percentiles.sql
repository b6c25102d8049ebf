-- One row per period, dimension and value: medians and 90th percentiles over the conversations
-- closed in the period, from their rows, never from another period's percentiles.
--
-- The same percentiles as from the rows one by one, at a fraction of the work: durations are
-- counted by range, and only those in the ranges where a percentile lies are put in order. However
-- many there are, no step has to fit in memory.
with measured as (
    select * from {{ ref('int_conversations__measured') }}
    where
        closed_on in (
            select spanned.day from {{ ref('int_periods__spanned') }} as spanned
            where spanned.is_touched
        )
),

staffed as (
    select * from {{ ref('int_conversations__staffed') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
    where is_touched
),

dimensions as (
    {{ dimensions('conversation') }}
),

durations as {{ each_time() }} (
    {{ one_row_per_duration('measured', attributes('conversation')) }}
),

-- Grain: conversation, duration, and each dimension and value that it counts in. Several times as
-- many rows as there are conversations, and read twice: kept, they would be written to the disk and
-- read back.
placed as {{ each_time() }} (
    select
        durations.closed_on,
        dimensions.dimension,
        {{ place_in_dimension('conversation', 'durations') }},
        durations.duration,
        durations.seconds,
        durations.seconds_range
    from durations
    cross join dimensions
    where {{ counts_in_dimension('conversation', 'durations') }}

    union all

    select
        staffed.closed_on,
        staffed.dimension,
        staffed.source,
        staffed.dimension_value,
        durations.duration,
        durations.seconds,
        durations.seconds_range
    from staffed
    inner join durations on staffed.conversation_id = durations.conversation_id
    where durations.contacts > 1
),

-- Grain: closing day, dimension, source, value, duration, range.
ranges_on_days as (
    select
        closed_on,
        {{ cell() }},
        seconds_range,
        count(*) as conversation_count
    from placed
    group by closed_on, {{ cell() }}, seconds_range
),

-- Grain: period, dimension, source, value, duration, range.
ranges_in_periods as (
    select
        periods.period_grain,
        periods.period_start,
        {{ cell('ranges') }},
        ranges.seconds_range,
        sum(ranges.conversation_count) as conversation_count
    from ranges_on_days as ranges
    inner join periods on ranges.closed_on = periods.day
    group by
        periods.period_grain, periods.period_start, {{ cell('ranges') }}, ranges.seconds_range
),

ranges_accumulated as (
    select
        period_grain,
        period_start,
        {{ cell() }},
        seconds_range,
        conversation_count,
        sum(conversation_count) over (
            partition by period_grain, period_start, {{ cell() }}
            order by seconds_range
            rows between unbounded preceding and current row
        ) as cumulative_count,
        sum(conversation_count) over (
            partition by period_grain, period_start, {{ cell() }}
            order by seconds_range
            rows between unbounded preceding and unbounded following
        ) as total_count
    from ranges_in_periods
),

-- The ranges where a percentile lies, on each day that they are gathered from.
wanted as (
    select
        periods.day,
        ranges.period_grain,
        ranges.period_start,
        {{ cell('ranges') }},
        ranges.seconds_range,
        ranges.total_count,
        ranges.cumulative_count - ranges.conversation_count as smaller_count
    from ranges_accumulated as ranges
    inner join periods
        on
            ranges.period_grain = periods.period_grain
            and ranges.period_start = periods.period_start
    where
        {{ holds_percentile('ranges', 0.5) }}
        or {{ holds_percentile('ranges', 0.9) }}
),

-- Grain: period, dimension, source, value, duration, seconds; of the ranges wanted alone.
in_periods as (
    select
        wanted.period_grain,
        wanted.period_start,
        {{ cell('wanted') }},
        wanted.seconds_range,
        placed.seconds,
        max(wanted.total_count) as total_count,
        max(wanted.smaller_count) as smaller_count,
        count(*) as conversation_count
    from placed
    inner join wanted
        on
            placed.closed_on = wanted.day
            and placed.dimension = wanted.dimension
            and placed.source is not distinct from wanted.source
            and placed.dimension_value is not distinct from wanted.dimension_value
            and placed.duration = wanted.duration
            and placed.seconds_range = wanted.seconds_range
    group by
        wanted.period_grain,
        wanted.period_start,
        {{ cell('wanted') }},
        wanted.seconds_range,
        placed.seconds
),

accumulated as (
    select
        period_grain,
        period_start,
        {{ cell() }},
        seconds,
        total_count,
        smaller_count + sum(conversation_count) over (
            partition by period_grain, period_start, {{ cell() }}, seconds_range
            order by seconds
            rows between unbounded preceding and current row
        ) as cumulative_count
    from in_periods
),

-- Grain: period, dimension, source, value, duration.
taken as (
    select
        period_grain,
        period_start,
        {{ cell() }},
        max(total_count) as total_count,
        {{ counted_percentile('seconds', 'cumulative_count', 'total_count', 0.5) }}
            as median_seconds,
        {{ counted_percentile('seconds', 'cumulative_count', 'total_count', 0.9) }}
            as p90_seconds
    from accumulated
    group by period_grain, period_start, {{ cell() }}
)

select
    period_grain,
    period_start,
    dimension,
    source,
    dimension_value,
    {{ percentiles_of_each_duration() }}
from taken
group by period_grain, period_start, dimension, source, dimension_value
{{ laid_out_by() }}
