-- One row per project that the registry has or a contact names.
with registered as (
    select * from {{ ref('stg_registry__projects') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

contacts as (
    {{ with_kept(ref('contacts')) }}
),

known as (
    select
        source,
        project_id
    from registered

    union

    select
        source,
        project_id
    from contacts
    where project_id is not null
)

select
    known.source,
    known.project_id,
    registered.project_name,
    coalesce(registered.time_zone, sources.time_zone, 'UTC') as time_zone,
    coalesce(registered.currency, sources.currency) as currency
from known
left join registered
    on
        known.source = registered.source
        and known.project_id = registered.project_id
left join sources on known.source = sources.source
{{ laid_out_by() }}
