-- One row per link that an earlier version of a record stated and its current version does not: a
-- correction took it back. Only records that came more than once are looked at.
with transfer_versions as (
    select
        source,
        transfer_id,
        from_contact_id,
        to_contact_id,
        {{ volatile_hash(['source', 'transfer_id']) }} as key_hash
    from {{ ref('int_transfers__standardised') }}
),

repeated_transfers as (
    select {{ volatile_hash(['source', 'transfer_id']) }} as key_hash
    from {{ ref('int_transfers__standardised') }}
    group by key_hash
    having count(*) > 1
),

contact_versions as (
    select
        source,
        contact_id,
        previous_contact_id,
        {{ volatile_hash(['source', 'contact_id']) }} as key_hash
    from {{ ref('int_contacts__standardised') }}
),

repeated_contacts as (
    select {{ volatile_hash(['source', 'contact_id']) }} as key_hash
    from {{ ref('stg_canonical__contacts') }}
    group by key_hash
    having count(*) > 1
),

transfers as (
    select * from {{ ref('int_transfers__consolidated') }}
),

contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
),

from_transfers as (
    select
        transfer_versions.source,
        transfer_versions.from_contact_id,
        transfer_versions.to_contact_id,
        transfers.linked_load_no as retired_load_no
    from transfer_versions
    inner join repeated_transfers on transfer_versions.key_hash = repeated_transfers.key_hash
    inner join transfers
        on
            transfer_versions.source = transfers.source
            and transfer_versions.transfer_id = transfers.transfer_id
    where
        transfer_versions.to_contact_id is not null
        and (
            transfer_versions.from_contact_id <> transfers.from_contact_id
            or transfer_versions.to_contact_id <> coalesce(transfers.to_contact_id, '')
        )
),

from_previous_contacts as (
    select
        contact_versions.source,
        contact_versions.previous_contact_id as from_contact_id,
        contact_versions.contact_id as to_contact_id,
        contacts.linked_load_no as retired_load_no
    from contact_versions
    inner join repeated_contacts on contact_versions.key_hash = repeated_contacts.key_hash
    inner join contacts
        on
            contact_versions.source = contacts.source
            and contact_versions.contact_id = contacts.contact_id
    where contact_versions.previous_contact_id <> coalesce(contacts.previous_contact_id, '')
),

unioned as (
    select * from from_transfers
    union all
    select * from from_previous_contacts
)

select
    source,
    from_contact_id,
    to_contact_id,
    max(retired_load_no) as retired_load_no
from unioned
where from_contact_id <> to_contact_id
group by source, from_contact_id, to_contact_id
