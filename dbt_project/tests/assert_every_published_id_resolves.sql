-- Catches an id that was published once and now leads nowhere, or to more than one conversation.
-- Not one whose contact no log has delivered and no link names: in a warehouse that was lost and is
-- loaded anew it leads nowhere yet (assert_every_published_id_has_its_contact shows those).
with published_ids as (
    select
        conversation_id as id,
        source,
        contact_id
    from {{ ref('stg_canonical__published_ids') }}
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
),

resolvable as (
    select
        id,
        id_kind,
        conversation_id
    from {{ ref('conversation_ids') }}
    where id_kind in ('conversation', 'former_conversation')
),

lost as (
    select published_ids.id
    from published_ids
    inner join contacts
        on
            published_ids.source = contacts.source
            and published_ids.contact_id = contacts.contact_id
    left join resolvable on published_ids.id = resolvable.id
    where resolvable.id is null
),

former_ids as (
    select distinct id
    from resolvable
    where id_kind = 'former_conversation'
),

-- Conversations have one row each (a unique_key of the mart): an id leads to two only by a former
-- one.
ambiguous as (
    select resolvable.id
    from resolvable
    inner join former_ids on resolvable.id = former_ids.id
    group by resolvable.id
    having count(distinct resolvable.conversation_id) > 1
)

select
    id,
    'leads nowhere' as finding
from lost

union all

select
    id,
    'leads to several conversations' as finding
from ambiguous
