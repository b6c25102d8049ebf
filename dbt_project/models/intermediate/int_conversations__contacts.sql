{{ config(materialized='view') }}

-- One row per conversation that links joined: what its contacts say together. Where several give
-- an attribute that a conversation has once, the first that gives it decides.
with contacts as (
    select * from {{ ref('int_contacts__enriched') }}
    where not is_alone
)

select
    conversation_key,
    min(conversation_id) as conversation_id,
    min(source) as source,
    max(case when contact_key = conversation_key then contact_id end) as anchor_contact_id,
    {{ value_at_smallest('visitor_id', 'case when visitor_id is not null then contact_no end') }}
        as visitor_id,
    {{ value_at_smallest('project_id', 'case when project_id is not null then contact_no end') }}
        as project_id,
    {{ value_at_smallest('channel', 'case when channel is not null then contact_no end') }}
        as channel,
    {{ value_at_smallest('language', 'case when language is not null then contact_no end') }}
        as language,
    {{ value_at_smallest('group_id', 'case when group_id is not null then contact_no end') }}
        as first_group_id,
    -- Days are those of the project that the conversation is counted in.
    {{ value_at_smallest(
        'time_zone',
        'case when project_id is not null then contact_no else contact_no + 1000000000 end',
    ) }} as time_zone,
    min(started_at) as started_at,
    case when count(ended_at) = count(*) then max(ended_at) end as closed_at,
    max(case when next_contact_id is null then end_reason end) as last_end_reason,
    count(*) as contact_count,
    count(case when agent_kind in ('human', 'expert') then 1 end) as human_contact_count,
    count(case when agent_kind = 'bot' then 1 end) as bot_contact_count,
    max(case when contact_no = 1 then agent_kind end) as first_agent_kind,
    min(case when agent_kind = 'bot' then contact_no end)
    < max(case when agent_kind in ('human', 'expert') then contact_no end) as is_escalated,
    -- Of one delivered contact; of several, the path says more.
    min(agent_id) as only_agent_id,
    count(case when is_answered then 1 end) > 0 as is_answered,
    count(case when is_answered and agent_kind in ('human', 'expert') then 1 end) > 0
        as is_answered_by_human,
    {{ exact_sum('duration_seconds') }} as handle_seconds,
    {{ exact_sum("case when agent_kind in ('human', 'expert') then duration_seconds end") }}
        as human_handle_seconds,
    min(first_loaded_at) as first_loaded_at,
    max(changed_load_no) as changed_load_no
from contacts
group by conversation_key
