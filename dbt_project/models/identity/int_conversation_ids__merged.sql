-- One row per published conversation id that this run found to be part of another conversation: the
-- record of the merge, which the publication adds to raw.id_merges.
--
-- What caused it is the first link, by load, that arrived since the last publication and leads out
-- of what the old id stood for; a transfer before other evidence. A merge without such a link comes
-- from a change of the link policy or of the registry.
with superseded as (
    select * from {{ ref('int_conversation_ids__superseded') }}
),

links as (
    select * from {{ ref('int_links__accepted') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

superseded_components as (
    select distinct component
    from superseded
),

earlier_components as (
    select * from {{ ref('int_components__published') }}
),

last_publication as (
    select coalesce(max(last_load_no), 0) as last_load_no
    from {{ ref('stg_canonical__publications') }}
),

loads as (
    select * from {{ ref('stg_canonical__loads') }}
),

-- A contact that shared no component then was one of its own.
new_links as (
    select
        links.evidence,
        links.evidence_id,
        links.load_no,
        links.linked_at,
        coalesce(from_components.component, links.from_key) as from_component,
        coalesce(to_components.component, links.to_key) as to_component
    from links
    inner join components on links.from_key = components.node
    inner join superseded_components on components.component = superseded_components.component
    cross join last_publication
    left join earlier_components as from_components on links.from_key = from_components.node
    left join earlier_components as to_components on links.to_key = to_components.node
    where links.load_no > last_publication.last_load_no
),

causes as (
    select
        superseded.old_conversation_id,
        superseded.new_conversation_id,
        superseded.source,
        new_links.evidence,
        new_links.evidence_id,
        new_links.load_no,
        row_number() over (
            partition by superseded.old_conversation_id
            order by
                new_links.load_no nulls last,
                case when new_links.evidence = 'transfer' then 0 else 1 end,
                new_links.linked_at,
                new_links.evidence_id
        ) as cause_rank
    from superseded
    left join earlier_components on superseded.contact_key = earlier_components.node
    left join new_links
        on
            new_links.from_component <> new_links.to_component
            and coalesce(earlier_components.component, superseded.contact_key)
            in (new_links.from_component, new_links.to_component)
),

newest_load as (
    select max(loaded_at) as loaded_at
    from loads
)

select
    causes.old_conversation_id,
    causes.new_conversation_id,
    causes.source,
    coalesce(loads.loaded_at, newest_load.loaded_at) as merged_at,
    coalesce(causes.evidence, 'policy') as evidence,
    case when causes.evidence = 'transfer' then causes.evidence_id end as transfer_id
from causes
cross join newest_load
left join loads on causes.load_no = loads.load_no
where causes.cause_rank = 1
