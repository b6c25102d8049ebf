-- One row per conversation that a purchase or a refund names.
with transactions as (
    select * from {{ ref('transactions') }}
)

select
    conversation_key,
    {{ sales() }},
    max(changed_load_no) as changed_load_no
from transactions
where conversation_key is not null
group by conversation_key
