{{ config(materialized='connected_components') }}

-- One row per contact of a conversation that a shared reference helped to join: its component over
-- stated hand-overs alone. Loops are counted inside these; elsewhere the conversation is the
-- component.
with links as (
    select * from {{ ref('int_links__accepted') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

joined_by_reference as (
    select distinct components.component
    from links
    inner join components on links.from_key = components.node
    where links.evidence = 'conversation_ref'
)

select
    links.from_key as node_a,
    links.to_key as node_b
from links
inner join components on links.from_key = components.node
inner join joined_by_reference on components.component = joined_by_reference.component
where links.evidence <> 'conversation_ref'
