{{ config(alias='projects') }}

-- One row per project that the registry has or a contact names. The table is called projects; the
-- model cannot be, because the registry's seed is, and dbt knows both by one name.
with registered as (
    select * from {{ ref('projects') }}
),

sources as (
    select * from {{ ref('sources') }}
),

contacts as (
    select
        source,
        project_id
    from {{ ref('int_contacts__current') }}
    where project_id is not null
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
order by known.source, known.project_id
