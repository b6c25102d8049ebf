{{ config(materialized='view') }}

-- One row per version of a transfer, its times in UTC. A transfer without an id gets one from what
-- it says, so that a repeat meets its first copy.
with transfers as (
    select * from {{ ref('stg_canonical__transfers') }}
),

sources as (
    select * from {{ ref('sources') }}
)

select
    transfers.source,
    coalesce(
        transfers.transfer_id,
        {{ generated_id([
            'transfers.from_contact_id', 'transfers.requested_at', 'transfers.to_contact_id'
        ]) }}
    ) as transfer_id,
    transfers.from_contact_id,
    transfers.to_contact_id,
    transfers.target_id,
    transfers.kind,
    transfers.target_kind_code,
    transfers.outcome_code,
    {{ as_utc('transfers.requested_at', 1, 'sources.time_zone') }} as requested_at,
    {{ as_utc('transfers.updated_at', 2, 'sources.time_zone') }} as updated_at,
    transfers.row_id,
    transfers.load_no
from transfers
left join sources on transfers.source = sources.source
