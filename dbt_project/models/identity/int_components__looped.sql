-- One row per conversation whose stated hand-overs run in a loop: how many more pairs of contacts
-- they name than joining the contacts takes. A shared reference states no hand-over and closes no
-- loop.
with links as (
    select * from {{ ref('int_links__accepted') }}
),

components as (
    select * from {{ ref('int_components__connected') }}
),

stated_components as (
    select * from {{ ref('int_components__stated') }}
),

pairs as (
    select
        from_key,
        to_key
    from links
    where evidence <> 'conversation_ref'
    group by from_key, to_key
),

placed_pairs as (
    select
        pairs.from_key,
        pairs.to_key,
        components.component,
        coalesce(stated_components.component, components.component) as stated_component
    from pairs
    inner join components on pairs.from_key = components.node
    left join stated_components on pairs.from_key = stated_components.node
),

pair_counts as (
    select
        component,
        stated_component,
        count(*) as pair_count
    from placed_pairs
    group by component, stated_component
    -- Two contacts joined by one pair, most conversations, cannot loop.
    having count(*) > 1
),

ends as (
    select
        stated_component,
        from_key as node
    from placed_pairs
    union
    select
        stated_component,
        to_key as node
    from placed_pairs
),

node_counts as (
    select
        ends.stated_component,
        count(*) as node_count
    from ends
    inner join pair_counts on ends.stated_component = pair_counts.stated_component
    group by ends.stated_component
)

select
    pair_counts.component,
    sum(pair_counts.pair_count - node_counts.node_count + 1) as extra_pair_count
from pair_counts
inner join node_counts on pair_counts.stated_component = node_counts.stated_component
where pair_counts.pair_count >= node_counts.node_count
group by pair_counts.component
