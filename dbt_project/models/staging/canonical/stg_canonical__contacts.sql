with contacts as (
    select * from {{ source('raw', 'contacts') }}
)

select
    -- ids, verbatim
    source,
    contact_id,
    nullif(agent_id, '') as agent_id,
    nullif(visitor_id, '') as visitor_id,
    nullif(project_id, '') as project_id,
    nullif(group_id, '') as group_id,
    nullif(conversation_ref, '') as conversation_ref,
    nullif(previous_contact_id, '') as previous_contact_id,

    -- codes
    nullif({{ normalised_code('agent_kind') }}, '') as agent_kind_code,
    nullif({{ normalised_code('end_reason') }}, '') as end_reason_code,
    nullif({{ normalised_code('channel') }}, '') as channel,

    -- text
    nullif(language, '') as language,
    nullif(tags, '') as tags,
    extra,

    -- times, some of them wall clock readings: local_times says which
    started_at,
    answered_at,
    ended_at,
    updated_at,
    local_times,

    -- provenance
    row_id,
    load_no
from contacts
