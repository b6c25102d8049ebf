{{ config(severity='warn') }}

-- Shows records of contacts that no log has delivered and no link names. They are kept in their
-- marts without a conversation; they find it when the contact arrives.
select
    'messages' as mart,
    source,
    contact_id,
    count(*) as record_count
from {{ ref('messages') }}
where conversation_id is null
group by source, contact_id

union all

select
    'ratings' as mart,
    source,
    contact_id,
    count(*) as record_count
from {{ ref('ratings') }}
where conversation_id is null
group by source, contact_id

union all

select
    'transactions' as mart,
    source,
    contact_id,
    count(*) as record_count
from {{ ref('transactions') }}
where conversation_id is null and contact_id is not null
group by source, contact_id
