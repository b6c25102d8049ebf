{{ config(severity='warn') }}

-- Shows published ids that lead nowhere as yet: their contacts came from a warehouse that was lost,
-- and no log has delivered them again. They resolve when one does. Not ids of contacts that are
-- there (assert_every_published_id_resolves does that).
with published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
)

select
    published_ids.conversation_id,
    published_ids.publication_no
from published_ids
left join contacts
    on
        published_ids.source = contacts.source
        and published_ids.contact_id = contacts.contact_id
where contacts.contact_key is null
