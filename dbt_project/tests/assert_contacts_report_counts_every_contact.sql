-- Catches a contact that the contacts report leaves out or counts twice, in any grain and
-- dimension.
with contacts as (
    select count(*) as contact_count
    from {{ ref('contacts') }}
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
    contacts.contact_count as started
from totals
cross join contacts
where totals.contact_count <> contacts.contact_count
