-- One row per period and source: why the contacts of the contacts report are not the contacts
-- inside the statistical report's conversations. The difference is split by cause, each counted
-- from the contacts themselves; what no cause explains must be zero.
with contacts as (
    select * from {{ ref('contacts') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
),

contacts_report as (
    select * from {{ ref('contacts_report') }}
    where dimension = 'source'
),

statistical_report as (
    select * from {{ ref('statistical_report') }}
    where dimension = 'source'
),

-- Grain: source, day a contact started, day its conversation closed.
placed as (
    select
        contacts.source,
        contacts.started_on,
        conversations.closed_on,
        count(*) as contacts
    from contacts
    inner join conversations on contacts.conversation_id = conversations.conversation_id
    group by
        contacts.source,
        contacts.started_on,
        conversations.closed_on
),

-- Grain: source, grain, period: contacts that started in the period.
started as (
    select
        placed.source,
        started_periods.period_grain,
        started_periods.period_start,
        sum(case when placed.closed_on is null then placed.contacts else 0 end) as still_open,
        sum(
            case
                when closed_periods.period_start > started_periods.period_start then placed.contacts
                else 0
            end
        ) as closed_in_later_period,
        sum(
            case
                when closed_periods.period_start < started_periods.period_start then placed.contacts
                else 0
            end
        ) as closed_in_earlier_period
    from placed
    inner join periods as started_periods on placed.started_on = started_periods.day
    left join periods as closed_periods
        on
            placed.closed_on = closed_periods.day
            and started_periods.period_grain = closed_periods.period_grain
    group by
        placed.source,
        started_periods.period_grain,
        started_periods.period_start
),

-- Grain: source, grain, period: contacts whose conversation closed in the period.
closed as (
    select
        placed.source,
        closed_periods.period_grain,
        closed_periods.period_start,
        sum(
            case
                when started_periods.period_start < closed_periods.period_start then placed.contacts
                else 0
            end
        ) as started_in_earlier_period,
        sum(
            case
                when started_periods.period_start > closed_periods.period_start then placed.contacts
                else 0
            end
        ) as started_in_later_period
    from placed
    inner join periods as closed_periods on placed.closed_on = closed_periods.day
    inner join periods as started_periods
        on
            placed.started_on = started_periods.day
            and closed_periods.period_grain = started_periods.period_grain
    group by
        placed.source,
        closed_periods.period_grain,
        closed_periods.period_start
),

spans as (
    select
        period_grain,
        period_start,
        source
    from contacts_report
    union
    select
        period_grain,
        period_start,
        source
    from statistical_report
),

joined as (
    select
        spans.period_grain,
        spans.period_start,
        spans.source,
        coalesce(contacts_report.contacts, 0) as contacts_report_contacts,
        coalesce(statistical_report.conversations, 0) as statistical_report_conversations,
        coalesce(statistical_report.contacts, 0) as statistical_report_contacts,
        cast(coalesce(started.still_open, 0) as bigint) as still_open,
        cast(coalesce(started.closed_in_later_period, 0) as bigint) as closed_in_later_period,
        cast(coalesce(started.closed_in_earlier_period, 0) as bigint) as closed_in_earlier_period,
        cast(coalesce(closed.started_in_earlier_period, 0) as bigint) as started_in_earlier_period,
        cast(coalesce(closed.started_in_later_period, 0) as bigint) as started_in_later_period
    from spans
    left join contacts_report
        on
            spans.period_grain = contacts_report.period_grain
            and spans.period_start = contacts_report.period_start
            and spans.source = contacts_report.source
    left join statistical_report
        on
            spans.period_grain = statistical_report.period_grain
            and spans.period_start = statistical_report.period_start
            and spans.source = statistical_report.source
    left join started
        on
            spans.period_grain = started.period_grain
            and spans.period_start = started.period_start
            and spans.source = started.source
    left join closed
        on
            spans.period_grain = closed.period_grain
            and spans.period_start = closed.period_start
            and spans.source = closed.source
)

select
    period_grain,
    period_start,
    source,
    contacts_report_contacts,
    statistical_report_conversations,
    statistical_report_contacts,
    contacts_report_contacts - statistical_report_contacts as difference,
    still_open,
    closed_in_later_period,
    closed_in_earlier_period,
    started_in_earlier_period,
    started_in_later_period,
    contacts_report_contacts
    - statistical_report_contacts
    - still_open
    - closed_in_later_period
    - closed_in_earlier_period
    + started_in_earlier_period
    + started_in_later_period as unexplained
from joined
order by
    period_grain,
    period_start,
    source
