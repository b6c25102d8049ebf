{{ config(materialized='view') }}

-- One row per version of a transfer, its times in UTC, the contact that it led to null where it
-- says in words that there is none. A transfer without an id gets one from what it says, so that a
-- repeat meets its first copy, however the clock of either was written.
with transfers as (
    select * from {{ ref('stg_canonical__transfers') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

placeholders as (
    select * from {{ ref('int_placeholders__applied') }}
),

timed as (
    select
        transfers.source,
        transfers.transfer_id,
        transfers.from_contact_id,
        case when no_contacts.word is null then transfers.to_contact_id end as to_contact_id,
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
    left join placeholders as no_contacts
        on
            transfers.source = no_contacts.source
            and transfers.to_contact_id = no_contacts.word
)

select
    source,
    coalesce(
        transfer_id,
        {{ generated_id(['from_contact_id', 'requested_at', 'to_contact_id']) }}
    ) as transfer_id,
    from_contact_id,
    to_contact_id,
    target_id,
    kind,
    target_kind_code,
    outcome_code,
    requested_at,
    updated_at,
    row_id,
    load_no
from timed
