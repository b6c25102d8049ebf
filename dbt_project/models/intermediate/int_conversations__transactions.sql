-- One row per conversation that a purchase names.
with transactions as (
    select * from {{ ref('int_transactions__credited') }}
)

select
    conversation_key,
    count(*) as transaction_count,
    sum(amount) as transaction_amount,
    count(distinct currency) as currency_count,
    max(currency) as currency,
    max(changed_load_no) as changed_load_no
from transactions
where conversation_key is not null
group by conversation_key
