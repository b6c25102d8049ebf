-- One row per starting day, dimension and value: the numerators and denominators of the contacts
-- report, which weeks, months, means and rates are made of.
--
-- Ids of projects, agents and groups mean something only inside their source, so those rows are per
-- source.
with measured as (
    select * from {{ ref('int_contacts__measured') }}
),

-- Grain: starting day, source, project, channel, agent, kind, group.
attributed as (
    select
        started_on,
        source,
        project_id,
        channel,
        agent_id,
        agent_kind,
        group_id,
        sum(contacts) as contacts,
        sum(answered) as answered,
        sum(unanswered) as unanswered,
        sum(open) as open,
        sum(transferred_in) as transferred_in,
        sum(transferred_out) as transferred_out,
        sum(snoozed) as snoozed,
        sum(closed) as closed,
        sum(timed_out) as timed_out,
        {{ exact_sum('duration_seconds_sum') }} as duration_seconds_sum,
        sum(duration_count) as duration_count,
        {{ exact_sum('first_reply_seconds_sum') }} as first_reply_seconds_sum,
        sum(first_reply_count) as first_reply_count,
        {{ exact_sum('response_seconds_sum') }} as response_seconds_sum,
        sum(response_count) as response_count,
        {{ exact_sum('closing_delay_seconds_sum') }} as closing_delay_seconds_sum,
        sum(closing_delay_count) as closing_delay_count,
        sum(messages_sent) as messages_sent,
        sum(messages_received) as messages_received,
        sum(csat_responses) as csat_responses,
        sum(csat_positive) as csat_positive,
        sum(transactions) as transactions,
        sum(revenue) as revenue,
        min(smallest_currency) as smallest_currency,
        max(largest_currency) as largest_currency
    from measured
    group by
        started_on,
        source,
        project_id,
        channel,
        agent_id,
        agent_kind,
        group_id
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
    select 'agent' as dimension
    union all
    select 'agent_kind' as dimension
    union all
    select 'group' as dimension
),

-- Grain: starting day, dimension, source, value; the attributes' combinations once per dimension.
by_dimension as (
    select
        attributed.started_on,
        dimensions.dimension,
        case
            when dimensions.dimension in ('source', 'project', 'agent', 'group')
                then attributed.source
        end as source,
        case dimensions.dimension
            when 'source' then attributed.source
            when 'project' then attributed.project_id
            when 'channel' then attributed.channel
            when 'agent' then attributed.agent_id
            when 'agent_kind' then attributed.agent_kind
            when 'group' then attributed.group_id
        end as dimension_value,
        attributed.contacts,
        attributed.answered,
        attributed.unanswered,
        attributed.open,
        attributed.transferred_in,
        attributed.transferred_out,
        attributed.snoozed,
        attributed.closed,
        attributed.timed_out,
        attributed.duration_seconds_sum,
        attributed.duration_count,
        attributed.first_reply_seconds_sum,
        attributed.first_reply_count,
        attributed.response_seconds_sum,
        attributed.response_count,
        attributed.closing_delay_seconds_sum,
        attributed.closing_delay_count,
        attributed.messages_sent,
        attributed.messages_received,
        attributed.csat_responses,
        attributed.csat_positive,
        attributed.transactions,
        attributed.revenue,
        attributed.smallest_currency,
        attributed.largest_currency
    from attributed
    cross join dimensions
)

select
    started_on,
    dimension,
    source,
    dimension_value,
    cast(sum(contacts) as bigint) as contacts,
    cast(sum(answered) as bigint) as answered,
    cast(sum(unanswered) as bigint) as unanswered,
    cast(sum(open) as bigint) as open,
    cast(sum(transferred_in) as bigint) as transferred_in,
    cast(sum(transferred_out) as bigint) as transferred_out,
    cast(sum(snoozed) as bigint) as snoozed,
    cast(sum(closed) as bigint) as closed,
    cast(sum(timed_out) as bigint) as timed_out,
    coalesce({{ exact_sum('duration_seconds_sum') }}, 0) as duration_seconds_sum,
    cast(sum(duration_count) as bigint) as duration_count,
    coalesce({{ exact_sum('first_reply_seconds_sum') }}, 0) as first_reply_seconds_sum,
    cast(sum(first_reply_count) as bigint) as first_reply_count,
    coalesce({{ exact_sum('response_seconds_sum') }}, 0) as response_seconds_sum,
    cast(sum(response_count) as bigint) as response_count,
    coalesce({{ exact_sum('closing_delay_seconds_sum') }}, 0) as closing_delay_seconds_sum,
    cast(sum(closing_delay_count) as bigint) as closing_delay_count,
    cast(sum(messages_sent) as bigint) as messages_sent,
    cast(sum(messages_received) as bigint) as messages_received,
    cast(sum(csat_responses) as bigint) as csat_responses,
    cast(sum(csat_positive) as bigint) as csat_positive,
    cast(sum(transactions) as bigint) as transactions,
    cast(coalesce(sum(revenue), 0) as decimal(38, 4)) as revenue,
    min(smallest_currency) as smallest_currency,
    max(largest_currency) as largest_currency
from by_dimension
group by
    started_on,
    dimension,
    source,
    dimension_value
order by
    dimension,
    started_on,
    source nulls first,
    dimension_value nulls first
