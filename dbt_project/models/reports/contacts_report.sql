-- One row per period, dimension and value. Counts contacts, each in the period it started in.
with metrics as (
    select * from {{ ref('contact_metrics') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
),

summed as (
    select
        periods.period_grain,
        periods.period_start,
        metrics.dimension,
        metrics.source,
        metrics.dimension_value,
        cast(sum(metrics.contacts) as bigint) as contacts,
        cast(sum(metrics.answered) as bigint) as answered,
        cast(sum(metrics.unanswered) as bigint) as unanswered,
        cast(sum(metrics.open) as bigint) as open,
        cast(sum(metrics.transferred_in) as bigint) as transferred_in,
        cast(sum(metrics.transferred_out) as bigint) as transferred_out,
        cast(sum(metrics.snoozed) as bigint) as snoozed,
        cast(sum(metrics.closed) as bigint) as closed,
        cast(sum(metrics.timed_out) as bigint) as timed_out,
        {{ exact_sum('metrics.duration_seconds_sum') }} as duration_seconds_sum,
        cast(sum(metrics.duration_count) as bigint) as duration_count,
        {{ exact_sum('metrics.first_reply_seconds_sum') }} as first_reply_seconds_sum,
        cast(sum(metrics.first_reply_count) as bigint) as first_reply_count,
        {{ exact_sum('metrics.response_seconds_sum') }} as response_seconds_sum,
        cast(sum(metrics.response_count) as bigint) as response_count,
        {{ exact_sum('metrics.closing_delay_seconds_sum') }} as closing_delay_seconds_sum,
        cast(sum(metrics.closing_delay_count) as bigint) as closing_delay_count,
        cast(sum(metrics.messages_sent) as bigint) as messages_sent,
        cast(sum(metrics.messages_received) as bigint) as messages_received,
        cast(sum(metrics.csat_responses) as bigint) as csat_responses,
        cast(sum(metrics.csat_positive) as bigint) as csat_positive,
        cast(sum(metrics.transactions) as bigint) as transactions,
        cast(sum(metrics.revenue) as decimal(38, 4)) as revenue,
        min(metrics.smallest_currency) as smallest_currency,
        max(metrics.largest_currency) as largest_currency
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
    period_grain,
    period_start,
    dimension,
    dimension_value,
    source,
    -- A contact that is still open can change its figures.
    open > 0 as is_provisional,
    contacts,
    answered,
    unanswered,
    open,
    transferred_in,
    transferred_out,
    cast(transferred_out as double) / nullif(contacts, 0) as transfer_out_rate,
    snoozed,
    closed,
    timed_out,
    duration_seconds_sum,
    duration_count,
    cast(duration_seconds_sum as double) / nullif(duration_count, 0) as duration_mean_seconds,
    first_reply_seconds_sum,
    first_reply_count,
    cast(first_reply_seconds_sum as double) / nullif(first_reply_count, 0)
        as first_reply_mean_seconds,
    response_seconds_sum,
    response_count,
    cast(response_seconds_sum as double) / nullif(response_count, 0) as response_mean_seconds,
    closing_delay_seconds_sum,
    closing_delay_count,
    cast(closing_delay_seconds_sum as double) / nullif(closing_delay_count, 0)
        as closing_delay_mean_seconds,
    messages_sent,
    messages_received,
    csat_responses,
    csat_positive,
    cast(csat_positive as double) / nullif(csat_responses, 0) as csat_rate,
    transactions,
    -- Amounts in different currencies have no sum: the figure is null then, and so is the currency.
    case
        when smallest_currency = largest_currency or largest_currency is null then revenue
    end as revenue,
    case when smallest_currency = largest_currency then nullif(largest_currency, '') end as currency
from summed
order by
    dimension,
    period_grain,
    period_start,
    source nulls first,
    dimension_value nulls first
