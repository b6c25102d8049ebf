-- One row per finding: something in the logs that identity or time had to cope with.
with contacts as (
    select * from {{ ref('int_contacts__enriched') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

identified as (
    select * from {{ ref('int_contacts__identified') }}
),

judged_links as (
    select * from {{ ref('int_links__judged') }}
),

accepted_links as (
    select * from {{ ref('int_links__accepted') }}
),

transfers as (
    select * from {{ ref('int_transfers__judged') }}
),

loops as (
    select * from {{ ref('int_links__loops') }}
),

assigned as (
    select * from {{ ref('int_contacts__assigned') }}
),

self_links as (
    select
        'self_link' as code,
        source,
        from_contact_id as contact_id,
        case when evidence = 'transfer' then evidence_id end as transfer_id,
        cast(1 as double) as value
    from judged_links
    where rejection_reason = 'self_link'
),

rejected_links as (
    select
        'rejected_link' as code,
        source,
        to_contact_id as contact_id,
        case when evidence = 'transfer' then evidence_id end as transfer_id,
        gap_seconds as value
    from judged_links
    where rejection_reason is not null and rejection_reason <> 'self_link'
),

missing_contacts as (
    select
        'missing_contact' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(1 as double) as value
    from identified
    where is_missing
),

-- Hand-overs as the logs state them; a shared reference states no direction.
stated_pairs as (
    select
        source,
        from_contact_id,
        to_contact_id,
        from_key,
        to_key
    from accepted_links
    where evidence <> 'conversation_ref'
    group by source, from_contact_id, to_contact_id, from_key, to_key
),

origins as (
    select
        source,
        to_contact_id as contact_id,
        count(*) as origin_count
    from stated_pairs
    group by source, to_contact_id
    having count(*) > 1
),

several_origins as (
    select
        'several_origins' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(origin_count as double) as value
    from origins
),

accepted_targets as (
    select
        source,
        from_contact_id as contact_id,
        count(distinct to_contact_id) as target_count
    from transfers
    where is_completed and to_contact_id is not null
    group by source, from_contact_id
    having count(distinct to_contact_id) > 1
),

several_accepted_targets as (
    select
        'several_accepted_targets' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(target_count as double) as value
    from accepted_targets
),

-- The contact named is the conversation's first.
cycles as (
    select
        'cycle' as code,
        identified.source,
        identified.contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(loops.extra_pair_count as double) as value
    from loops
    inner join assigned on loops.component = assigned.component
    inner join identified on assigned.contact_key = identified.contact_key
    where identified.contact_no = 1
),

overlapping_contacts as (
    select
        'overlap' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        {{ seconds_between('started_at', 'previous_ended_at') }} as value
    from contacts
    where previous_ended_at > started_at
),

negative_gaps as (
    select
        'negative_gap' as code,
        source,
        to_contact_id as contact_id,
        transfer_id,
        {{ seconds_between('to_started_at', 'requested_at') }} as value
    from transfers
    where is_completed and to_started_at < requested_at
),

negative_durations as (
    select
        'negative_duration' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        {{ seconds_between('ended_at', 'started_at') }} as value
    from contacts
    where ended_at < started_at
),

oversized_components as (
    select
        'oversized_component' as code,
        source,
        anchor_contact_id as contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(contact_count as double) as value
    from conversations
    where contact_count > {{ var('oversized_contacts') }}
),

findings as (
    select * from self_links
    union all
    select * from rejected_links
    union all
    select * from missing_contacts
    union all
    select * from several_origins
    union all
    select * from several_accepted_targets
    union all
    select * from cycles
    union all
    select * from overlapping_contacts
    union all
    select * from negative_gaps
    union all
    select * from negative_durations
    union all
    select * from oversized_components
)

select
    findings.code,
    findings.source,
    identified.conversation_id,
    findings.contact_id,
    findings.transfer_id,
    cast(findings.value as double) as value
from findings
left join identified
    on
        findings.source = identified.source
        and findings.contact_id = identified.contact_id
order by findings.code, findings.source, findings.contact_id, findings.transfer_id, findings.value
