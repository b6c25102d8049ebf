{#-
    A materialization for connected components, in any SQL engine that has `create table as`.

    The model's SQL gives undirected edges (node_a bigint, node_b bigint); repeats and self links do
    no harm. The table has one row per node that stands in an edge: node, component, where component
    is one node of the component, the same for all of them.

    Each round hooks every node to the smallest of its neighbours and itself, by a hash that is new
    in each round, and replaces the nodes of the edges by what they hooked to. An edge whose ends
    became one is done. Whatever the shape, a round is expected to leave at most three quarters of
    the nodes (R. Bögeholz, M. Brand, R. Todor, "In-database connected component analysis", 2020), so
    a chain of n contacts takes about 2.4 log2(n) rounds; a cycle ends like anything else. The hooks
    of the rounds are then followed from the last round back to the first, one join a round.
    A fixed order of node ids instead of the hash would take n rounds on an unlucky chain.
-#}
{% materialization connected_components, default %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set round = namespace(number=0, edges=none) -%}
    {%- set rounds_table = [] -%}

    {%- if existing_relation is not none -%}
        {%- do adapter.drop_relation(existing_relation) -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks) }}

    {%- set edges = step_relation('edges_0') -%}
    {%- do create_step(edges, "select distinct least(node_a, node_b) as node_a, greatest(node_a, node_b) as node_b from (" ~ sql ~ ") as given_edges") -%}
    {%- set round.edges = edges -%}
    {%- set limit = 200 -%}

    {%- for number in range(1, limit + 1) if round.edges is not none -%}
        {%- set hooks = step_relation('hooks_' ~ number) -%}
        {%- set next_edges = step_relation('edges_' ~ number) -%}
        {%- do create_step(hooks, hooks_sql(round.edges, number)) -%}
        {%- do create_step(next_edges, contracted_edges_sql(round.edges, hooks)) -%}
        {%- do adapter.drop_relation(round.edges) -%}
        {%- do rounds_table.append(hooks) -%}
        {%- set round.number = number -%}
        {%- set left_over = run_query("select count(*) from (select 1 as found from " ~ next_edges ~ " limit 1) as probe").columns[0].values()[0] -%}
        {%- if left_over == 0 -%}
            {%- do adapter.drop_relation(next_edges) -%}
            {%- set round.edges = none -%}
        {%- else -%}
            {%- set round.edges = next_edges -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if round.edges is not none -%}
        {{ exceptions.raise_compiler_error("connected components did not end in " ~ limit ~ " rounds: " ~ this) }}
    {%- endif -%}

    {#- Follow the hooks back: the last round's are final; each earlier round looks its own up there. -#}
    {%- set labels = namespace(relation=rounds_table[-1]) -%}
    {%- for hooks in rounds_table[:-1] | reverse -%}
        {%- set followed = step_relation('labels_' ~ loop.revindex) -%}
        {%- do create_step(followed, followed_hooks_sql(hooks, labels.relation)) -%}
        {%- do adapter.drop_relation(hooks) -%}
        {%- do adapter.drop_relation(labels.relation) -%}
        {%- set labels.relation = followed -%}
    {%- endfor -%}

    {% call statement('main') -%}
        {{ create_table_as(False, target_relation, "select node, hooked_to as component from " ~ labels.relation) }}
    {%- endcall %}
    {%- do adapter.drop_relation(labels.relation) -%}
    {{ log(this.identifier ~ ": " ~ round.number ~ " rounds", info=false) }}

    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- A working table of a materialization, beside the model and named after it. -#}
{% macro step_relation(step) %}
    {{ return(api.Relation.create(
        database=this.database, schema=this.schema, identifier=this.identifier ~ '__' ~ step, type='table'
    )) }}
{% endmacro %}

{#- One step; a table that a killed run left behind gives way. -#}
{% macro create_step(relation, step_sql) %}
    {%- do adapter.drop_relation(relation) -%}
    {% call statement('step') -%}
        create table {{ relation }} as {{ step_sql }}
    {%- endcall %}
{% endmacro %}

{#- What each node hooks to: the neighbour with the smallest hash of this round, or itself. -#}
{% macro hooks_sql(edges, number) %}
    select
        node,
        case
            when min({{ volatile_hash(['neighbour', number]) }}) < {{ volatile_hash(['node', number]) }}
                then {{ value_at_smallest('neighbour', volatile_hash(['neighbour', number])) }}
            else node
        end as hooked_to
    from (
        select node_a as node, node_b as neighbour from {{ edges }}
        union all
        select node_b as node, node_a as neighbour from {{ edges }}
    ) as neighbours
    group by node
{% endmacro %}

{#- The edges between what their ends hooked to, without those that became one node. -#}
{% macro contracted_edges_sql(edges, hooks) %}
    select distinct
        least(hooks_a.hooked_to, hooks_b.hooked_to) as node_a,
        greatest(hooks_a.hooked_to, hooks_b.hooked_to) as node_b
    from {{ edges }} as edges
    inner join {{ hooks }} as hooks_a on edges.node_a = hooks_a.node
    inner join {{ hooks }} as hooks_b on edges.node_b = hooks_b.node
    where hooks_a.hooked_to <> hooks_b.hooked_to
{% endmacro %}

{#- Where each node of a round ended up, given where the nodes it hooked to ended up. -#}
{% macro followed_hooks_sql(hooks, labels) %}
    select
        hooks.node,
        coalesce(labels.hooked_to, hooks.hooked_to) as hooked_to
    from {{ hooks }} as hooks
    left join {{ labels }} as labels on hooks.hooked_to = labels.node
{% endmacro %}
