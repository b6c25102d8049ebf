{{ config(materialized='table') }}

-- One row per project of the registry. A table: all models of a build see one state of the file.
{{ registry_rows(source('registry', 'projects'), {
    'source': 'string',
    'project_id': 'string',
    'project_name': 'string',
    'time_zone': 'string',
    'currency': 'string',
}) }}
