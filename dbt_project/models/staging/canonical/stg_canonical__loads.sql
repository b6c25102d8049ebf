with loads as (
    select * from {{ source('raw', 'loads') }}
)

select
    load_no,
    source,
    log,
    path,
    status,
    rows_read,
    rows_loaded,
    rows_rejected,
    loaded_at,
    run_id
from loads
