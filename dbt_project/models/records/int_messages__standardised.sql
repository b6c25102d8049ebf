{{ config(materialized='view') }}

-- One row per version of a message, its time in UTC. A message without an id gets one from its
-- whole content, so that a repeat meets its first copy, however the clock of either was written.
with messages as (
    select * from {{ ref('stg_canonical__messages') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

timed as (
    select
        messages.source,
        messages.message_id,
        messages.contact_id,
        messages.author_id,
        messages.author_kind_code,
        messages.body,
        messages.content_type,
        coalesce(messages.is_private, false) as is_private,
        {{ as_utc('messages.sent_at', 1, 'sources.time_zone') }} as sent_at,
        messages.row_id,
        messages.load_no
    from messages
    left join sources on messages.source = sources.source
)

select
    source,
    coalesce(
        message_id,
        {{ generated_id([
            'contact_id', 'sent_at', 'author_kind_code', 'author_id', 'body', 'content_type'
        ]) }}
    ) as message_id,
    message_id is not null as has_own_id,
    contact_id,
    author_id,
    author_kind_code,
    body,
    content_type,
    is_private,
    sent_at,
    row_id,
    load_no
from timed
