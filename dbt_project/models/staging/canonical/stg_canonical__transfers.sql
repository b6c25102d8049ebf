with transfers as (
    select * from {{ source('raw', 'transfers') }}
)

select
    -- ids, verbatim
    source,
    nullif(transfer_id, '') as transfer_id,
    from_contact_id,
    nullif(to_contact_id, '') as to_contact_id,
    nullif(target_id, '') as target_id,

    -- codes
    nullif(kind, '') as kind,
    nullif({{ normalised_code('target_kind') }}, '') as target_kind_code,
    nullif({{ normalised_code('outcome') }}, '') as outcome_code,

    -- times, some of them wall clock readings: local_times says which
    requested_at,
    updated_at,
    local_times,

    -- provenance
    row_id,
    load_no
from transfers
