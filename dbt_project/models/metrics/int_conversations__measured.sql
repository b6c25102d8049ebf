{{ config(materialized='view', access='private', contract={'enforced': false}) }}

-- One row per closed conversation: what it adds to each numerator and denominator of the
-- statistical report. The one place that turns a conversation's attributes into counts.
with conversations as (
    select * from {{ ref('conversations') }}
    where is_closed
)

select
    conversation_id,
    source,
    project_id,
    channel,
    automation_level,
    first_agent_id,
    first_group_id,
    closed_on,
    -- Whether amounts have a sum shows in these two: they differ where currencies do. An unknown
    -- currency is one of its own, and several in one row differ from themselves.
    case
        when transaction_count = 0 then null
        when transaction_amount is null then ''
        else coalesce(currency, '')
    end as smallest_currency,
    case
        when transaction_count = 0 then null
        when transaction_amount is null then '~'
        else coalesce(currency, '')
    end as largest_currency,
    first_reply_seconds,
    resolution_seconds,
    1 as conversations,
    case when is_answered then 1 else 0 end as answered,
    case when is_answered_by_human then 1 else 0 end as answered_by_human,
    contact_count as contacts,
    case when is_transferred then 1 else 0 end as transferred,
    transfer_count as transfers,
    case when is_bounced then 1 else 0 end as bounced,
    case when is_bot_first then 1 else 0 end as bot_first,
    -- Over the conversations that a bot opened: one that a person began may pass through a bot too.
    case when is_bot_first and is_escalated then 1 else 0 end as escalated,
    case when automation_level = 'fully_automated' then 1 else 0 end as fully_automated,
    handle_seconds as handle_seconds_sum,
    case when handle_seconds is not null then 1 else 0 end as handle_count,
    case when csat_score is not null then 1 else 0 end as csat_responses,
    case when csat_score >= 4 then 1 else 0 end as csat_positive,
    csat_score as csat_score_sum,
    case when nps_score is not null then 1 else 0 end as nps_responses,
    case when nps_score >= 9 then 1 else 0 end as nps_promoters,
    case when nps_score <= 6 then 1 else 0 end as nps_detractors,
    transaction_count as transactions,
    case when transaction_count > 0 then 1 else 0 end as converted,
    transaction_amount as revenue
from conversations
