{{ config(schema='marts') }}

-- One row per requested transfer, with its ends, its conversation, and whether its link was
-- accepted. Sorted as it is read, beside the mart that shows it and with its columns in their
-- order.
with transfers as (
    select * from {{ ref('int_transfers__current') }}
),

rejected_links as (
    select
        source,
        evidence_id,
        rejection_reason
    from {{ ref('int_links__judged') }}
    where evidence = 'transfer' and rejection_reason is not null
),

contacts as (
    select * from {{ ref('int_contacts__identified') }}
),

judged as (
    select
        transfers.transfer_id,
        transfers.source,
        coalesce(from_contacts.conversation_id, to_contacts.conversation_id) as conversation_id,
        coalesce(from_contacts.conversation_started_at, to_contacts.conversation_started_at)
            as conversation_started_at,
        transfers.from_contact_id,
        transfers.to_contact_id,
        from_contacts.agent_id as from_agent_id,
        to_contacts.agent_id as to_agent_id,
        from_contacts.agent_kind as from_agent_kind,
        to_contacts.agent_kind as to_agent_kind,
        transfers.requested_at,
        transfers.kind,
        transfers.target_kind,
        transfers.target_id,
        transfers.outcome,
        rejected_links.rejection_reason is not null as is_rejected_link,
        rejected_links.rejection_reason,
        coalesce(from_contacts.conversation_key, to_contacts.conversation_key) as conversation_key,
        from_contacts.contact_key as from_key,
        to_contacts.contact_key as to_key,
        to_contacts.started_at as to_started_at,
        transfers.outcome = 'accepted' and rejected_links.rejection_reason is null as is_completed,
        transfers.changed_load_no
    from transfers
    left join rejected_links
        on
            transfers.source = rejected_links.source
            and transfers.transfer_id = rejected_links.evidence_id
    left join contacts as from_contacts
        on
            transfers.source = from_contacts.source
            and transfers.from_contact_id = from_contacts.contact_id
    left join contacts as to_contacts
        on
            transfers.source = to_contacts.source
            and transfers.to_contact_id = to_contacts.contact_id
)

select
    transfer_id,
    source,
    conversation_id,
    conversation_started_at,
    from_contact_id,
    to_contact_id,
    from_agent_id,
    to_agent_id,
    from_agent_kind,
    to_agent_kind,
    requested_at,
    kind,
    target_kind,
    target_id,
    outcome,
    case
        when is_completed then {{ elapsed_seconds('requested_at', 'to_started_at') }}
    end as wait_seconds,
    is_rejected_link,
    rejection_reason,
    conversation_key,
    from_key,
    to_key,
    to_started_at,
    is_completed,
    changed_load_no
from judged
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    requested_at,
    source,
    transfer_id
