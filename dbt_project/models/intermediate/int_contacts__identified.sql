-- One row per contact, delivered or missing, that belongs to a conversation: what other logs look
-- up.
with contacts as (
    select * from {{ ref('int_contacts__current') }}
),

missing_contacts as (
    select * from {{ ref('int_contacts__missing') }}
),

assigned as (
    select * from {{ ref('int_contacts__assigned') }}
),

ordered as (
    select * from {{ ref('int_contacts__ordered') }}
)

select
    contacts.contact_key,
    contacts.source,
    contacts.contact_id,
    assigned.conversation_key,
    assigned.conversation_id,
    -- A contact that stands alone is in no order: it is the first and the only one.
    coalesce(ordered.conversation_started_at, contacts.started_at) as conversation_started_at,
    coalesce(ordered.contact_no, 1) as contact_no,
    contacts.agent_id,
    contacts.agent_kind,
    false as is_missing
from contacts
inner join assigned on contacts.contact_key = assigned.contact_key
left join ordered on contacts.contact_key = ordered.contact_key

union all

select
    missing_contacts.contact_key,
    missing_contacts.source,
    missing_contacts.contact_id,
    assigned.conversation_key,
    assigned.conversation_id,
    anchors.conversation_started_at,
    cast(null as bigint) as contact_no,
    cast(null as {{ dbt.type_string() }}) as agent_id,
    cast(null as {{ dbt.type_string() }}) as agent_kind,
    true as is_missing
from missing_contacts
inner join assigned on missing_contacts.contact_key = assigned.contact_key
-- A conversation's key is that of its anchor, a delivered contact.
left join ordered as anchors on assigned.conversation_key = anchors.contact_key
