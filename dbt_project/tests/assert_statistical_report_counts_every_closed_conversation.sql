{{ config(group='reporting') }}

-- Catches a closed conversation that the statistical report leaves out or counts twice, in any
-- grain, and a dimension whose rows do not add up to the whole although they are said to.
with conversations as (
    {{ with_kept(ref('conversations')) }}
),

closed_conversations as (
    select closed_on
    from conversations
    where is_closed
),

closed as (
    {{ counted_in_periods('closed_conversations', 'closed_on') }}
),

totals as (
    select
        period_grain,
        dimension,
        sum(conversations) as conversation_count
    from {{ ref('statistical_report') }}
    where is_additive
    group by period_grain, dimension
)

select
    totals.period_grain,
    totals.dimension,
    totals.conversation_count as reported,
    closed.row_count as closed
from totals
inner join closed on totals.period_grain = closed.period_grain
where totals.conversation_count <> closed.row_count
