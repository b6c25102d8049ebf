{{ config(materialized='view') }}

-- One row per version of a message and message that it is a version of.
with messages as (
    select * from {{ ref('int_messages__standardised') }}
),

anonymised as (
    select * from {{ ref('int_messages__anonymised') }}
)

select
    source,
    message_id,
    contact_id,
    author_id,
    author_kind_code,
    body,
    content_type,
    is_private,
    sent_at,
    false as is_anonymised,
    row_id,
    load_no
from messages
where has_own_id or body is not null

union all

select
    source,
    message_id,
    contact_id,
    author_id,
    author_kind_code,
    body,
    content_type,
    is_private,
    sent_at,
    is_anonymised,
    row_id,
    load_no
from anonymised
