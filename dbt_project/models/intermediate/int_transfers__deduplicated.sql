{{ config(materialized='view') }}

-- One row per transfer, in its current version.
{{ current_versions(
    ref('int_transfers__standardised'),
    key=['source', 'transfer_id'],
    version='updated_at',
    columns=[
        'to_contact_id', 'outcome_code', 'requested_at', 'from_contact_id', 'target_id', 'kind',
        'target_kind_code',
    ],
    link_columns=['from_contact_id', 'to_contact_id'],
) }}
