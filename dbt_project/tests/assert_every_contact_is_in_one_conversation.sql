-- Catches a conversation that counts contacts which the contacts mart does not give it, in number
-- or in order: contact_no must run from 1 to contact_count without a gap. No two contacts of a
-- conversation have the same number (a unique_key of the mart), so it does when no number is larger
-- than the count and there are as many contacts as are counted.
with contacts as (
    select * from {{ ref('contacts') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

outside as (
    select
        contacts.source,
        contacts.conversation_id,
        contacts.contact_id,
        contacts.contact_no as found,
        conversations.contact_count as counted
    from contacts
    left join conversations on contacts.conversation_id = conversations.conversation_id
    where
        conversations.conversation_id is null
        or contacts.contact_no < 1
        or contacts.contact_no > conversations.contact_count
),

found_contacts as (
    select count(*) as contact_count
    from contacts
),

counted_contacts as (
    select coalesce(sum(contact_count), 0) as contact_count
    from conversations
)

select
    source,
    conversation_id,
    contact_id,
    found,
    counted
from outside

union all

select
    cast(null as {{ dbt.type_string() }}) as source,
    cast(null as {{ dbt.type_string() }}) as conversation_id,
    cast(null as {{ dbt.type_string() }}) as contact_id,
    found_contacts.contact_count as found,
    counted_contacts.contact_count as counted
from found_contacts
cross join counted_contacts
where found_contacts.contact_count <> counted_contacts.contact_count
