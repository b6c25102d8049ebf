-- One row per period and source: why the contacts of the contacts report are not the contacts
-- inside the statistical report's conversations. The difference is split by cause, each counted
-- from the contacts themselves; what no cause explains must be zero.
with placed as (
    select * from {{ ref('int_contacts__placed') }}
),

periods as (
    select * from {{ ref('int_periods__spanned') }}
),

touched_periods as (
    select distinct
        period_grain,
        period_start
    from periods
    where is_touched
),

contacts_report as (
    select * from {{ ref('contacts_report') }}
    where dimension = 'source'
),

statistical_report as (
    select * from {{ ref('statistical_report') }}
    where dimension = 'source'
),

-- Grain: source, day a contact started, day its conversation closed, whether it waits, grain of the
-- period.
in_periods as (
    select
        placed.source,
        placed.is_waiting,
        placed.contacts,
        started_periods.period_grain,
        started_periods.period_start as started_in,
        closed_periods.period_start as closed_in
    from placed
    inner join periods as started_periods on placed.started_on = started_periods.day
    left join periods as closed_periods
        on
            placed.closed_on = closed_periods.day
            and started_periods.period_grain = closed_periods.period_grain
),

-- Grain: a figure of a report, or a cause: a period, what is counted in it, and how many.
counted as (
    select
        period_grain,
        period_start,
        source,
        'contacts_report_contacts' as figure,
        contacts as number
    from contacts_report

    union all

    select
        period_grain,
        period_start,
        source,
        'statistical_report_conversations' as figure,
        conversations as number
    from statistical_report

    union all

    select
        period_grain,
        period_start,
        source,
        'statistical_report_contacts' as figure,
        contacts as number
    from statistical_report

    union all

    select
        period_grain,
        started_in as period_start,
        source,
        case
            when is_waiting then 'waiting'
            when closed_in is null then 'still_open'
            when closed_in > started_in then 'closed_in_later_period'
            when closed_in < started_in then 'closed_in_earlier_period'
        end as figure,
        contacts as number
    from in_periods

    union all

    select
        period_grain,
        closed_in as period_start,
        source,
        case
            when started_in < closed_in then 'started_in_earlier_period'
            when started_in > closed_in then 'started_in_later_period'
        end as figure,
        contacts as number
    from in_periods
    where closed_in is not null
),

summed as (
    select
        counted.period_grain,
        counted.period_start,
        counted.source,
        {{ reconciled_figures() }}
    from counted
    inner join touched_periods
        on
            counted.period_grain = touched_periods.period_grain
            and counted.period_start = touched_periods.period_start
    group by counted.period_grain, counted.period_start, counted.source
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
    waiting,
    closed_in_later_period,
    closed_in_earlier_period,
    started_in_earlier_period,
    started_in_later_period,
    contacts_report_contacts
    - statistical_report_contacts
    - still_open
    - waiting
    - closed_in_later_period
    - closed_in_earlier_period
    + started_in_earlier_period
    + started_in_later_period as unexplained
from summed
{{ laid_out_by() }}
