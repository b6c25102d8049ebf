-- One row per conversation that was rated: the answers that count.
with ratings as (
    select * from {{ ref('int_ratings__assigned') }}
)

select
    conversation_key,
    max(case when is_counted and question = 'csat' then score end) as csat_score,
    max(case when is_counted and question = 'nps' then score end) as nps_score,
    max(changed_load_no) as changed_load_no
from ratings
where conversation_key is not null
group by conversation_key
