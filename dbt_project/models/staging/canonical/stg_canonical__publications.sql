with publications as (
    select * from {{ source('raw', 'publications') }}
)

select
    publication_no,
    last_load_no
from publications
