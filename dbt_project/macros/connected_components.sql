{#-
    A materialization for connected components, in any SQL engine that has `create table as`.

    The model's SQL gives undirected edges (node_a bigint, node_b bigint); repeats and self links do
    no harm. The table has one row per node that stands in an edge with another: node, component,
    where component is one node of the component, the same for all of them.

    Hooking and pointer jumping. In a round every edge points from the larger of its ends to the
    smaller, and each node keeps the smallest end that it points to: that makes trees, whatever the
    shape, because pointers only ever descend. Pointers are then followed by doubling, so that a tree
    of depth d takes log2(d) steps; nodes that have reached their root are put aside. Edges that no
    node kept are lifted to the roots of their ends and make the next round, until none is left.

    The first round compares the node ids themselves: contacts are numbered as they arrive, so that
    ordinary chains are trees already and end in one round. Later rounds compare hashes that are new
    in each round, so that no arrangement of ids can make them many: what is left shrinks to a
    fraction that does not depend on the shape. A plain recursive query is quadratic on a long chain
    and does not end on a cycle.
-#}
{% materialization connected_components, default %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set round_limit = 200 -%}
    {%- set state = namespace(edges="(" ~ sql ~ ")", edges_relation=none, open=true) -%}
    {%- set settled_by_round = [] -%}
    {%- set working = [] -%}

    {%- if existing_relation is not none -%}
        {%- do adapter.drop_relation(existing_relation) -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks) }}

    {%- for number in range(1, round_limit + 1) if state.open -%}
        {%- set pointers = create_step('pointers_' ~ number, kept_pointers_sql(state.edges, number), working) -%}
        {%- set settled = follow_pointers(pointers, number, working) -%}
        {%- do settled_by_round.append(settled) -%}
        {%- set state.open = has_rows(pointers, 'points_to_several') -%}
        {%- if state.open -%}
            {%- set lifted = create_step(
                'edges_' ~ number, lifted_edges_sql(state.edges, pointers, settled, number), working
            ) -%}
            {%- set state.edges = lifted | string -%}
            {%- set state.open = has_rows(lifted) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if state.open -%}
        {{ exceptions.raise_compiler_error(
            "connected components did not end in " ~ round_limit ~ " rounds: " ~ this
        ) }}
    {%- endif -%}

    {#- From the last round back: the root of an earlier round may have gone on in a later one. -#}
    {%- set labels = namespace(source=settled_by_round[-1]) -%}
    {%- for settled in settled_by_round[:-1] | reverse -%}
        {%- set labels.source = create_step(
            'labels_' ~ loop.revindex, continued_labels_sql(settled, labels.source), working
        ) | string -%}
    {%- endfor -%}

    {% call statement('main') -%}
        {{ create_table_as(False, target_relation, labelled_nodes_sql(labels.source)) }}
    {%- endcall %}
    {%- for relation in working -%}
        {%- do adapter.drop_relation(relation) -%}
    {%- endfor -%}

    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Creates a working table of a materialization, beside the model and named after it, and notes it
    for dropping. A table that a killed run left behind gives way. -#}
{% macro create_step(step, step_sql, working) %}
    {%- set relation = api.Relation.create(
        database=this.database, schema=this.schema, identifier=this.identifier ~ '__' ~ step, type='table'
    ) -%}
    {%- do adapter.drop_relation(relation) -%}
    {% call statement('step') -%}
        create table {{ relation }} as {{ step_sql }}
    {%- endcall %}
    {%- do working.append(relation) -%}
    {{ return(relation) }}
{% endmacro %}

{#- Whether a relation has a row, or one for which a condition holds. -#}
{% macro has_rows(relation, condition='true') %}
    {%- set probe = "select count(*) from (select 1 as found from " ~ relation ~ " where " ~ condition ~ " limit 1) as probe" -%}
    {{ return(run_query(probe).columns[0].values()[0] > 0) }}
{% endmacro %}

{#- The end of an edge that a round takes for the larger, or the smaller. -#}
{% macro edge_end(which, number) %}
    {%- if number == 1 -%}
        {{ return(('greatest' if which == 'larger' else 'least') ~ "(node_a, node_b)") }}
    {%- endif -%}
    {%- set a_first = volatile_hash(['node_a', number]) ~ " < " ~ volatile_hash(['node_b', number]) -%}
    {%- set ends = ['node_b', 'node_a'] if which == 'larger' else ['node_a', 'node_b'] -%}
    {{ return("case when " ~ a_first ~ " then " ~ ends[0] ~ " else " ~ ends[1] ~ " end") }}
{% endmacro %}

{#- One pointer per node that is the larger end of an edge: to the smallest of the other ends. -#}
{% macro kept_pointers_sql(edges, number) %}
    {%- set smaller = edge_end('smaller', number) %}
    select
        {{ edge_end('larger', number) }} as node,
        {% if number == 1 -%}
        min({{ smaller }}) as pointer,
        {%- else -%}
        {{ value_at_smallest(smaller, volatile_hash([smaller, number])) }} as pointer,
        {%- endif %}
        min({{ smaller }}) <> max({{ smaller }}) as points_to_several
    from {{ edges }} as edges
    where node_a <> node_b
    group by 1
{% endmacro %}

{#- Follows pointers to the roots. Gives a subquery (node, pointer) of the nodes with their roots. -#}
{% macro follow_pointers(pointers, number, working) %}
    {%- set state = namespace(moving=pointers, open=true) -%}
    {%- set settled = [] -%}
    {#- 64 doublings follow any chain that 64-bit ids can number. -#}
    {%- for jump in range(1, 65) if state.open -%}
        {%- set known = ["select node, pointer from " ~ state.moving] + settled -%}
        {%- set jumped = create_step(
            'jumped_' ~ number ~ '_' ~ jump, jumped_pointers_sql(state.moving, known), working
        ) -%}
        {%- set state.open = has_rows(jumped) -%}
        {%- if state.open -%}
            {%- set arrived = create_step(
                'settled_' ~ number ~ '_' ~ jump, arrived_pointers_sql(state.moving, jumped), working
            ) -%}
            {%- do settled.append("select node, pointer from " ~ arrived) -%}
        {%- else -%}
            {%- do settled.append("select node, pointer from " ~ state.moving) -%}
        {%- endif -%}
        {%- set state.moving = jumped -%}
    {%- endfor -%}
    {{ return("(" ~ settled | join(" union all ") ~ ")") }}
{% endmacro %}

{#- The nodes whose pointer leads to a node that points on: each with the pointer of that one. -#}
{% macro jumped_pointers_sql(moving, known) %}
    select
        nearer.node,
        farther.pointer
    from {{ moving }} as nearer
    inner join ({{ known | join(" union all ") }}) as farther on nearer.pointer = farther.node
{% endmacro %}

{#- The nodes that did not jump: their pointer is a root. -#}
{% macro arrived_pointers_sql(moving, jumped) %}
    select
        moving.node,
        moving.pointer
    from {{ moving }} as moving
    where not exists (select 1 from {{ jumped }} as jumped where jumped.node = moving.node)
{% endmacro %}

{#- The edges whose pointer was not kept, between the roots of their ends. -#}
{% macro lifted_edges_sql(edges, pointers, settled, number) %}
    select distinct
        coalesce(roots_a.pointer, left_over.node_a) as node_a,
        coalesce(roots_b.pointer, left_over.node_b) as node_b
    from (
        select
            edges.node_a,
            edges.node_b
        from {{ edges }} as edges
        inner join {{ pointers }} as pointers
            on
                {{ edge_end('larger', number) }} = pointers.node
                and {{ edge_end('smaller', number) }} <> pointers.pointer
        where pointers.points_to_several
    ) as left_over
    left join {{ settled }} as roots_a on left_over.node_a = roots_a.node
    left join {{ settled }} as roots_b on left_over.node_b = roots_b.node
    where coalesce(roots_a.pointer, left_over.node_a) <> coalesce(roots_b.pointer, left_over.node_b)
{% endmacro %}

{#- The labels of two rounds: those of the later one, and those of the earlier one led on by them. -#}
{% macro continued_labels_sql(earlier, later) %}
    select
        earlier.node,
        coalesce(later.pointer, earlier.pointer) as pointer
    from {{ earlier }} as earlier
    left join {{ later }} as later on earlier.pointer = later.node
    union all
    select
        later.node,
        later.pointer
    from {{ later }} as later
{% endmacro %}

{#- Every node with its component: those that point to a root, and the roots themselves. -#}
{% macro labelled_nodes_sql(labels) %}
    select
        node,
        pointer as component
    from {{ labels }} as labels
    union all
    select distinct
        pointer as node,
        pointer as component
    from {{ labels }} as labels
{% endmacro %}
