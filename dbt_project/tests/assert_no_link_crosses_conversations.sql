-- Catches a component step that ended too early: the two ends of every accepted link belong to the
-- same component. That no component is too large is asserted by the property tests, which know the
-- true partition.
with links as (
    select * from {{ ref('int_links__accepted') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
)

select
    links.source,
    links.from_contact_id,
    links.to_contact_id,
    links.evidence,
    links.evidence_id
from links
left join components as from_components on links.from_key = from_components.node
left join components as to_components on links.to_key = to_components.node
where
    from_components.component is null
    or to_components.component is null
    or from_components.component <> to_components.component
