-- One row per transaction.
with transactions as (
    select * from {{ ref('int_transactions__credited') }}
),

contacts as (
    select
        contact_key,
        contact_id,
        agent_id
    from {{ ref('int_contacts__identified') }}
)

select
    transactions.transaction_id,
    transactions.source,
    transactions.conversation_id,
    transactions.conversation_started_at,
    transactions.contact_id,
    transactions.visitor_id,
    transactions.occurred_at,
    transactions.amount,
    transactions.currency,
    contacts.contact_id as credited_contact_id,
    contacts.agent_id as credited_agent_id
from transactions
left join contacts on transactions.credited_contact_key = contacts.contact_key
order by
    transactions.conversation_started_at nulls last,
    transactions.conversation_id nulls last,
    transactions.source,
    transactions.occurred_at,
    transactions.transaction_id
