-- Catches a conversation that waits and is closed at the same time, or while a contact of it is
-- still with somebody: it would stand under two causes of the reconciliation.
with conversations as (
    select * from {{ ref('conversations') }}
),

contacts as (
    select * from {{ ref('contacts') }}
)

select
    conversations.conversation_id,
    conversations.closed_at,
    count(case when contacts.is_open then 1 end) as open_contacts
from conversations
inner join contacts on conversations.conversation_id = contacts.conversation_id
where conversations.is_waiting
group by
    conversations.conversation_id,
    conversations.closed_at
having
    conversations.closed_at is not null
    or count(case when contacts.is_open then 1 end) > 0
