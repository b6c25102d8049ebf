{{ config(materialized='view') }}

-- One row per requested transfer. A view: the judged transfers already lie in this order.
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
    wait_seconds,
    is_rejected_link,
    rejection_reason
from transfers
