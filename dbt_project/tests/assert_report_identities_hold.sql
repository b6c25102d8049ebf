-- Catches a numerator that is larger than its denominator, and counts that do not add up to the
-- whole that they split. Conversion is left out: purchases may outnumber conversations.
select
    'statistical_report' as report,
    period_grain,
    period_start,
    dimension,
    source,
    dimension_value
from {{ ref('statistical_report') }}
where
    answered > conversations
    or answered_by_human > answered
    or transferred > conversations
    or transferred > transfers
    or bounced > conversations
    or bot_first > conversations
    or escalated > bot_first
    or fully_automated > conversations
    or contacts < conversations
    or csat_positive > csat_responses
    or nps_promoters + nps_detractors > nps_responses
    or converted > conversations
    or converted > transactions
    or first_reply_count + pickup_count > conversations

union all

select
    'contacts_report' as report,
    period_grain,
    period_start,
    dimension,
    source,
    dimension_value
from {{ ref('contacts_report') }}
where
    answered + unanswered <> contacts
    or snoozed + closed + timed_out + open > contacts
    or transferred_in > contacts
    or transferred_out > contacts
    or csat_positive > csat_responses
