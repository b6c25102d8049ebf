-- One row per requested transfer.
with transfers as (
    select * from {{ ref('int_transfers__judged') }}
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
    rejection_reason
from transfers
order by
    conversation_started_at nulls last,
    conversation_id nulls last,
    requested_at,
    source,
    transfer_id
