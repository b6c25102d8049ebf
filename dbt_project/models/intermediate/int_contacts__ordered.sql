-- One row per delivered contact: its place in its conversation. The order is total: start, place in
-- a chain of equal starts, end, id.
with contacts as (
    select * from {{ ref('int_contacts__current') }}
),

assigned as (
    select * from {{ ref('int_contacts__assigned') }}
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
        assigned.conversation_key,
        coalesce(tied.depth, 0) as tie_depth
    from contacts
    inner join assigned on contacts.contact_key = assigned.contact_key
    left join tied on contacts.contact_key = tied.node
    where assigned.component is not null
),

-- Contacts that stand alone, most of them, need no sorting.
placed as (
    select
        contact_key,
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

    union all

    select
        contact_key,
        cast(1 as bigint) as contact_no,
        cast(null as {{ dbt.type_string() }}) as previous_contact_id,
        cast(null as {{ dbt.type_string() }}) as next_contact_id,
        cast(null as timestamp) as previous_ended_at
    from assigned
    where component is null
)

select
    contact_key,
    contact_no,
    previous_contact_id,
    next_contact_id,
    previous_ended_at
from placed
