-- Catches a closed conversation that the statistical report leaves out or counts twice, in any
-- grain, and a dimension whose rows do not add up to the whole although they are said to.
with conversations as (
    select count(*) as conversation_count
    from {{ ref('conversations') }}
    where is_closed
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
    conversations.conversation_count as closed
from totals
cross join conversations
where totals.conversation_count <> conversations.conversation_count
