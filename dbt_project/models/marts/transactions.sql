{{ config(materialized='view') }}

-- One row per transaction. A view: the credited transactions already lie in this order.
with transactions as (
    select * from {{ ref('int_transactions__credited') }}
)

select
    transaction_id,
    source,
    conversation_id,
    conversation_started_at,
    contact_id,
    visitor_id,
    occurred_at,
    amount,
    currency,
    credited_contact_id,
    credited_agent_id
from transactions
