-- One row per period, dimension and value. Counts conversations, each in the period it closed in.
with metrics as (
    {{ with_kept(ref('conversation_metrics'), day='closed_on') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
    where is_touched
),

percentiles as (
    select * from {{ ref('conversation_percentiles') }}
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
        {{ totals('conversation', 'metrics') }}
    from metrics
    inner join periods on metrics.closed_on = periods.day
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
    {{ is_additive('summed.dimension') }} as is_additive,
    -- What waits may turn out to have closed in the period.
    coalesce(settled.has_waiting or settled.is_growing, false) as is_provisional,
    settled.settles_at,
    {{ sums('conversation', 'summed') }},
    {{ ratio('summed.contacts', 'summed.conversations') }} as contacts_per_conversation,
    {{ ratio('summed.transferred', 'summed.conversations') }} as transfer_rate,
    {{ ratio('summed.escalated', 'summed.bot_first') }} as escalation_rate,
    {{ ratio('summed.fully_automated', 'summed.conversations') }} as automation_rate,
    percentiles.first_reply_count,
    percentiles.first_reply_median_seconds,
    percentiles.first_reply_p90_seconds,
    percentiles.pickup_count,
    percentiles.pickup_median_seconds,
    percentiles.pickup_p90_seconds,
    percentiles.resolution_count,
    percentiles.resolution_median_seconds,
    percentiles.resolution_p90_seconds,
    {{ ratio('summed.handle_seconds_sum', 'summed.handle_count') }} as handle_mean_seconds,
    {{ ratio('summed.csat_positive', 'summed.csat_responses') }} as csat_rate,
    {{ ratio('summed.csat_score_sum', 'summed.csat_responses') }} as csat_mean,
    100.0 * cast(summed.nps_promoters - summed.nps_detractors as double)
    / nullif(summed.nps_responses, 0) as nps,
    {{ ratio('summed.transactions', 'summed.conversations') }} as conversion_rate,
    {{ ratio('summed.converted', 'summed.conversations') }} as converted_share,
    case
        when {{ has_sum('summed.smallest_currency', 'summed.largest_currency') }}
            then summed.revenue
    end as revenue,
    case
        when {{ has_sum('summed.smallest_currency', 'summed.largest_currency') }}
            then {{ ratio('summed.revenue', 'summed.transactions') }}
    end as average_order_value,
    {{ one_currency('summed.smallest_currency', 'summed.largest_currency') }} as currency
from summed
left join percentiles
    on
        summed.period_grain = percentiles.period_grain
        and summed.period_start = percentiles.period_start
        and summed.dimension = percentiles.dimension
        and summed.source is not distinct from percentiles.source
        and summed.dimension_value is not distinct from percentiles.dimension_value
left join settled
    on
        summed.period_grain = settled.period_grain
        and summed.period_start = settled.period_start
        and summed.source is not distinct from settled.source
{{ laid_out_by() }}
