{{ config(schema='marts') }}

-- One row per delivered contact with everything that is said of it, sorted as it is read: the
-- contacts of a conversation lie together. Beside the mart that shows it, and with its columns in
-- their order: so this table is what publishing hands out, without writing it again.
with contacts as (
    select * from {{ ref('int_contacts__facts') }}
    where not is_missing
),

transfers as (
    select * from {{ ref('int_contacts__transfers') }}
),

ratings as (
    select * from {{ ref('int_conversations__ratings') }}
),

credited_transactions as (
    select
        credited_contact_key as contact_key,
        count(*) as transaction_count,
        case
            when min(coalesce(currency, '')) = max(coalesce(currency, ''))
                then cast(sum(amount) as decimal(38, 4))
        end as transaction_amount,
        case
            when min(coalesce(currency, '')) = max(coalesce(currency, '')) then max(currency)
        end as currency
    from {{ ref('int_transactions__credited') }}
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
    contacts.group_id,
    contacts.visitor_id,
    contacts.project_id,
    contacts.channel,
    contacts.language,
    contacts.tags,
    contacts.conversation_ref,
    contacts.time_zone,
    contacts.started_at,
    {{ local_day('contacts.started_at', 'contacts.time_zone') }} as started_on,
    contacts.answered_at,
    contacts.ended_at,
    contacts.end_reason,
    contacts.ended_at is null as is_open,
    contacts.answered_at is not null as is_answered,
    coalesce(transfers.is_transferred_in, false) as is_transferred_in,
    coalesce(transfers.is_transferred_out, false) as is_transferred_out,
    contacts.previous_contact_id,
    contacts.next_contact_id,
    {{ elapsed_seconds('transfers.arrival_requested_at', 'contacts.started_at') }}
        as transfer_wait_seconds,
    {{ elapsed_seconds('contacts.started_at', 'contacts.ended_at') }} as duration_seconds,
    -- The clock starts at the visitor's first message in this contact; without one before the
    -- reply, at the start of the contact.
    {{ elapsed_seconds(
        'case when contacts.first_visitor_message_at <= contacts.answered_at '
        ~ 'then contacts.first_visitor_message_at else contacts.started_at end',
        'contacts.answered_at',
    ) }} as first_reply_seconds,
    contacts.response_seconds_sum,
    contacts.response_count,
    {{ elapsed_seconds('contacts.last_visitor_message_at', 'contacts.ended_at') }}
        as closing_delay_seconds,
    contacts.last_reply_at,
    contacts.messages_sent_count,
    contacts.messages_received_count,
    case when contacts.answered_at is not null then ratings.csat_score end as csat_score,
    case when contacts.answered_at is not null then ratings.nps_score end as nps_score,
    coalesce(credited_transactions.transaction_count, 0) as transaction_count,
    credited_transactions.transaction_amount,
    credited_transactions.currency,
    contacts.facts_source,
    loads.loaded_at as first_loaded_at,
    contacts.contact_key,
    contacts.conversation_key,
    contacts.previous_ended_at,
    contacts.is_alone,
    contacts.first_visitor_message_at,
    contacts.first_answer_at,
    contacts.messages_changed_load_no,
    contacts.first_load_no,
    contacts.changed_load_no
from contacts
inner join loads on contacts.first_load_no = loads.load_no
left join transfers on contacts.contact_key = transfers.contact_key
left join ratings on contacts.conversation_key = ratings.conversation_key
left join credited_transactions on contacts.contact_key = credited_transactions.contact_key
order by contacts.conversation_started_at, contacts.conversation_id, contacts.contact_no
