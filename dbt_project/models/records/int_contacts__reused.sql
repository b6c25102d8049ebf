-- One row per contact id that was used again: an earlier version of it starts at another time, with
-- another visitor and another agent than the current one. Only ids that came more than once are
-- looked at.
with versions as (
    select
        source,
        contact_id,
        started_at,
        visitor_id,
        agent_id,
        {{ volatile_hash(['source', 'contact_id']) }} as key_hash
    from {{ ref('int_contacts__standardised') }}
),

repeated_keys as (
    select {{ volatile_hash(['source', 'contact_id']) }} as key_hash
    from {{ ref('stg_canonical__contacts') }}
    group by key_hash
    having count(*) > 1
),

repeated_versions as (
    select
        versions.source,
        versions.contact_id,
        versions.started_at,
        versions.visitor_id,
        versions.agent_id
    from versions
    inner join repeated_keys on versions.key_hash = repeated_keys.key_hash
),

contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
)

select
    contacts.source,
    contacts.contact_id,
    contacts.contact_key,
    count(distinct repeated_versions.started_at) as earlier_use_count
from contacts
inner join repeated_versions
    on
        contacts.source = repeated_versions.source
        and contacts.contact_id = repeated_versions.contact_id
where
    contacts.started_at <> repeated_versions.started_at
    and contacts.visitor_id <> repeated_versions.visitor_id
    and contacts.agent_id <> repeated_versions.agent_id
group by contacts.source, contacts.contact_id, contacts.contact_key
