-- One row per period, dimension and value. Counts contacts, each in the period it started in.
with metrics as (
    {{ with_kept(ref('contact_metrics'), day='started_on') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
    where is_touched
),

settled as (
    select * from {{ ref('settlements') }}
),

summed as (
    select
        periods.period_grain,
        periods.period_start,
        metrics.dimension,
        metrics.source,
        metrics.dimension_value,
        {{ totals('contact', 'metrics') }}
    from metrics
    inner join periods on metrics.started_on = periods.day
    group by
        periods.period_grain,
        periods.period_start,
        metrics.dimension,
        metrics.source,
        metrics.dimension_value
)

select
    summed.period_grain,
    summed.period_start,
    summed.dimension,
    summed.dimension_value,
    summed.source,
    -- A contact that is still open can change its figures, and so can what is still to come.
    summed.open > 0 or coalesce(settled.is_growing, false) as is_provisional,
    settled.settles_at,
    {{ sums('contact', 'summed') }},
    {{ ratio('summed.transferred_out', 'summed.contacts') }} as transfer_out_rate,
    {{ ratio('summed.duration_seconds_sum', 'summed.duration_count') }} as duration_mean_seconds,
    {{ ratio('summed.first_reply_seconds_sum', 'summed.first_reply_count') }}
        as first_reply_mean_seconds,
    {{ ratio('summed.response_seconds_sum', 'summed.response_count') }} as response_mean_seconds,
    {{ ratio('summed.closing_delay_seconds_sum', 'summed.closing_delay_count') }}
        as closing_delay_mean_seconds,
    {{ ratio('summed.csat_positive', 'summed.csat_responses') }} as csat_rate,
    case
        when {{ has_sum('summed.smallest_currency', 'summed.largest_currency') }}
            then summed.revenue
    end as revenue,
    {{ one_currency('summed.smallest_currency', 'summed.largest_currency') }} as currency
from summed
left join settled
    on
        summed.period_grain = settled.period_grain
        and summed.period_start = settled.period_start
        and summed.source is not distinct from settled.source
{{ laid_out_by() }}
