{{ config(materialized='connected_components') }}

-- One row per contact that no log has delivered, that no conversation holds any more, and that hung
-- together with another such contact: its component, over links of the past and of now. Nodes are
-- hashes of ids, because such contacts have no key.
with retired_links as (
    select * from {{ ref('int_links__retired') }}
),

accepted_links as (
    select * from {{ ref('int_links__accepted') }}
),

indexed as (
    select * from {{ ref('int_contacts__indexed') }}
),

links as (
    select
        source,
        from_contact_id,
        to_contact_id
    from retired_links

    union all

    -- Between two missing contacts: alone, they are in no conversation.
    select
        source,
        from_contact_id,
        to_contact_id
    from accepted_links
    where from_key < 0 and to_key < 0
)

select
    {{ id_hash("concat(links.source, ':', links.from_contact_id)") }} as node_a,
    {{ id_hash("concat(links.source, ':', links.to_contact_id)") }} as node_b
from links
left join indexed as from_contacts
    on
        links.source = from_contacts.source
        and links.from_contact_id = from_contacts.contact_id
left join indexed as to_contacts
    on
        links.source = to_contacts.source
        and links.to_contact_id = to_contacts.contact_id
where from_contacts.contact_key is null and to_contacts.contact_key is null
