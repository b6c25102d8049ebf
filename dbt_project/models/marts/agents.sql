-- One row per agent and validity.
with agents as (
    select * from {{ ref('int_agents__consolidated') }}
)

select
    agent_id,
    source,
    agent_kind,
    display_name,
    group_id,
    group_name,
    valid_from,
    valid_to,
    is_current
from agents
{{ laid_out_by() }}
