-- One row per source that the registry has or a contact names.
with registered as (
    select * from {{ ref('stg_registry__sources') }}
),

contacts as (
    {{ with_kept(ref('contacts')) }}
),

known as (
    select source
    from registered

    union

    select source
    from contacts
)

select
    known.source,
    coalesce(registered.time_zone, 'UTC') as time_zone,
    registered.currency,
    coalesce(registered.numeric_ids, false) as has_numeric_ids
from known
left join registered on known.source = registered.source
{{ laid_out_by() }}
