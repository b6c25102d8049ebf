-- One row per closing day, dimension and value: the numerators and denominators of the statistical
-- report, which weeks, months and rates are made of. Percentiles do not add up and are not here.
--
-- An agent or a group counts each conversation that it took part in; those rows do not add up to
-- the whole. Ids of projects, agents and groups mean something only inside their source, so those
-- rows are per source.
with measured as (
    select * from {{ ref('int_conversations__measured') }}
),

participations as (
    select * from {{ ref('int_conversations__participations') }}
),

-- Grain: closing day, source, project, channel, automation level, and of conversations of one
-- contact its agent and group.
attributed as (
    select
        measured.closed_on,
        measured.source,
        measured.project_id,
        measured.channel,
        measured.automation_level,
        case when measured.contacts = 1 then measured.first_agent_id end as only_agent_id,
        case when measured.contacts = 1 then measured.first_group_id end as only_group_id,
        sum(measured.conversations) as conversations,
        sum(measured.answered) as answered,
        sum(measured.answered_by_human) as answered_by_human,
        sum(measured.contacts) as contacts,
        sum(measured.transferred) as transferred,
        sum(measured.transfers) as transfers,
        sum(measured.bounced) as bounced,
        sum(measured.bot_first) as bot_first,
        sum(measured.escalated) as escalated,
        sum(measured.fully_automated) as fully_automated,
        {{ exact_sum('measured.handle_seconds_sum') }} as handle_seconds_sum,
        sum(measured.handle_count) as handle_count,
        sum(measured.csat_responses) as csat_responses,
        sum(measured.csat_positive) as csat_positive,
        {{ exact_sum('measured.csat_score_sum') }} as csat_score_sum,
        sum(measured.nps_responses) as nps_responses,
        sum(measured.nps_promoters) as nps_promoters,
        sum(measured.nps_detractors) as nps_detractors,
        sum(measured.transactions) as transactions,
        sum(measured.converted) as converted,
        sum(measured.revenue) as revenue,
        min(measured.smallest_currency) as smallest_currency,
        max(measured.largest_currency) as largest_currency
    from measured
    group by
        measured.closed_on,
        measured.source,
        measured.project_id,
        measured.channel,
        measured.automation_level,
        case when measured.contacts = 1 then measured.first_agent_id end,
        case when measured.contacts = 1 then measured.first_group_id end
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
    union all
    select 'agent' as dimension
    union all
    select 'group' as dimension
),

-- Grain: closing day, dimension, source, value; the attributes' combinations once per dimension.
by_attribute as (
    select
        attributed.closed_on,
        dimensions.dimension,
        case
            when dimensions.dimension in ('source', 'project', 'agent', 'group')
                then attributed.source
        end as source,
        case dimensions.dimension
            when 'source' then attributed.source
            when 'project' then attributed.project_id
            when 'channel' then attributed.channel
            when 'automation_level' then attributed.automation_level
            when 'agent' then attributed.only_agent_id
            when 'group' then attributed.only_group_id
        end as dimension_value,
        attributed.conversations,
        attributed.answered,
        attributed.answered_by_human,
        attributed.contacts,
        attributed.transferred,
        attributed.transfers,
        attributed.bounced,
        attributed.bot_first,
        attributed.escalated,
        attributed.fully_automated,
        attributed.handle_seconds_sum,
        attributed.handle_count,
        attributed.csat_responses,
        attributed.csat_positive,
        attributed.csat_score_sum,
        attributed.nps_responses,
        attributed.nps_promoters,
        attributed.nps_detractors,
        attributed.transactions,
        attributed.converted,
        attributed.revenue,
        attributed.smallest_currency,
        attributed.largest_currency
    from attributed
    cross join dimensions
    where
        dimensions.dimension not in ('agent', 'group')
        or (dimensions.dimension = 'agent' and attributed.only_agent_id is not null)
        or (dimensions.dimension = 'group' and attributed.only_group_id is not null)
),

by_participant as (
    select
        participations.closed_on,
        participations.dimension,
        participations.source,
        participations.dimension_value,
        measured.conversations,
        measured.answered,
        measured.answered_by_human,
        measured.contacts,
        measured.transferred,
        measured.transfers,
        measured.bounced,
        measured.bot_first,
        measured.escalated,
        measured.fully_automated,
        measured.handle_seconds_sum,
        measured.handle_count,
        measured.csat_responses,
        measured.csat_positive,
        measured.csat_score_sum,
        measured.nps_responses,
        measured.nps_promoters,
        measured.nps_detractors,
        measured.transactions,
        measured.converted,
        measured.revenue,
        measured.smallest_currency,
        measured.largest_currency
    from participations
    inner join measured on participations.conversation_id = measured.conversation_id
    where measured.contacts > 1
),

unioned as (
    select * from by_attribute
    union all
    select * from by_participant
)

select
    closed_on,
    dimension,
    source,
    dimension_value,
    cast(sum(conversations) as bigint) as conversations,
    cast(sum(answered) as bigint) as answered,
    cast(sum(answered_by_human) as bigint) as answered_by_human,
    cast(sum(contacts) as bigint) as contacts,
    cast(sum(transferred) as bigint) as transferred,
    cast(sum(transfers) as bigint) as transfers,
    cast(sum(bounced) as bigint) as bounced,
    cast(sum(bot_first) as bigint) as bot_first,
    cast(sum(escalated) as bigint) as escalated,
    cast(sum(fully_automated) as bigint) as fully_automated,
    coalesce({{ exact_sum('handle_seconds_sum') }}, 0) as handle_seconds_sum,
    cast(sum(handle_count) as bigint) as handle_count,
    cast(sum(csat_responses) as bigint) as csat_responses,
    cast(sum(csat_positive) as bigint) as csat_positive,
    coalesce({{ exact_sum('csat_score_sum') }}, 0) as csat_score_sum,
    cast(sum(nps_responses) as bigint) as nps_responses,
    cast(sum(nps_promoters) as bigint) as nps_promoters,
    cast(sum(nps_detractors) as bigint) as nps_detractors,
    cast(sum(transactions) as bigint) as transactions,
    cast(sum(converted) as bigint) as converted,
    cast(coalesce(sum(revenue), 0) as decimal(38, 4)) as revenue,
    min(smallest_currency) as smallest_currency,
    max(largest_currency) as largest_currency
from unioned
group by
    closed_on,
    dimension,
    source,
    dimension_value
order by
    dimension,
    closed_on,
    source nulls first,
    dimension_value nulls first
