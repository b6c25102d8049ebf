-- One row per answer, with its conversation. Visitors click again to correct themselves: the last
-- answer of a conversation to a question counts, the earlier ones are kept. Sorted as it is read.
-- Answers carry no updated_at: the time of the answer orders their versions.
with ratings as (
    {{ current_versions(
        ref('int_ratings__standardised'),
        key=['source', 'rating_id'],
        version='answered_at',
        columns=['score', 'comment', 'contact_id', 'question_code'],
    ) }}
),

questions as (
    select * from {{ ref('codes') }}
    where vocabulary = 'question'
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
)

select
    ratings.rating_id,
    ratings.source,
    contacts.conversation_id,
    contacts.conversation_started_at,
    ratings.contact_id,
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
    contacts.conversation_key,
    ratings.changed_load_no
from ratings
left join questions on ratings.question_code = questions.code
left join contacts
    on
        ratings.source = contacts.source
        and ratings.contact_id = contacts.contact_id
{{ laid_out_by() }}
