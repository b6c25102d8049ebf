-- One row per contact that an accepted transfer left or reached, or from which one is pending.
with transfers as (
    select * from {{ ref('transfers') }}
),

departures as (
    select
        from_key as contact_key,
        count(case when is_completed then 1 end) as transfers_out_count,
        0 as transfers_in_count,
        cast(null as timestamp) as arrival_requested_at,
        max(case when outcome = 'pending' then requested_at end) as pending_requested_at
    from transfers
    where (is_completed or outcome = 'pending') and from_key is not null
    group by from_key
),

arrivals as (
    select
        to_key as contact_key,
        0 as transfers_out_count,
        count(*) as transfers_in_count,
        -- A contact can be offered twice: the visitor has waited since the first request.
        min(requested_at) as arrival_requested_at,
        cast(null as timestamp) as pending_requested_at
    from transfers
    where is_completed and to_key is not null
    group by to_key
),

unioned as (
    select * from departures
    union all
    select * from arrivals
)

select
    contact_key,
    sum(transfers_out_count) > 0 as is_transferred_out,
    sum(transfers_in_count) > 0 as is_transferred_in,
    min(arrival_requested_at) as arrival_requested_at,
    max(pending_requested_at) as pending_requested_at
from unioned
group by contact_key
