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
),

-- A contact that no earlier link names was a component of its own: a self link keeps it in view.
nodes as (
    select components.node
    from components
    inner join superseded on components.component = superseded.component
)

select
    nodes.node as node_a,
    coalesce(links.to_key, nodes.node) as node_b
from nodes
cross join last_publication
left join links
    on
        nodes.node = links.from_key
        and last_publication.last_load_no >= links.load_no
