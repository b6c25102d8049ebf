-- One row per source and word by which its references say that there is none: those of every
-- source, and its own. A table of a few rows, which the largest logs are looked up in.
with placeholders as (
    select * from {{ ref('placeholders') }}
),

sources as (
    select distinct source
    from {{ ref('stg_canonical__loads') }}
    where source is not null
)

select distinct
    sources.source,
    placeholders.word
from sources
inner join placeholders
    on
        placeholders.source is null
        or sources.source = placeholders.source
where placeholders.word is not null
