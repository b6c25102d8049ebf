-- Catches a contact that one report counts and the other cannot account for. The causes are counted
-- from the marts, the two sides come from the reports: nothing may be left between them.
select
    period_grain,
    period_start,
    source,
    difference,
    unexplained
from {{ ref('reconciliation') }}
where unexplained <> 0
