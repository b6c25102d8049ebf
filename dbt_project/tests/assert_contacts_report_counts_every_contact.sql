{{ config(group='reporting') }}

-- Catches a contact that the contacts report leaves out or counts twice, in any grain and
-- dimension.
with contacts as (
    {{ with_kept(ref('contacts')) }}
),

started as (
    {{ counted_in_periods('contacts', 'started_on') }}
),

totals as (
    select
        period_grain,
        dimension,
        sum(contacts) as contact_count
    from {{ ref('contacts_report') }}
    group by period_grain, dimension
)

select
    totals.period_grain,
    totals.dimension,
    totals.contact_count as reported,
    started.row_count as started
from totals
inner join started on totals.period_grain = started.period_grain
where totals.contact_count <> started.row_count
