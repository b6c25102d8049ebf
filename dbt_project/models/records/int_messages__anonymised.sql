-- One row per version of a message that came without an id and without a text, and message with a
-- text that it stands for: the one of the same contact, instant and kind of author. It is that
-- message, delivered again after its text was removed, and so a version of it. One that stands for
-- none is a message of its own. Kept apart because there are few of them among many messages.
with messages as (
    select * from {{ ref('int_messages__standardised') }}
    where not has_own_id
),

textless as (
    select * from {{ ref('int_messages__standardised') }}
    where not has_own_id and body is null
),

-- An image and its caption may come at one instant, the image without a text: where both say what
-- they are, the one does not stand for the other.
recognised as (
    select
        textless.row_id,
        messages.message_id,
        max(messages.author_id) as author_id,
        max(messages.content_type) as content_type,
        max(case when messages.is_private then 1 else 0 end) as is_private
    from messages
    inner join textless
        on
            messages.source = textless.source
            and messages.contact_id = textless.contact_id
            and messages.sent_at = textless.sent_at
            and messages.author_kind_code = textless.author_kind_code
            and coalesce(messages.content_type, textless.content_type, '')
            = coalesce(textless.content_type, messages.content_type, '')
    where messages.body is not null
    group by textless.row_id, messages.message_id
)

select
    textless.source,
    coalesce(recognised.message_id, textless.message_id) as message_id,
    textless.contact_id,
    coalesce(textless.author_id, recognised.author_id) as author_id,
    textless.author_kind_code,
    textless.body,
    coalesce(textless.content_type, recognised.content_type) as content_type,
    textless.is_private or coalesce(recognised.is_private, 0) = 1 as is_private,
    textless.sent_at,
    recognised.message_id is not null as is_anonymised,
    textless.row_id,
    textless.load_no
from textless
left join recognised on textless.row_id = recognised.row_id
