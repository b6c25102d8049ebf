-- One row per answer, with its conversation. Visitors click again to correct themselves: the last
-- answer of a conversation to a question counts, the earlier ones are kept.
with ratings as (
    select * from {{ ref('int_ratings__deduplicated') }}
),

questions as (
    select * from {{ ref('codes') }}
    where vocabulary = 'question'
),

contacts as (
    select * from {{ ref('int_contacts__identified') }}
)

select
    ratings.source,
    ratings.rating_id,
    ratings.contact_id,
    contacts.contact_key,
    contacts.conversation_key,
    contacts.conversation_id,
    contacts.conversation_started_at,
    questions.value as question,
    ratings.answered_at,
    ratings.score,
    ratings.comment,
    contacts.conversation_key is not null
    and row_number() over (
        partition by contacts.conversation_key, questions.value
        order by
            ratings.answered_at desc,
            ratings.first_load_no desc,
            ratings.rating_id desc,
            ratings.source asc
    ) = 1 as is_counted,
    ratings.first_load_no,
    ratings.changed_load_no
from ratings
left join questions on ratings.question_code = questions.code
left join contacts
    on
        ratings.source = contacts.source
        and ratings.contact_id = contacts.contact_id
