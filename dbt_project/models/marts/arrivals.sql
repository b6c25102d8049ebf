-- One row per load and delay: how many records the load brought first, so long after what they tell
-- of came about. Counted when the load was made, so a row never changes.
with loads as (
    select * from {{ ref('stg_canonical__loads') }}
    where status = 'loaded'
),

delays as (
    select * from {{ ref('stg_canonical__delays') }}
),

delayed as (
    select
        load_no,
        sum(records) as records
    from delays
    group by load_no
),

counted as (
    select
        load_no,
        hours * 3600.0 as delay_seconds,
        records
    from delays

    union all

    -- The rest repeats or corrects what was there, or tells of nothing that came about at a time.
    select
        loads.load_no,
        null as delay_seconds,
        loads.rows_loaded - coalesce(delayed.records, 0) as records
    from loads
    left join delayed on loads.load_no = delayed.load_no
)

select
    counted.load_no,
    loads.source,
    loads.log,
    loads.run_id,
    loads.loaded_at,
    cast(counted.delay_seconds as double) as delay_seconds,
    cast(counted.records as bigint) as record_count
from counted
inner join loads on counted.load_no = loads.load_no
{{ laid_out_by() }}
