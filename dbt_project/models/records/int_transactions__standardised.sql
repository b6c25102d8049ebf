{{ config(materialized='view') }}

-- One row per version of a transaction, its time in UTC, and its references null where they say in
-- words that there is none.
with transactions as (
    select * from {{ ref('stg_canonical__transactions') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

placeholders as (
    select * from {{ ref('int_placeholders__applied') }}
)

select
    transactions.source,
    transactions.transaction_id,
    case when no_contacts.word is null then transactions.contact_id end as contact_id,
    case when no_visitors.word is null then transactions.visitor_id end as visitor_id,
    transactions.amount,
    transactions.currency,
    {{ as_utc('transactions.occurred_at', 1, 'sources.time_zone') }} as occurred_at,
    transactions.row_id,
    transactions.load_no
from transactions
left join sources on transactions.source = sources.source
left join placeholders as no_contacts
    on
        transactions.source = no_contacts.source
        and transactions.contact_id = no_contacts.word
left join placeholders as no_visitors
    on
        transactions.source = no_visitors.source
        and transactions.visitor_id = no_visitors.word
