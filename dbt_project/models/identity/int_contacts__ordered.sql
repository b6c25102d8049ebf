-- One row per delivered contact that stands in an accepted link: its conversation, and its place in
-- it. The order is total: start, place in a chain of equal starts, end, id. A contact that stands
-- alone needs no sorting and no row.
with contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
),

anchored as (
    select * from {{ ref('int_contacts__anchored') }}
),

tied as (
    select * from {{ ref('int_contacts__tied') }}
),

linked as (
    select
        contacts.contact_key,
        contacts.contact_id,
        contacts.started_at,
        contacts.ended_at,
        anchored.conversation_key,
        anchored.conversation_id,
        coalesce(tied.depth, 0) as tie_depth
    from contacts
    inner join anchored on contacts.contact_key = anchored.contact_key
    left join tied on contacts.contact_key = tied.node
)

select
    contact_key,
    conversation_key,
    conversation_id,
    min(started_at) over (
        partition by conversation_key
        order by started_at, tie_depth, ended_at nulls last, contact_id
    ) as conversation_started_at,
    row_number() over (
        partition by conversation_key
        order by started_at, tie_depth, ended_at nulls last, contact_id
    ) as contact_no,
    lag(contact_id) over (
        partition by conversation_key
        order by started_at, tie_depth, ended_at nulls last, contact_id
    ) as previous_contact_id,
    lead(contact_id) over (
        partition by conversation_key
        order by started_at, tie_depth, ended_at nulls last, contact_id
    ) as next_contact_id,
    lag(ended_at) over (
        partition by conversation_key
        order by started_at, tie_depth, ended_at nulls last, contact_id
    ) as previous_ended_at
from linked
