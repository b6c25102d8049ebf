{{ config(materialized='connected_components') }}

-- One row per contact of a conversation that a merge made: the component that it belonged to when
-- the last version was published. Empty unless this run found a merge.
with links as (
    select * from {{ ref('int_links__accepted') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

superseded as (
    select distinct component
    from {{ ref('int_conversation_ids__superseded') }}
),

last_publication as (
    select coalesce(max(last_load_no), 0) as last_load_no
    from {{ ref('stg_canonical__publications') }}
)

select
    links.from_key as node_a,
    links.to_key as node_b
from links
inner join components on links.from_key = components.node
inner join superseded on components.component = superseded.component
cross join last_publication
where links.load_no <= last_publication.last_load_no
