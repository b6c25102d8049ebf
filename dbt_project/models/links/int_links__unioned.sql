{{ config(materialized='view') }}

-- One row per piece of evidence that two contacts belong together.
with contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
),

transfers as (
    select * from {{ ref('int_transfers__consolidated') }}
),

from_transfers as (
    select
        source,
        from_contact_id,
        to_contact_id,
        'transfer' as evidence,
        transfer_id as evidence_id,
        requested_at as linked_at,
        linked_load_no as load_no
    from transfers
    where to_contact_id is not null
),

from_previous_contacts as (
    select
        source,
        previous_contact_id as from_contact_id,
        contact_id as to_contact_id,
        'previous_contact' as evidence,
        contact_id as evidence_id,
        started_at as linked_at,
        linked_load_no as load_no
    from contacts
    where previous_contact_id is not null
),

shared_references as (
    select
        source,
        conversation_ref
    from contacts
    where conversation_ref is not null
    group by source, conversation_ref
    having count(*) > 1
),

-- The contacts that share a reference form a chain in time: as few links as a star, and each
-- between neighbours, so that a gap or a change of visitor shows where it happened. Where the
-- policy rejects links between visitors, each visitor's own contacts form a chain as well.
reference_neighbours as (
    select
        contacts.source,
        contacts.contact_id,
        contacts.conversation_ref,
        contacts.started_at,
        contacts.linked_load_no,
        lag(contacts.contact_id) over (
            partition by contacts.source, contacts.conversation_ref
            order by contacts.started_at, contacts.contact_id
        ) as earlier_contact_id,
        lag(contacts.linked_load_no) over (
            partition by contacts.source, contacts.conversation_ref
            order by contacts.started_at, contacts.contact_id
        ) as earlier_load_no,
        case
            when contacts.visitor_id is not null
                then lag(contacts.contact_id) over (
                    partition by contacts.source, contacts.conversation_ref, contacts.visitor_id
                    order by contacts.started_at, contacts.contact_id
                )
        end as earlier_contact_id_of_visitor
    from contacts
    inner join shared_references
        on
            contacts.source = shared_references.source
            and contacts.conversation_ref = shared_references.conversation_ref
),

from_references as (
    select
        source,
        earlier_contact_id as from_contact_id,
        contact_id as to_contact_id,
        'conversation_ref' as evidence,
        conversation_ref as evidence_id,
        started_at as linked_at,
        greatest(linked_load_no, earlier_load_no) as load_no
    from reference_neighbours
    where earlier_contact_id is not null

    union all

    select
        source,
        earlier_contact_id_of_visitor as from_contact_id,
        contact_id as to_contact_id,
        'conversation_ref' as evidence,
        conversation_ref as evidence_id,
        started_at as linked_at,
        linked_load_no as load_no
    from reference_neighbours
    where earlier_contact_id_of_visitor <> earlier_contact_id
)

select * from from_transfers
union all
select * from from_previous_contacts
union all
select * from from_references
