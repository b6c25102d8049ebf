-- One row per contact that an accepted transfer left or reached.
with transfers as (
    select * from {{ ref('int_transfers__judged') }}
),

departures as (
    select
        from_key as contact_key,
        count(*) as transfers_out_count,
        0 as transfers_in_count,
        cast(null as timestamp) as arrival_requested_at
    from transfers
    where is_completed and from_key is not null
    group by from_key
),

arrivals as (
    select
        to_key as contact_key,
        0 as transfers_out_count,
        count(*) as transfers_in_count,
        -- A contact can be offered twice: the visitor has waited since the first request.
        min(requested_at) as arrival_requested_at
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
    min(arrival_requested_at) as arrival_requested_at
from unioned
group by contact_key
