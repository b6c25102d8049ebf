{{ config(materialized='view') }}

-- One row per version of an agent's record, its times in UTC.
with agents as (
    select * from {{ ref('stg_canonical__agents') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
)

select
    agents.source,
    agents.agent_id,
    agents.agent_kind_code,
    agents.display_name,
    agents.group_id,
    agents.group_name,
    {{ as_utc('agents.valid_from', 1, 'sources.time_zone') }} as valid_from,
    {{ as_utc('agents.updated_at', 2, 'sources.time_zone') }} as updated_at,
    agents.row_id,
    agents.load_no
from agents
left join sources on agents.source = sources.source
