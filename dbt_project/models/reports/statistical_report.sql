-- One row per period, dimension and value. Counts conversations, each in the period it closed in.
with metrics as (
    select * from {{ ref('conversation_metrics') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
),

percentiles as (
    select * from {{ ref('conversation_percentiles') }}
),

summed as (
    select
        periods.period_grain,
        periods.period_start,
        metrics.dimension,
        metrics.source,
        metrics.dimension_value,
        cast(sum(metrics.conversations) as bigint) as conversations,
        cast(sum(metrics.answered) as bigint) as answered,
        cast(sum(metrics.answered_by_human) as bigint) as answered_by_human,
        cast(sum(metrics.contacts) as bigint) as contacts,
        cast(sum(metrics.transferred) as bigint) as transferred,
        cast(sum(metrics.transfers) as bigint) as transfers,
        cast(sum(metrics.bounced) as bigint) as bounced,
        cast(sum(metrics.bot_first) as bigint) as bot_first,
        cast(sum(metrics.escalated) as bigint) as escalated,
        cast(sum(metrics.fully_automated) as bigint) as fully_automated,
        {{ exact_sum('metrics.handle_seconds_sum') }} as handle_seconds_sum,
        cast(sum(metrics.handle_count) as bigint) as handle_count,
        cast(sum(metrics.csat_responses) as bigint) as csat_responses,
        cast(sum(metrics.csat_positive) as bigint) as csat_positive,
        {{ exact_sum('metrics.csat_score_sum') }} as csat_score_sum,
        cast(sum(metrics.nps_responses) as bigint) as nps_responses,
        cast(sum(metrics.nps_promoters) as bigint) as nps_promoters,
        cast(sum(metrics.nps_detractors) as bigint) as nps_detractors,
        cast(sum(metrics.transactions) as bigint) as transactions,
        cast(sum(metrics.converted) as bigint) as converted,
        cast(sum(metrics.revenue) as decimal(38, 4)) as revenue,
        min(metrics.smallest_currency) as smallest_currency,
        max(metrics.largest_currency) as largest_currency
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
    -- A conversation counts for every agent and group that took part in it.
    summed.dimension not in ('agent', 'group') as is_additive,
    summed.conversations,
    summed.answered,
    summed.answered_by_human,
    summed.contacts,
    cast(summed.contacts as double) / nullif(summed.conversations, 0) as contacts_per_conversation,
    summed.transferred,
    cast(summed.transferred as double) / nullif(summed.conversations, 0) as transfer_rate,
    summed.transfers,
    summed.bounced,
    summed.bot_first,
    summed.escalated,
    cast(summed.escalated as double) / nullif(summed.bot_first, 0) as escalation_rate,
    summed.fully_automated,
    cast(summed.fully_automated as double) / nullif(summed.conversations, 0) as automation_rate,
    percentiles.first_reply_count,
    percentiles.first_reply_median_seconds,
    percentiles.first_reply_p90_seconds,
    percentiles.resolution_count,
    percentiles.resolution_median_seconds,
    percentiles.resolution_p90_seconds,
    summed.handle_seconds_sum,
    summed.handle_count,
    cast(summed.handle_seconds_sum as double) / nullif(summed.handle_count, 0)
        as handle_mean_seconds,
    summed.csat_responses,
    summed.csat_positive,
    cast(summed.csat_positive as double) / nullif(summed.csat_responses, 0) as csat_rate,
    summed.csat_score_sum,
    cast(summed.csat_score_sum as double) / nullif(summed.csat_responses, 0) as csat_mean,
    summed.nps_responses,
    summed.nps_promoters,
    summed.nps_detractors,
    100.0 * cast(summed.nps_promoters - summed.nps_detractors as double)
    / nullif(summed.nps_responses, 0) as nps,
    summed.transactions,
    summed.converted,
    cast(summed.transactions as double) / nullif(summed.conversations, 0) as conversion_rate,
    cast(summed.converted as double) / nullif(summed.conversations, 0) as converted_share,
    -- Amounts in different currencies have no sum: both figures are null then, and so is the
    -- currency.
    case
        when summed.smallest_currency = summed.largest_currency or summed.largest_currency is null
            then summed.revenue
    end as revenue,
    case
        when summed.smallest_currency = summed.largest_currency or summed.largest_currency is null
            then cast(summed.revenue as double) / nullif(summed.transactions, 0)
    end as average_order_value,
    case
        when summed.smallest_currency = summed.largest_currency
            then nullif(summed.largest_currency, '')
    end as currency
from summed
left join percentiles
    on
        summed.period_grain = percentiles.period_grain
        and summed.period_start = percentiles.period_start
        and summed.dimension = percentiles.dimension
        and summed.source is not distinct from percentiles.source
        and summed.dimension_value is not distinct from percentiles.dimension_value
order by
    summed.dimension,
    summed.period_grain,
    summed.period_start,
    summed.source nulls first,
    summed.dimension_value nulls first
