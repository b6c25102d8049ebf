-- One row per accepted piece of evidence, with a key at each end.
with links as (
    select * from {{ ref('int_links__judged') }}
),

missing_contacts as (
    select * from {{ ref('int_contacts__inferred') }}
)

select
    links.source,
    links.from_contact_id,
    links.to_contact_id,
    links.evidence,
    links.evidence_id,
    links.linked_at,
    links.load_no,
    coalesce(links.from_key, missing_from.contact_key) as from_key,
    coalesce(links.to_key, missing_to.contact_key) as to_key,
    links.from_started_at,
    links.to_started_at
from links
left join missing_contacts as missing_from
    on
        links.from_key is null
        and links.source = missing_from.source
        and links.from_contact_id = missing_from.contact_id
left join missing_contacts as missing_to
    on
        links.to_key is null
        and links.source = missing_to.source
        and links.to_contact_id = missing_to.contact_id
where links.rejection_reason is null
