{{ config(materialized='view') }}

-- One row per version of a contact, its times in UTC.
with contacts as (
    select * from {{ ref('stg_canonical__contacts') }}
),

sources as (
    select * from {{ ref('sources') }}
)

select
    contacts.source,
    contacts.contact_id,
    contacts.agent_id,
    contacts.visitor_id,
    contacts.project_id,
    contacts.group_id,
    contacts.conversation_ref,
    contacts.previous_contact_id,
    contacts.agent_kind_code,
    contacts.end_reason_code,
    contacts.channel,
    contacts.language,
    contacts.tags,
    {{ as_utc('contacts.started_at', 1, 'sources.time_zone') }} as started_at,
    {{ as_utc('contacts.answered_at', 2, 'sources.time_zone') }} as answered_at,
    {{ as_utc('contacts.ended_at', 4, 'sources.time_zone') }} as ended_at,
    {{ as_utc('contacts.updated_at', 8, 'sources.time_zone') }} as updated_at,
    contacts.row_id,
    contacts.load_no
from contacts
left join sources on contacts.source = sources.source
