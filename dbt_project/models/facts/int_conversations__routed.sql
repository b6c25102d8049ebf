-- One row per conversation that links joined and that any agent is known of: its agents, in order.
with contacts as (
    select * from {{ ref('contacts') }}
    where not is_alone
),

known_agents as (
    select
        contacts.conversation_key,
        contacts.contact_no,
        contacts.agent_id,
        lag(contacts.agent_id) over (
            partition by contacts.conversation_key
            order by contacts.contact_no
        ) as previous_agent_id
    from contacts
    where contacts.agent_id is not null
)

select
    conversation_key,
    {{ ordered_list('agent_id', 'contact_no') }} as agent_path,
    count(distinct agent_id) as agent_count,
    -- An agent comes back after another one when there are more turns than agents.
    count(case when previous_agent_id is null or agent_id <> previous_agent_id then 1 end)
    > count(distinct agent_id) as is_bounced
from known_agents
group by conversation_key
