-- One row per conversation in which a transfer was requested.
with transfers as (
    select * from {{ ref('transfers') }}
)

select
    conversation_key,
    count(*) as transfer_request_count,
    count(case when is_completed then 1 end) as transfer_count,
    max(changed_load_no) as changed_load_no
from transfers
where conversation_key is not null
group by conversation_key
