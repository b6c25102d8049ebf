-- One row per finding: something in the logs that identity or time had to cope with.
with contacts as (
    select * from {{ ref('contacts') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

indexed as (
    select * from {{ ref('int_contacts__indexed') }}
),

judged_links as {{ each_time() }} (
    select * from {{ ref('int_links__judged') }}
),

accepted_links as (
    select * from {{ ref('int_links__accepted') }}
),

transfers as (
    select * from {{ ref('transfers') }}
),

loops as (
    select * from {{ ref('int_components__looped') }}
),

anchored as (
    select * from {{ ref('int_contacts__anchored') }}
),

missing as (
    select * from {{ ref('int_contacts__inferred') }}
),

messaged as (
    select * from {{ ref('int_contacts__messaged') }}
),

contested as (
    select * from {{ ref('int_messages__contested') }}
),

reused as (
    select * from {{ ref('int_contacts__reused') }}
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
    from missing
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
        indexed.source,
        indexed.contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(loops.extra_pair_count as double) as value
    from loops
    inner join anchored on loops.component = anchored.component
    inner join indexed on anchored.contact_key = indexed.contact_key
    where indexed.contact_no = 1
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

negative_first_replies as (
    select
        'negative_first_reply' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        {{ seconds_between('answered_at', 'started_at') }} as value
    from contacts
    where answered_at < started_at
),

messages_outside as (
    select
        'message_outside_contact' as code,
        indexed.source,
        indexed.contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(messaged.outside_message_count as double) as value
    from messaged
    inner join indexed on messaged.contact_key = indexed.contact_key
    where messaged.outside_message_count > 0
),

messages_under_several as (
    select
        'message_under_several_contacts' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(count(*) as double) as value
    from contested
    group by source, contact_id
),

reused_ids as (
    select
        'reused_contact_id' as code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        cast(earlier_use_count as double) as value
    from reused
),

-- Who is linked over a reference: what a link names at one end, and the visitor at the other.
named_visitors as {{ each_time() }} (
    select
        source,
        from_contact_id as contact_id,
        to_visitor_id as visitor_id
    from judged_links
    where evidence <> 'conversation_ref'

    union all

    select
        source,
        to_contact_id as contact_id,
        from_visitor_id as visitor_id
    from judged_links
    where evidence <> 'conversation_ref'
),

-- Few contacts are named by many links: visitors are told apart for these alone.
often_named as (
    select
        source,
        contact_id
    from named_visitors
    group by source, contact_id
    having count(visitor_id) > 3
),

shared_contacts as (
    select
        named_visitors.source,
        named_visitors.contact_id,
        named_visitors.contact_id as reference,
        count(distinct named_visitors.visitor_id) as visitor_count
    from named_visitors
    inner join often_named
        on
            named_visitors.source = often_named.source
            and named_visitors.contact_id = often_named.contact_id
    group by named_visitors.source, named_visitors.contact_id
),

often_given as (
    select
        source,
        evidence_id
    from judged_links
    where evidence = 'conversation_ref'
    group by source, evidence_id
    having count(*) > 2
),

given_visitors as (
    select
        judged_links.source,
        judged_links.evidence_id,
        judged_links.from_contact_id as contact_id,
        judged_links.from_visitor_id as visitor_id
    from judged_links
    inner join often_given
        on
            judged_links.source = often_given.source
            and judged_links.evidence_id = often_given.evidence_id
    where judged_links.evidence = 'conversation_ref'

    union all

    select
        judged_links.source,
        judged_links.evidence_id,
        judged_links.to_contact_id as contact_id,
        judged_links.to_visitor_id as visitor_id
    from judged_links
    inner join often_given
        on
            judged_links.source = often_given.source
            and judged_links.evidence_id = often_given.evidence_id
    where judged_links.evidence = 'conversation_ref'
),

shared_conversation_refs as (
    select
        source,
        min(contact_id) as contact_id,
        evidence_id as reference,
        count(distinct visitor_id) as visitor_count
    from given_visitors
    group by source, evidence_id
),

-- More visitors than one person can be: a word for none that no vocabulary knows, or an id that
-- the source uses again.
shared_references as (
    select
        'shared_reference' as code,
        source,
        contact_id,
        reference,
        cast(visitor_count as double) as value
    from (
        select * from shared_contacts
        union all
        select * from shared_conversation_refs
    ) as shared
    where visitor_count > 3
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

plain_findings as (
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
    select * from negative_first_replies
    union all
    select * from messages_outside
    union all
    select * from messages_under_several
    union all
    select * from reused_ids
    union all
    select * from oversized_components
),

findings as (
    select
        code,
        source,
        contact_id,
        transfer_id,
        cast(null as {{ dbt.type_string() }}) as reference,
        value
    from plain_findings

    union all

    select
        code,
        source,
        contact_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        reference,
        value
    from shared_references
)

select
    findings.code,
    findings.source,
    indexed.conversation_id,
    findings.contact_id,
    findings.transfer_id,
    findings.reference,
    cast(findings.value as double) as value
from findings
left join indexed
    on
        findings.source = indexed.source
        and findings.contact_id = indexed.contact_id
{{ laid_out_by() }}
