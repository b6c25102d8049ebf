-- One row per published conversation id that no longer names a conversation of its own and whose
-- present conversation is not on record yet.
with published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
),

anchored as (
    select * from {{ ref('int_contacts__anchored') }}
),

recorded_merges as (
    select * from {{ ref('stg_canonical__id_merges') }}
)

select
    published_ids.conversation_id as old_conversation_id,
    contacts.conversation_id as new_conversation_id,
    published_ids.source,
    contacts.contact_key,
    anchored.component
from published_ids
inner join contacts
    on
        published_ids.source = contacts.source
        and published_ids.contact_id = contacts.contact_id
inner join anchored on contacts.contact_key = anchored.contact_key
where
    published_ids.conversation_id <> contacts.conversation_id
    and not exists (
        select 1
        from recorded_merges
        where
            recorded_merges.old_conversation_id = published_ids.conversation_id
            and recorded_merges.new_conversation_id = contacts.conversation_id
    )
