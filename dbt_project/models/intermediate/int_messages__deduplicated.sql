{{ config(materialized='view') }}

-- One row per message, in its current version. Messages carry no updated_at: the latest load wins.
{{ current_versions(
    ref('int_messages__standardised'),
    key=['source', 'message_id'],
    version=none,
    columns=[
        'contact_id', 'author_id', 'author_kind_code', 'body', 'content_type', 'sent_at',
        'local_times',
    ],
) }}
