{{ config(materialized='view') }}

-- One row per version of a contact, its times in UTC, and its references null where they say in
-- words that there is none.
with contacts as (
    select * from {{ ref('stg_canonical__contacts') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

placeholders as (
    select * from {{ ref('int_placeholders__applied') }}
)

select
    contacts.source,
    contacts.contact_id,
    contacts.agent_id,
    case when no_visitors.word is null then contacts.visitor_id end as visitor_id,
    contacts.project_id,
    contacts.group_id,
    case when no_references.word is null then contacts.conversation_ref end as conversation_ref,
    case when no_contacts.word is null then contacts.previous_contact_id end as previous_contact_id,
    contacts.agent_kind_code,
    contacts.end_reason_code,
    contacts.channel,
    contacts.language,
    contacts.tags,
    contacts.extra,
    {{ as_utc('contacts.started_at', 1, 'sources.time_zone') }} as started_at,
    {{ as_utc('contacts.answered_at', 2, 'sources.time_zone') }} as answered_at,
    {{ as_utc('contacts.ended_at', 4, 'sources.time_zone') }} as ended_at,
    {{ as_utc('contacts.updated_at', 8, 'sources.time_zone') }} as updated_at,
    contacts.row_id,
    contacts.load_no
from contacts
left join sources on contacts.source = sources.source
left join placeholders as no_visitors
    on
        contacts.source = no_visitors.source
        and contacts.visitor_id = no_visitors.word
left join placeholders as no_references
    on
        contacts.source = no_references.source
        and contacts.conversation_ref = no_references.word
left join placeholders as no_contacts
    on
        contacts.source = no_contacts.source
        and contacts.previous_contact_id = no_contacts.word
