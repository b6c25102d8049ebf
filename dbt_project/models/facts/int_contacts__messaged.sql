-- One row per contact, delivered or missing, that has messages: who spoke, and how long replies
-- took. A private note is kept, and is neither sent nor received.
--
-- A response is a reply that follows the visitor's turn in the same contact; it took as long as
-- from the first message of that turn. Turns alternate, so the sum of all responses is the sum of
-- the times of the responses less the sum of the times at which visitors' turns began, leaving out
-- a last turn that nobody answered: one window over the messages instead of two.
with messages as (
    select
        contact_key,
        case when is_private then null else author_kind end as author_kind,
        side,
        -- What lies outside its contact was said, and no duration is taken from it.
        case when not is_timed then null else side end as timed_side,
        is_timed,
        sent_at,
        message_no,
        visitor_has_spoken,
        changed_load_no
    from {{ ref('messages') }}
),

with_previous as (
    select
        contact_key,
        author_kind,
        side,
        timed_side,
        is_timed,
        sent_at,
        visitor_has_spoken,
        changed_load_no,
        {{ previous_known('timed_side', '(partition by contact_key order by message_no)') }}
            as previous_side
    from messages
    where contact_key is not null
),

aggregated as (
    select
        contact_key,
        count(*) as message_count,
        count(case when author_kind in ('agent', 'bot') then 1 end) as messages_sent_count,
        count(case when author_kind = 'visitor' then 1 end) as messages_received_count,
        count(case when side = 'reply' then 1 end) as reply_count,
        count(case when not is_timed then 1 end) as outside_message_count,
        min(case when timed_side = 'visitor' then sent_at end) as first_visitor_message_at,
        max(case when timed_side = 'visitor' then sent_at end) as last_visitor_message_at,
        min(case when timed_side = 'reply' then sent_at end) as first_reply_at,
        max(case when timed_side = 'reply' then sent_at end) as last_reply_at,
        max(case when author_kind in ('visitor', 'agent', 'bot') then sent_at end)
            as last_message_at,
        min(case when timed_side = 'reply' and visitor_has_spoken then sent_at end)
            as first_answer_at,
        count(case when timed_side = 'reply' and previous_side = 'visitor' then 1 end)
            as response_count,
        sum(
            case
                when timed_side = 'reply' and previous_side = 'visitor'
                    then {{ epoch_microseconds('sent_at') }}
            end
        ) as responses_epoch_sum,
        count(
            case
                when timed_side = 'visitor' and coalesce(previous_side, 'reply') = 'reply' then 1
            end
        ) as visitor_turn_count,
        sum(
            case
                when timed_side = 'visitor' and coalesce(previous_side, 'reply') = 'reply'
                    then {{ epoch_microseconds('sent_at') }}
            end
        ) as visitor_turns_epoch_sum,
        max(
            case
                when timed_side = 'visitor' and coalesce(previous_side, 'reply') = 'reply'
                    then {{ epoch_microseconds('sent_at') }}
            end
        ) as last_visitor_turn_epoch,
        max(changed_load_no) as changed_load_no
    from with_previous
    group by contact_key
)

select
    contact_key,
    message_count,
    messages_sent_count,
    messages_received_count,
    reply_count,
    outside_message_count,
    first_visitor_message_at,
    last_visitor_message_at,
    first_reply_at,
    last_reply_at,
    last_message_at,
    first_answer_at,
    response_count,
    case
        when response_count > 0
            then
                cast(
                    responses_epoch_sum
                    - visitor_turns_epoch_sum
                    + case
                        when visitor_turn_count > response_count then last_visitor_turn_epoch else 0
                    end
                    as double
                ) / 1000000
    end as response_seconds_sum,
    changed_load_no
from aggregated
