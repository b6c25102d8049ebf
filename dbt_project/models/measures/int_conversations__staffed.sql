{{ config(materialized='table') }}

-- One row per closed conversation of several contacts and agent, and per such conversation and
-- group, that took part. Of a conversation of one contact, as most are, the conversation itself
-- says who it was.
with contacts as (
    {{ with_kept(ref('contacts')) }}
),

conversations as (
    {{ with_kept(ref('conversations')) }}
),

days as (
    select distinct day
    from {{ ref('int_periods__spanned') }}
    where is_touched
),

closed as (
    select
        conversations.conversation_id,
        conversations.closed_on
    from conversations
    inner join days on conversations.closed_on = days.day
    where conversations.is_closed and conversations.contact_count > 1
),

placed as (
    select
        contacts.conversation_id,
        contacts.source,
        closed.closed_on,
        contacts.agent_id,
        contacts.group_id
    from contacts
    inner join closed on contacts.conversation_id = closed.conversation_id
    where contacts.previous_contact_id is not null or contacts.next_contact_id is not null
)

select distinct
    conversation_id,
    source,
    closed_on,
    'agent' as dimension,
    agent_id as dimension_value
from placed
where agent_id is not null

union all

select distinct
    conversation_id,
    source,
    closed_on,
    'group' as dimension,
    group_id as dimension_value
from placed
where group_id is not null
