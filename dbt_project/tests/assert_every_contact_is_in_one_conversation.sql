-- Catches a conversation that counts contacts which the contacts mart does not give it, in number
-- or in order: contact_no must run from 1 to contact_count without a gap.
with contacts as (
    select
        conversation_id,
        count(*) as contact_count,
        min(contact_no) as smallest_no,
        max(contact_no) as largest_no,
        count(distinct contact_no) as distinct_no_count
    from {{ ref('contacts') }}
    group by conversation_id
),

conversations as (
    select
        conversation_id,
        contact_count
    from {{ ref('conversations') }}
)

select
    coalesce(contacts.conversation_id, conversations.conversation_id) as conversation_id,
    conversations.contact_count as counted,
    contacts.contact_count as found,
    contacts.smallest_no,
    contacts.largest_no
from contacts
full outer join conversations on contacts.conversation_id = conversations.conversation_id
where
    contacts.contact_count is distinct from conversations.contact_count
    or contacts.smallest_no <> 1
    or contacts.largest_no <> contacts.contact_count
    or contacts.distinct_no_count <> contacts.contact_count
