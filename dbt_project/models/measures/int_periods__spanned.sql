{{ config(materialized='table') }}

-- One row per day that any figure belongs to and grain: the period that the day falls in, and
-- whether its figures are worked out: in a full build all are. Weeks are ISO weeks, which start on
-- Monday.
with conversations as (
    select closed_on as day
    from {{ ref('conversations') }}
    where is_closed
),

contacts as (
    select started_on as day
    from {{ ref('contacts') }}
),

kept_days as (
    {{ kept_days() }}
),

built_days as (
    select day from conversations
    union
    select day from contacts
),

days as (
    select
        day,
        true as is_touched
    from built_days

    union

    select
        kept_days.day,
        kept_days.is_touched
    from kept_days
    left join built_days on kept_days.day = built_days.day
    where built_days.day is null
),

placed as (
    select
        day,
        is_touched,
        'day' as period_grain,
        day as period_start
    from days

    union all

    select
        day,
        is_touched,
        'week' as period_grain,
        cast({{ dbt.date_trunc('week', 'day') }} as date) as period_start
    from days

    union all

    select
        day,
        is_touched,
        'month' as period_grain,
        cast({{ dbt.date_trunc('month', 'day') }} as date) as period_start
    from days
)

select
    day,
    period_grain,
    period_start,
    max(case when is_touched then 1 else 0 end)
        over (partition by period_grain, period_start)
    = 1 as is_touched
from placed
