-- One row per contact: what it adds to each numerator and denominator of the contacts report. Bots
-- count as contacts and are left out of responsiveness: first reply, response, closing delay.
with contacts as (
    {{ with_kept(ref('contacts')) }}
)

select
    contact_id,
    source,
    project_id,
    channel,
    agent_id,
    agent_kind,
    group_id,
    started_on,
    1 as contacts,
    case when is_answered then 1 else 0 end as answered,
    case when is_answered then 0 else 1 end as unanswered,
    case when is_open then 1 else 0 end as open,
    case when is_transferred_in then 1 else 0 end as transferred_in,
    case when is_transferred_out then 1 else 0 end as transferred_out,
    case when end_reason = 'snooze' then 1 else 0 end as snoozed,
    case when end_reason = 'close' then 1 else 0 end as closed,
    case when end_reason = 'timeout' then 1 else 0 end as timed_out,
    duration_seconds as duration_seconds_sum,
    case when duration_seconds is not null then 1 else 0 end as duration_count,
    case when is_human then first_reply_seconds end as first_reply_seconds_sum,
    case when is_human and first_reply_seconds is not null then 1 else 0 end as first_reply_count,
    case when is_human then response_seconds_sum end as response_seconds_sum,
    case when is_human then response_count else 0 end as response_count,
    case when is_human then closing_delay_seconds end as closing_delay_seconds_sum,
    case when is_human and closing_delay_seconds is not null then 1 else 0 end
        as closing_delay_count,
    messages_sent_count as messages_sent,
    messages_received_count as messages_received,
    case when csat_score is not null then 1 else 0 end as csat_responses,
    case when is_csat_positive then 1 else 0 end as csat_positive,
    transaction_count as transactions,
    transaction_amount as revenue,
    smallest_currency,
    largest_currency
from contacts
