-- One row per requested transfer, with its ends, its conversation, and whether its link was
-- accepted. Sorted as it is read.
with transfers as (
    select * from {{ ref('int_transfers__consolidated') }}
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
    select * from {{ ref('int_contacts__indexed') }}
),

with_ends as (
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
        -- A contact that opened is what accepted means, whatever word the source has for it.
        case
            when
                transfers.unknown_outcome_code is not null
                and not from_contacts.is_missing
                and not to_contacts.is_missing
                then 'accepted'
            else transfers.outcome
        end as outcome,
        rejected_links.rejection_reason is not null as is_rejected_link,
        rejected_links.rejection_reason,
        coalesce(from_contacts.conversation_key, to_contacts.conversation_key) as conversation_key,
        -- The number of a missing contact is of one build alone.
        case when not from_contacts.is_missing then from_contacts.contact_key end as from_key,
        case when not to_contacts.is_missing then to_contacts.contact_key end as to_key,
        to_contacts.started_at as to_started_at,
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
    outcome = 'accepted' and not is_rejected_link as is_completed,
    case
        when is_completed then {{ elapsed_seconds('requested_at', 'to_started_at') }}
    end as wait_seconds,
    is_rejected_link,
    rejection_reason,
    conversation_key,
    from_key,
    to_key,
    to_started_at,
    changed_load_no
from with_ends
{{ laid_out_by() }}
