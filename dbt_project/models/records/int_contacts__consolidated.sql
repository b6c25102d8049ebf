-- One row per contact: its current version, codes mapped, agent and group as they were, local day.
with contacts as (
    {{ current_versions(
        ref('int_contacts__standardised'),
        key=['source', 'contact_id'],
        version='updated_at',
        columns=[
            'ended_at', 'answered_at', 'started_at', 'agent_id', 'visitor_id', 'project_id',
            'group_id', 'conversation_ref', 'previous_contact_id', 'agent_kind_code',
            'end_reason_code', 'channel', 'language', 'tags', 'extra',
        ],
        link_columns=['conversation_ref', 'previous_contact_id'],
    ) }}
),

agents as (
    select * from {{ ref('int_agents__consolidated') }}
),

agent_kinds as (
    select * from {{ ref('codes') }}
    where vocabulary = 'agent_kind'
),

end_reasons as (
    select * from {{ ref('codes') }}
    where vocabulary = 'end_reason'
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

projects as (
    select * from {{ ref('stg_registry__projects') }}
)

select
    contacts.first_row_id as contact_key,
    contacts.source,
    contacts.contact_id,
    contacts.agent_id,
    -- A kind that is given and that no vocabulary knows stays null, whichever log gives it, and a
    -- test shows it; a source that gives no kind at all speaks of people.
    case
        when contacts.agent_kind_code is not null then agent_kinds.value
        when agents.agent_kind_code is not null then agents.agent_kind
        else 'human'
    end as agent_kind,
    case when agent_kinds.value is null then contacts.agent_kind_code end
        as unknown_agent_kind_code,
    coalesce(contacts.group_id, agents.group_id) as group_id,
    contacts.visitor_id,
    contacts.project_id,
    contacts.channel,
    contacts.language,
    contacts.tags,
    contacts.extra,
    contacts.conversation_ref,
    contacts.previous_contact_id,
    contacts.started_at,
    contacts.answered_at,
    contacts.ended_at,
    end_reasons.value as end_reason,
    case when end_reasons.value is null then contacts.end_reason_code end
        as unknown_end_reason_code,
    coalesce(projects.time_zone, sources.time_zone, 'UTC') as time_zone,
    coalesce(projects.currency, sources.currency) as currency,
    contacts.first_load_no,
    contacts.changed_load_no,
    contacts.linked_load_no
from contacts
left join agent_kinds on contacts.agent_kind_code = agent_kinds.code
left join end_reasons on contacts.end_reason_code = end_reasons.code
left join agents
    on
        contacts.source = agents.source
        and contacts.agent_id = agents.agent_id
        and contacts.started_at >= agents.holds_from
        and contacts.started_at < agents.holds_to
left join sources on contacts.source = sources.source
left join projects
    on
        contacts.source = projects.source
        and contacts.project_id = projects.project_id
