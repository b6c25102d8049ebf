-- One row per period, dimension and value: medians and 90th percentiles over the conversations
-- closed in the period, from their rows, never from another period's percentiles.
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

by_attribute as (
    select
        measured.closed_on,
        dimensions.dimension,
        case when dimensions.dimension in ('source', 'project') then measured.source end as source,
        case dimensions.dimension
            when 'source' then measured.source
            when 'project' then measured.project_id
            when 'channel' then measured.channel
            when 'automation_level' then measured.automation_level
        end as dimension_value,
        measured.first_reply_seconds,
        measured.resolution_seconds
    from measured
    cross join dimensions
),

by_participant as (
    select
        participations.closed_on,
        participations.dimension,
        participations.source,
        participations.dimension_value,
        measured.first_reply_seconds,
        measured.resolution_seconds
    from participations
    inner join measured on participations.conversation_id = measured.conversation_id
),

unioned as (
    select * from by_attribute
    union all
    select * from by_participant
),

aggregated as (
    select
        periods.period_grain,
        periods.period_start,
        unioned.dimension,
        unioned.source,
        unioned.dimension_value,
        count(unioned.first_reply_seconds) as first_reply_count,
        count(unioned.resolution_seconds) as resolution_count,
        {{ percentiles('unioned.first_reply_seconds', [0.5, 0.9]) }} as first_reply_percentiles,
        {{ percentiles('unioned.resolution_seconds', [0.5, 0.9]) }} as resolution_percentiles
    from unioned
    inner join periods on unioned.closed_on = periods.day
    group by
        periods.period_grain,
        periods.period_start,
        unioned.dimension,
        unioned.source,
        unioned.dimension_value
)

select
    period_grain,
    period_start,
    dimension,
    source,
    dimension_value,
    first_reply_count,
    {{ list_element('first_reply_percentiles', 1) }} as first_reply_median_seconds,
    {{ list_element('first_reply_percentiles', 2) }} as first_reply_p90_seconds,
    resolution_count,
    {{ list_element('resolution_percentiles', 1) }} as resolution_median_seconds,
    {{ list_element('resolution_percentiles', 2) }} as resolution_p90_seconds
from aggregated
order by
    dimension,
    period_grain,
    period_start,
    source nulls first,
    dimension_value nulls first
