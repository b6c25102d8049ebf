-- One row per period, dimension and value: medians and 90th percentiles over the conversations
-- closed in the period, from their rows, never from another period's percentiles.
--
-- The same percentiles as from the rows one by one, at a fraction of the work: equal durations are
-- counted together, and only those in the ranges where a percentile lies are put in order. However
-- many there are, no step has to fit in memory.
with measured as (
    select * from {{ ref('int_conversations__measured') }}
),

participations as (
    select * from {{ ref('int_conversations__participations') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
),

dimensions as (
    select 'all' as dimension
    union all
    select 'source' as dimension
    union all
    select 'project' as dimension
    union all
    select 'channel' as dimension
    union all
    select 'automation_level' as dimension
),

durations as {{ each_time() }} (
    select
        conversation_id,
        closed_on,
        source,
        project_id,
        channel,
        automation_level,
        contacts,
        first_agent_id,
        first_group_id,
        'first_reply' as duration,
        first_reply_seconds as seconds
    from measured
    where first_reply_seconds is not null

    union all

    select
        conversation_id,
        closed_on,
        source,
        project_id,
        channel,
        automation_level,
        contacts,
        first_agent_id,
        first_group_id,
        'resolution' as duration,
        resolution_seconds as seconds
    from measured
    where resolution_seconds is not null
),

-- Grain: closing day, source, project, channel, automation level, duration, seconds.
counted as (
    select
        closed_on,
        source,
        project_id,
        channel,
        automation_level,
        duration,
        seconds,
        count(*) as conversation_count
    from durations
    group by
        closed_on,
        source,
        project_id,
        channel,
        automation_level,
        duration,
        seconds
),

by_attribute as (
    select
        counted.closed_on,
        dimensions.dimension,
        case when dimensions.dimension in ('source', 'project') then counted.source end as source,
        case dimensions.dimension
            when 'source' then counted.source
            when 'project' then counted.project_id
            when 'channel' then counted.channel
            when 'automation_level' then counted.automation_level
        end as dimension_value,
        counted.duration,
        counted.seconds,
        counted.conversation_count
    from counted
    cross join dimensions
),

-- A conversation of one contact says itself who took part in it; of others the participations do.
by_participant as (
    select
        closed_on,
        'agent' as dimension,
        source,
        first_agent_id as dimension_value,
        duration,
        seconds,
        1 as conversation_count
    from durations
    where contacts = 1 and first_agent_id is not null

    union all

    select
        closed_on,
        'group' as dimension,
        source,
        first_group_id as dimension_value,
        duration,
        seconds,
        1 as conversation_count
    from durations
    where contacts = 1 and first_group_id is not null

    union all

    select
        participations.closed_on,
        participations.dimension,
        participations.source,
        participations.dimension_value,
        durations.duration,
        durations.seconds,
        1 as conversation_count
    from participations
    inner join durations on participations.conversation_id = durations.conversation_id
    where durations.contacts > 1
),

-- Several times as many rows as there are conversations, and read twice: kept, they would be
-- written to the disk and read back.
unioned as {{ each_time() }} (
    select * from by_attribute
    union all
    select * from by_participant
),

ranged as {{ each_time() }} (
    select
        closed_on,
        dimension,
        source,
        dimension_value,
        duration,
        seconds,
        {{ narrow_range('seconds') }} as seconds_range,
        conversation_count
    from unioned
),

-- Grain: closing day, dimension, source, value, duration, range.
ranges_on_days as (
    select
        closed_on,
        dimension,
        source,
        dimension_value,
        duration,
        seconds_range,
        sum(conversation_count) as conversation_count
    from ranged
    group by
        closed_on,
        dimension,
        source,
        dimension_value,
        duration,
        seconds_range
),

-- Grain: period, dimension, source, value, duration, range.
ranges_in_periods as (
    select
        periods.period_grain,
        periods.period_start,
        ranges_on_days.dimension,
        ranges_on_days.source,
        ranges_on_days.dimension_value,
        ranges_on_days.duration,
        ranges_on_days.seconds_range,
        sum(ranges_on_days.conversation_count) as conversation_count
    from ranges_on_days
    inner join periods on ranges_on_days.closed_on = periods.day
    group by
        periods.period_grain,
        periods.period_start,
        ranges_on_days.dimension,
        ranges_on_days.source,
        ranges_on_days.dimension_value,
        ranges_on_days.duration,
        ranges_on_days.seconds_range
),

ranges_accumulated as (
    select
        period_grain,
        period_start,
        dimension,
        source,
        dimension_value,
        duration,
        seconds_range,
        conversation_count,
        sum(conversation_count) over (
            partition by period_grain, period_start, dimension, source, dimension_value, duration
            order by seconds_range
            rows between unbounded preceding and current row
        ) as cumulative_count,
        sum(conversation_count) over (
            partition by period_grain, period_start, dimension, source, dimension_value, duration
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
        ranges.dimension,
        ranges.source,
        ranges.dimension_value,
        ranges.duration,
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
        wanted.dimension,
        wanted.source,
        wanted.dimension_value,
        wanted.duration,
        wanted.seconds_range,
        ranged.seconds,
        max(wanted.total_count) as total_count,
        max(wanted.smaller_count) as smaller_count,
        sum(ranged.conversation_count) as conversation_count
    from ranged
    inner join wanted
        on
            ranged.closed_on = wanted.day
            and ranged.dimension = wanted.dimension
            and ranged.source is not distinct from wanted.source
            and ranged.dimension_value is not distinct from wanted.dimension_value
            and ranged.duration = wanted.duration
            and ranged.seconds_range = wanted.seconds_range
    group by
        wanted.period_grain,
        wanted.period_start,
        wanted.dimension,
        wanted.source,
        wanted.dimension_value,
        wanted.duration,
        wanted.seconds_range,
        ranged.seconds
),

accumulated as (
    select
        period_grain,
        period_start,
        dimension,
        source,
        dimension_value,
        duration,
        seconds,
        total_count,
        smaller_count + sum(conversation_count) over (
            partition by
                period_grain,
                period_start,
                dimension,
                source,
                dimension_value,
                duration,
                seconds_range
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
        dimension,
        source,
        dimension_value,
        duration,
        max(total_count) as total_count,
        {{ counted_percentile('seconds', 'cumulative_count', 'total_count', 0.5) }}
            as median_seconds,
        {{ counted_percentile('seconds', 'cumulative_count', 'total_count', 0.9) }}
            as p90_seconds
    from accumulated
    group by
        period_grain,
        period_start,
        dimension,
        source,
        dimension_value,
        duration
)

select
    period_grain,
    period_start,
    dimension,
    source,
    dimension_value,
    cast(coalesce(max(case when duration = 'first_reply' then total_count end), 0) as bigint)
        as first_reply_count,
    cast(max(case when duration = 'first_reply' then median_seconds end) as double)
        as first_reply_median_seconds,
    cast(max(case when duration = 'first_reply' then p90_seconds end) as double)
        as first_reply_p90_seconds,
    cast(coalesce(max(case when duration = 'resolution' then total_count end), 0) as bigint)
        as resolution_count,
    cast(max(case when duration = 'resolution' then median_seconds end) as double)
        as resolution_median_seconds,
    cast(max(case when duration = 'resolution' then p90_seconds end) as double)
        as resolution_p90_seconds
from taken
group by
    period_grain,
    period_start,
    dimension,
    source,
    dimension_value
order by
    dimension,
    period_grain,
    period_start,
    source nulls first,
    dimension_value nulls first
