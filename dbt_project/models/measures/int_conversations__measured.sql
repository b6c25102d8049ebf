-- One row per closed conversation: what it adds to each numerator and denominator of the
-- statistical report. The one place that turns a conversation's attributes into counts.
with conversations as (
    {{ with_kept(ref('conversations')) }}
)

select
    conversation_id,
    source,
    project_id,
    channel,
    automation_level,
    -- Of conversations of several contacts, int_conversations__staffed says who took part.
    case when contact_count = 1 then first_agent_id end as only_agent_id,
    case when contact_count = 1 then first_group_id end as only_group_id,
    closed_on,
    smallest_currency,
    largest_currency,
    first_reply_seconds,
    pickup_seconds,
    resolution_seconds,
    1 as conversations,
    case when is_answered then 1 else 0 end as answered,
    case when is_answered_by_human then 1 else 0 end as answered_by_human,
    contact_count as contacts,
    case when is_transferred then 1 else 0 end as transferred,
    transfer_count as transfers,
    case when is_bounced then 1 else 0 end as bounced,
    case when is_bot_first then 1 else 0 end as bot_first,
    case when is_escalated_from_bot then 1 else 0 end as escalated,
    case when automation_level = 'fully_automated' then 1 else 0 end as fully_automated,
    handle_seconds as handle_seconds_sum,
    case when handle_seconds is not null then 1 else 0 end as handle_count,
    case when csat_score is not null then 1 else 0 end as csat_responses,
    case when is_csat_positive then 1 else 0 end as csat_positive,
    csat_score as csat_score_sum,
    case when nps_score is not null then 1 else 0 end as nps_responses,
    case when nps_class = 'promoter' then 1 else 0 end as nps_promoters,
    case when nps_class = 'detractor' then 1 else 0 end as nps_detractors,
    transaction_count as transactions,
    refund_count as refunds,
    case when is_converted then 1 else 0 end as converted,
    transaction_amount as revenue
from conversations
where is_closed
