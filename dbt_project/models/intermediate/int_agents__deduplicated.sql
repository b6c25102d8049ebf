{{ config(materialized='view') }}

-- One row per agent and start of validity.
{{ current_versions(
    ref('int_agents__standardised'),
    key=['source', 'agent_id', 'valid_from'],
    version='updated_at',
    columns=['agent_kind_code', 'display_name', 'group_id', 'group_name'],
) }}
