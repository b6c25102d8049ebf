-- One row per source and load that brought its newest event so far, in the order of loads: the
-- newest row of a source is what waiting is measured against, and the load says since when.
with dated as (
    select * from {{ ref('int_sources__dated') }}
),

with_earlier as (
    select
        source,
        load_no,
        event_at,
        max(event_at) over (
            partition by source
            order by load_no
            rows between unbounded preceding and 1 preceding
        ) as earlier_event_at
    from dated
)

select
    source,
    load_no,
    event_at
from with_earlier
where earlier_event_at is null or event_at > earlier_event_at
