with restatements as (
    select * from {{ source('raw', 'restatements') }}
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
    conversations,
    cells
from restatements
