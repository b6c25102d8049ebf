with delays as (
    select * from {{ source('raw', 'delays') }}
)

select
    load_no,
    hours,
    records
from delays
