with agents as (
    select * from {{ source('raw', 'agents') }}
)

select
    -- ids, verbatim
    source,
    agent_id,
    nullif(group_id, '') as group_id,

    -- codes
    nullif({{ normalised_code('agent_kind') }}, '') as agent_kind_code,

    -- text
    nullif(display_name, '') as display_name,
    nullif(group_name, '') as group_name,

    -- times, some of them wall clock readings: local_times says which
    valid_from,
    updated_at,
    local_times,

    -- provenance
    row_id,
    load_no
from agents
