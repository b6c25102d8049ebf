{{ config(materialized='view') }}

-- One row per message: its current version, codes mapped. Messages carry no updated_at: the latest
-- load wins. But a text that was removed does not come back with an old file that is delivered once
-- more.
with messages as (
    {{ current_versions(
        ref('int_messages__recognised'),
        key=['source', 'message_id'],
        version='is_anonymised',
        columns=[
            'contact_id', 'author_id', 'author_kind_code', 'body', 'content_type', 'sent_at',
            'is_private',
        ],
    ) }}
),

author_kinds as (
    select * from {{ ref('codes') }}
    where vocabulary = 'author_kind'
)

select
    messages.source,
    messages.message_id,
    messages.contact_id,
    messages.author_id,
    author_kinds.value as author_kind,
    messages.body,
    messages.content_type,
    messages.is_private,
    messages.sent_at,
    messages.first_row_id,
    messages.changed_load_no
from messages
left join author_kinds on messages.author_kind_code = author_kinds.code
