{{ config(severity='warn', fail_calc='coalesce(sum(record_count), 0)') }}

-- Shows how many transfers, messages, ratings and transactions of a source are about contacts that
-- no log has delivered and no link joins to one: of a transfer neither end is known. They are kept
-- in their marts without a conversation; they find it when the contact arrives.
with lost as (
    select
        'transfers' as mart,
        source,
        from_contact_id as contact_id
    from {{ ref('transfers') }}
    where conversation_id is null

    union all

    select
        'messages' as mart,
        source,
        contact_id
    from {{ ref('messages') }}
    where conversation_id is null

    union all

    select
        'ratings' as mart,
        source,
        contact_id
    from {{ ref('ratings') }}
    where conversation_id is null

    union all

    select
        'transactions' as mart,
        source,
        contact_id
    from {{ ref('transactions') }}
    where conversation_id is null and contact_id is not null
)

select
    mart,
    source,
    count(*) as record_count,
    count(distinct contact_id) as contact_count,
    min(contact_id) as example_contact_id
from lost
group by mart, source
