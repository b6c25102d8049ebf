{{ config(materialized='view') }}

-- One row per contact, delivered or missing, that belongs to a conversation: its current version
-- and its place in the conversation. A contact that stands alone is its own conversation, and the
-- first and only contact of it.
with contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
),

missing_contacts as (
    select * from {{ ref('int_contacts__inferred') }}
),

anchored as (
    select * from {{ ref('int_contacts__anchored') }}
),

ordered as (
    select * from {{ ref('int_contacts__ordered') }}
)

select
    contacts.contact_key,
    contacts.source,
    contacts.contact_id,
    contacts.agent_id,
    contacts.agent_kind,
    contacts.group_id,
    contacts.visitor_id,
    contacts.project_id,
    contacts.channel,
    contacts.language,
    contacts.tags,
    contacts.extra,
    contacts.conversation_ref,
    contacts.started_at,
    contacts.answered_at,
    contacts.ended_at,
    contacts.end_reason,
    contacts.time_zone,
    contacts.currency,
    contacts.first_load_no,
    contacts.changed_load_no,
    coalesce(ordered.conversation_key, contacts.contact_key) as conversation_key,
    coalesce(ordered.conversation_id, concat(contacts.source, ':', contacts.contact_id))
        as conversation_id,
    coalesce(ordered.conversation_started_at, contacts.started_at) as conversation_started_at,
    coalesce(ordered.contact_no, 1) as contact_no,
    ordered.contact_key is null as is_alone,
    ordered.previous_contact_id,
    ordered.next_contact_id,
    ordered.previous_ended_at,
    false as is_missing
from contacts
left join ordered on contacts.contact_key = ordered.contact_key

union all

select
    missing_contacts.contact_key,
    missing_contacts.source,
    missing_contacts.contact_id,
    cast(null as {{ dbt.type_string() }}) as agent_id,
    cast(null as {{ dbt.type_string() }}) as agent_kind,
    cast(null as {{ dbt.type_string() }}) as group_id,
    cast(null as {{ dbt.type_string() }}) as visitor_id,
    cast(null as {{ dbt.type_string() }}) as project_id,
    cast(null as {{ dbt.type_string() }}) as channel,
    cast(null as {{ dbt.type_string() }}) as language,
    cast(null as {{ dbt.type_string() }}) as tags,
    cast(null as {{ dbt.type_string() }}) as extra,
    cast(null as {{ dbt.type_string() }}) as conversation_ref,
    cast(null as timestamp) as started_at,
    cast(null as timestamp) as answered_at,
    cast(null as timestamp) as ended_at,
    cast(null as {{ dbt.type_string() }}) as end_reason,
    cast(null as {{ dbt.type_string() }}) as time_zone,
    cast(null as {{ dbt.type_string() }}) as currency,
    cast(null as bigint) as first_load_no,
    cast(null as bigint) as changed_load_no,
    anchored.conversation_key,
    anchored.conversation_id,
    anchors.conversation_started_at,
    cast(null as bigint) as contact_no,
    false as is_alone,
    cast(null as {{ dbt.type_string() }}) as previous_contact_id,
    cast(null as {{ dbt.type_string() }}) as next_contact_id,
    cast(null as timestamp) as previous_ended_at,
    true as is_missing
from missing_contacts
inner join anchored on missing_contacts.contact_key = anchored.contact_key
-- A conversation's key is that of its anchor, a delivered contact.
left join ordered as anchors on anchored.conversation_key = anchors.contact_key
