-- One row per closing day, dimension and value: the numerators and denominators of the statistical
-- report, which weeks, months and rates are made of. Percentiles do not add up and are not here.
--
-- An agent or a group counts each conversation that it took part in; those rows do not add up to
-- the whole. Ids of projects, agents and groups mean something only inside their source, so those
-- rows are per source.
with measured as (
    select * from {{ ref('int_conversations__measured') }}
    where
        closed_on in (
            select spanned.day from {{ ref('int_periods__spanned') }} as spanned
            where spanned.period_grain = 'day' and spanned.is_touched
        )
),

staffed as (
    select * from {{ ref('int_conversations__staffed') }}
),

-- Grain: closing day, source, project, channel, automation level, and of conversations of one
-- contact its agent and group.
attributed as (
    select
        closed_on,
        {{ attributes('conversation') }},
        {{ totals('conversation') }}
    from measured
    group by
        closed_on,
        {{ attributes('conversation') }}
),

dimensions as (
    {{ dimensions('conversation') }}
),

-- Grain: closing day, dimension, source, value; the attributes' combinations once per dimension,
-- and each conversation of several contacts once per agent and group that took part in it.
by_dimension as (
    select
        attributed.closed_on,
        dimensions.dimension,
        {{ place_in_dimension('conversation', 'attributed') }},
        {{ measures('conversation', 'attributed') }}
    from attributed
    cross join dimensions
    where {{ counts_in_dimension('conversation', 'attributed') }}

    union all

    select
        staffed.closed_on,
        staffed.dimension,
        staffed.source,
        staffed.dimension_value,
        {{ measures('conversation', 'measured') }}
    from staffed
    inner join measured on staffed.conversation_id = measured.conversation_id
    where measured.contacts > 1
)

select
    closed_on,
    dimension,
    source,
    dimension_value,
    {{ totals('conversation') }}
from by_dimension
group by
    closed_on,
    dimension,
    source,
    dimension_value
{{ laid_out_by() }}
