-- One row per agent and validity, in the versions that are current.
with agents as (
    {{ current_versions(
        ref('int_agents__standardised'),
        key=['source', 'agent_id', 'valid_from'],
        version='updated_at',
        columns=['agent_kind_code', 'display_name', 'group_id', 'group_name'],
    ) }}
),

kinds as (
    select * from {{ ref('codes') }}
    where vocabulary = 'agent_kind'
),

loads as (
    select * from {{ ref('stg_canonical__loads') }}
),

with_bounds as (
    select
        agents.source,
        agents.agent_id,
        kinds.value as agent_kind,
        agents.agent_kind_code,
        agents.display_name,
        agents.group_id,
        agents.group_name,
        agents.valid_from,
        lead(agents.valid_from) over (
            partition by agents.source, agents.agent_id
            order by agents.valid_from nulls first
        ) as valid_to,
        row_number() over (
            partition by agents.source, agents.agent_id
            order by agents.valid_from nulls first
        ) as validity_no,
        loads.loaded_at as first_loaded_at
    from agents
    left join kinds on agents.agent_kind_code = kinds.code
    left join loads on agents.first_load_no = loads.load_no
)

select
    source,
    agent_id,
    agent_kind,
    agent_kind_code,
    display_name,
    group_id,
    group_name,
    valid_from,
    valid_to,
    valid_to is null as is_current,
    -- What is known of an agent first also holds for the time before it.
    case when validity_no = 1 then {{ beginning_of_time() }} else valid_from end as holds_from,
    coalesce(valid_to, {{ end_of_time() }}) as holds_to,
    first_loaded_at
from with_bounds
