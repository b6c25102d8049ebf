{{ config(materialized='table') }}

-- One row per source of the registry. A table: all models of a build see one state of the file.
{{ registry_rows(source('registry', 'sources'), {
    'source': 'string',
    'time_zone': 'string',
    'currency': 'string',
    'reject_visitor_mismatch': 'boolean',
    'max_gap_days': 'integer',
    'waiting_days': 'integer',
    'numeric_ids': 'boolean',
}) }}
