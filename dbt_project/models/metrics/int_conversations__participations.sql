{{ config(schema='intermediate', access='private', contract={'enforced': false}) }}

-- One row per closed conversation of several contacts and agent, and per such conversation and
-- group, that took part. Of a conversation of one contact, as most are, the conversation itself
-- says who it was. Not in the schema of its neighbours: publishing would copy it and drop it again.
with contacts as (
    select * from {{ ref('contacts') }}
    where previous_contact_id is not null or next_contact_id is not null
),

conversations as (
    select
        conversation_id,
        closed_on
    from {{ ref('conversations') }}
    where is_closed and contact_count > 1
),

placed as (
    select
        contacts.conversation_id,
        contacts.source,
        conversations.closed_on,
        contacts.agent_id,
        contacts.group_id
    from contacts
    inner join conversations on contacts.conversation_id = conversations.conversation_id
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
