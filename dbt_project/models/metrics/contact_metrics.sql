-- One row per starting day, dimension and value: the numerators and denominators of the contacts
-- report, which weeks, months, means and rates are made of.
--
-- Ids of projects, agents and groups mean something only inside their source, so those rows are per
-- source.
with measured as (
    select * from {{ ref('int_contacts__measured') }}
    where
        started_on in (
            select spanned.day from {{ ref('int_periods__spanned') }} as spanned
            where spanned.period_grain = 'day' and spanned.is_touched
        )
),

-- Grain: starting day, source, project, channel, agent, kind, group.
attributed as (
    select
        started_on,
        {{ attributes('contact') }},
        {{ totals('contact') }}
    from measured
    group by
        started_on,
        {{ attributes('contact') }}
),

dimensions as (
    {{ dimensions('contact') }}
),

-- Grain: starting day, dimension, source, value; the attributes' combinations once per dimension.
by_dimension as (
    select
        attributed.started_on,
        dimensions.dimension,
        {{ place_in_dimension('contact', 'attributed') }},
        {{ measures('contact', 'attributed') }}
    from attributed
    cross join dimensions
)

select
    started_on,
    dimension,
    source,
    dimension_value,
    {{ totals('contact') }}
from by_dimension
group by
    started_on,
    dimension,
    source,
    dimension_value
{{ laid_out_by() }}
