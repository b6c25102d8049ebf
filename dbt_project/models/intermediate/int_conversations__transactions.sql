-- One row per conversation that a purchase names. Amounts in different
-- currencies, of which an unknown one is one, have no sum.
with transactions as (
    select * from {{ ref('int_transactions__credited') }}
)

select
    conversation_key,
    count(*) as transaction_count,
    case
        when min(coalesce(currency, '')) = max(coalesce(currency, ''))
            then cast(sum(amount) as decimal(38, 4))
    end as transaction_amount,
    case
        when min(coalesce(currency, '')) = max(coalesce(currency, '')) then max(currency)
    end as currency,
    max(changed_load_no) as changed_load_no
from transactions
where conversation_key is not null
group by conversation_key
