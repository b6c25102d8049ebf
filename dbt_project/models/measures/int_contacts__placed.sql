{{ config(materialized='table') }}

-- One row per source, day on which contacts started, day on which their conversations closed, and
-- whether these wait: how many contacts. What the two reports count in different periods.
with contacts as (
    select * from {{ ref('contacts') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

counted as (
    select
        contacts.source,
        contacts.started_on,
        conversations.closed_on,
        conversations.is_waiting,
        count(*) as contacts
    from contacts
    inner join conversations on contacts.conversation_id = conversations.conversation_id
    group by
        contacts.source, contacts.started_on, conversations.closed_on, conversations.is_waiting
),

placed as (
    {{ with_kept('counted', of=this) }}
)

select
    source,
    started_on,
    closed_on,
    is_waiting,
    cast(sum(contacts) as bigint) as contacts
from placed
group by source, started_on, closed_on, is_waiting
