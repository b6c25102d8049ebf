{{ config(access='private', contract={'enforced': false}) }}

-- One row per closed conversation and agent, and per closed conversation and group, that took part.
with contacts as (
    select * from {{ ref('contacts') }}
),

conversations as (
    select
        conversation_id,
        closed_on
    from {{ ref('conversations') }}
    where is_closed
)

select distinct
    contacts.conversation_id,
    contacts.source,
    conversations.closed_on,
    'agent' as dimension,
    contacts.agent_id as dimension_value
from contacts
inner join conversations on contacts.conversation_id = conversations.conversation_id
where contacts.agent_id is not null

union all

select distinct
    contacts.conversation_id,
    contacts.source,
    conversations.closed_on,
    'group' as dimension,
    contacts.group_id as dimension_value
from contacts
inner join conversations on contacts.conversation_id = conversations.conversation_id
where contacts.group_id is not null
