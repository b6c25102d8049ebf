-- One row per piece of evidence: the keys of its ends where they are known, and what the source's
-- link policy says of it.
with links as (
    select * from {{ ref('int_links__unioned') }}
),

contacts as (
    select * from {{ ref('int_contacts__consolidated') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

with_ends as (
    select
        links.source,
        links.from_contact_id,
        links.to_contact_id,
        links.evidence,
        links.evidence_id,
        links.linked_at,
        links.load_no,
        from_contacts.contact_key as from_key,
        to_contacts.contact_key as to_key,
        from_contacts.visitor_id as from_visitor_id,
        to_contacts.visitor_id as to_visitor_id,
        from_contacts.started_at as from_started_at,
        to_contacts.started_at as to_started_at,
        -- The time between the two, whichever came first; negative where they overlap.
        greatest(
            {{ seconds_between(
                'coalesce(from_contacts.ended_at, from_contacts.started_at)',
                'to_contacts.started_at',
            ) }},
            {{ seconds_between(
                'coalesce(to_contacts.ended_at, to_contacts.started_at)',
                'from_contacts.started_at',
            ) }}
        ) as gap_seconds
    from links
    left join contacts as from_contacts
        on
            links.source = from_contacts.source
            and links.from_contact_id = from_contacts.contact_id
    left join contacts as to_contacts
        on
            links.source = to_contacts.source
            and links.to_contact_id = to_contacts.contact_id
)

select
    with_ends.source,
    with_ends.from_contact_id,
    with_ends.to_contact_id,
    with_ends.evidence,
    with_ends.evidence_id,
    with_ends.linked_at,
    with_ends.load_no,
    with_ends.from_key,
    with_ends.to_key,
    with_ends.from_visitor_id,
    with_ends.to_visitor_id,
    with_ends.from_started_at,
    with_ends.to_started_at,
    with_ends.gap_seconds,
    with_ends.from_contact_id = with_ends.to_contact_id as is_self_link,
    case
        when with_ends.from_contact_id = with_ends.to_contact_id then 'self_link'
        when
            sources.reject_visitor_mismatch
            and with_ends.from_visitor_id <> with_ends.to_visitor_id
            then 'visitor_mismatch'
        when with_ends.gap_seconds > sources.max_gap_days * 86400 then 'gap_too_long'
    end as rejection_reason
from with_ends
left join sources on with_ends.source = sources.source
