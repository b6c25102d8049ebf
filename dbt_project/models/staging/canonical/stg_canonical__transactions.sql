with transactions as (
    select * from {{ source('raw', 'transactions') }}
)

select
    -- ids, verbatim
    source,
    transaction_id,
    nullif(contact_id, '') as contact_id,
    nullif(visitor_id, '') as visitor_id,

    -- amounts
    amount,
    upper(nullif(trim(currency), '')) as currency,

    -- times, some of them wall clock readings: local_times says which
    occurred_at,
    local_times,

    -- provenance
    row_id,
    load_no
from transactions
