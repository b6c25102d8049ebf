-- Catches an id that was published once and now leads nowhere, or to more than one conversation.
with published_ids as (
    select conversation_id as id
    from {{ ref('stg_canonical__published_ids') }}
),

resolvable as (
    select
        id,
        count(distinct conversation_id) as conversation_count
    from {{ ref('conversation_ids') }}
    where id_kind in ('conversation', 'former_conversation')
    group by id
)

select
    published_ids.id,
    coalesce(resolvable.conversation_count, 0) as conversation_count
from published_ids
left join resolvable on published_ids.id = resolvable.id
where coalesce(resolvable.conversation_count, 0) <> 1
