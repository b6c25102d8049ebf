{{ config(materialized='view') }}

-- One row per transaction. Transactions carry no updated_at: the latest load wins.
{{ current_versions(
    ref('stg_canonical__transactions'),
    key=['source', 'transaction_id'],
    version=none,
    columns=['occurred_at', 'amount', 'currency', 'contact_id', 'visitor_id', 'local_times'],
) }}
