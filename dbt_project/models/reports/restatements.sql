{{ config(materialized='view', group='warehouse') }}

-- One row per cell of a report that a publication changed after it had been published. What a
-- publication changes is known when it is compared with what readers have, so publishing records it
-- right before it copies this: a view shows it at once. It is the warehouse's, as the ledgers are.
with restatements as (
    select * from {{ ref('stg_canonical__restatements') }}
)

select
    publication_no,
    restated_at,
    report,
    period_grain,
    period_start,
    dimension,
    dimension_value,
    source,
    measure,
    from_value,
    to_value,
    was_provisional,
    cause,
    conversations as conversation_count,
    cells as cell_count
from restatements
