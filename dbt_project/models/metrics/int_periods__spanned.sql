{{ config(materialized='view', access='private', contract={'enforced': false}) }}

-- One row per day that any figure belongs to and grain: the period that the day falls in. Weeks are
-- ISO weeks, which start on Monday.
with conversations as (
    select closed_on as day
    from {{ ref('conversations') }}
    where is_closed
),

contacts as (
    select started_on as day
    from {{ ref('contacts') }}
),

days as (
    select day from conversations
    union
    select day from contacts
)

select
    day,
    'day' as period_grain,
    day as period_start
from days

union all

select
    day,
    'week' as period_grain,
    cast({{ dbt.date_trunc('week', 'day') }} as date) as period_start
from days

union all

select
    day,
    'month' as period_grain,
    cast({{ dbt.date_trunc('month', 'day') }} as date) as period_start
from days
