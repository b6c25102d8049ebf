-- One row per conversation that was rated: the answers that count, and what each is taken for. The
-- one place that says which answers are positive, and which make a promoter or a detractor.
with ratings as (
    select * from {{ ref('ratings') }}
),

counted as (
    select
        conversation_key,
        max(case when is_counted and question = 'csat' then score end) as csat_score,
        max(case when is_counted and question = 'nps' then score end) as nps_score,
        max(changed_load_no) as changed_load_no
    from ratings
    where conversation_key is not null
    group by conversation_key
)

select
    conversation_key,
    csat_score,
    csat_score >= 4 as is_csat_positive,
    nps_score,
    case
        when nps_score >= 9 then 'promoter'
        when nps_score <= 6 then 'detractor'
        when nps_score is not null then 'passive'
    end as nps_class,
    changed_load_no
from counted
