-- One row per delivered contact with everything that is said of it, sorted as it is read: the
-- contacts of a conversation lie together.
with contacts as (
    select * from {{ ref('int_contacts__observed') }}
    where not is_missing
),

transfers as (
    select * from {{ ref('int_contacts__transferred') }}
),

ratings as (
    select * from {{ ref('int_conversations__rated') }}
),

credited_transactions as (
    select
        credited_contact_key as contact_key,
        {{ sales() }}
    from {{ ref('transactions') }}
    where credited_contact_key is not null
    group by credited_contact_key
),

loads as (
    select * from {{ ref('stg_canonical__loads') }}
)

select
    contacts.contact_id,
    contacts.source,
    contacts.conversation_id,
    contacts.conversation_started_at,
    contacts.contact_no,
    contacts.agent_id,
    contacts.agent_kind,
    {{ is_human('contacts.agent_kind') }} as is_human,
    contacts.group_id,
    contacts.visitor_id,
    contacts.project_id,
    contacts.channel,
    contacts.language,
    {{ list_from_json('contacts.tags') }} as tags,
    contacts.extra,
    contacts.conversation_ref,
    contacts.time_zone,
    contacts.started_at,
    {{ local_day('contacts.started_at', 'contacts.time_zone') }} as started_on,
    contacts.answered_at,
    contacts.ended_at,
    -- What has no end has no reason of one, whatever its source says already.
    case when contacts.ended_at is not null then contacts.end_reason end as end_reason,
    contacts.ended_at is null as is_open,
    contacts.is_answered,
    coalesce(transfers.is_transferred_in, false) as is_transferred_in,
    coalesce(transfers.is_transferred_out, false) as is_transferred_out,
    contacts.previous_contact_id,
    contacts.next_contact_id,
    {{ elapsed_seconds('transfers.arrival_requested_at', 'contacts.started_at') }}
        as transfer_wait_seconds,
    {{ elapsed_seconds('contacts.started_at', 'contacts.ended_at') }} as duration_seconds,
    -- A greeting, before the visitor wrote anything, answers nobody. The clock starts at the
    -- visitor's first message in this contact; without one before the reply, at the start of the
    -- contact.
    case
        when contacts.first_answer_at is not null or contacts.messages_received_count = 0
            then
                {{ elapsed_seconds(
                    'case when contacts.first_visitor_message_at <= contacts.first_answer_at '
                    ~ 'then contacts.first_visitor_message_at else contacts.started_at end',
                    'coalesce(contacts.first_answer_at, contacts.answered_at)',
                ) }}
    end as first_reply_seconds,
    contacts.response_seconds_sum,
    contacts.response_count,
    {{ elapsed_seconds('contacts.last_visitor_message_at', 'contacts.ended_at') }}
        as closing_delay_seconds,
    contacts.last_reply_at,
    contacts.messages_sent_count,
    contacts.messages_received_count,
    case when contacts.is_answered then ratings.csat_score end as csat_score,
    case when contacts.is_answered then ratings.nps_score end as nps_score,
    case when contacts.is_answered then ratings.is_csat_positive end as is_csat_positive,
    coalesce(credited_transactions.transaction_count, 0) as transaction_count,
    coalesce(credited_transactions.refund_count, 0) as refund_count,
    credited_transactions.transaction_amount,
    credited_transactions.currency,
    coalesce(credited_transactions.is_converted, false) as is_converted,
    credited_transactions.smallest_currency,
    credited_transactions.largest_currency,
    contacts.facts_source,
    loads.loaded_at as first_loaded_at,
    contacts.contact_key,
    contacts.conversation_key,
    contacts.previous_ended_at,
    contacts.is_alone,
    contacts.first_visitor_message_at,
    contacts.first_answer_at,
    contacts.messages_changed_load_no,
    transfers.pending_requested_at,
    contacts.last_message_at,
    contacts.first_load_no,
    contacts.changed_load_no
from contacts
inner join loads on contacts.first_load_no = loads.load_no
left join transfers on contacts.contact_key = transfers.contact_key
left join ratings on contacts.conversation_key = ratings.conversation_key
left join credited_transactions on contacts.contact_key = credited_transactions.contact_key
{{ laid_out_by() }}
