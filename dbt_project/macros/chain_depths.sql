{#-
    A materialization that ranks the nodes of a graph by the longest chain that leads to each.

    The model's SQL gives who comes before whom (node bigint, previous bigint); repeats do no harm.
    The table has one row per node that has a predecessor: node, depth, the steps of the longest chain
    back. A node in a circle, or behind one, has no longest chain: its depth is the same large number,
    whatever else the table holds.

    Each node keeps one predecessor, and pointers are followed by doubling, so that a chain of n takes
    log2(n) rounds. Then every node that has a deeper predecessor than its own goes over to that one,
    and pointers are followed again, until none has: ordinary hand-overs have one predecessor each and
    are done at once. After n times every chain of n is right, and most are after two.
-#}
{% materialization chain_depths, default %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set most_changes = 100 -%}
    {%- set working = [] -%}

    {%- if existing_relation is not none -%}
        {%- do adapter.drop_relation(existing_relation) -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks) }}

    {%- set links = create_step('links', sql, working) -%}
    {%- set state = namespace(
        kept=create_step('kept_0', first_kept_sql(links), working), depths=none, open=true
    ) -%}
    {%- for number in range(1, most_changes + 1) if state.open -%}
        {%- set state.depths = create_step(
            'depths_' ~ number, settled_depths_sql(followed_pointers(state.kept, number, working)), working
        ) -%}
        {%- set deeper = create_step('deeper_' ~ number, deeper_sql(links, state.depths), working) -%}
        {%- set state.open = has_rows(deeper) -%}
        {%- if state.open -%}
            {%- set state.kept = create_step('kept_' ~ number, next_kept_sql(state.kept, deeper), working) -%}
        {%- endif -%}
    {%- endfor -%}

    {% call statement('main') -%}
        {{ create_table_as(False, target_relation, "select node, depth from " ~ state.depths) }}
    {%- endcall %}
    {%- for relation in working -%}
        {%- do adapter.drop_relation(relation) -%}
    {%- endfor -%}

    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Deeper than any chain: of the nodes in a circle or behind one. -#}
{% macro endless_depth() -%}
    cast(4611686018427387904 as bigint)
{%- endmacro %}

{#- Follow the pointers of `kept` to their ends; gives the table of how far each is. -#}
{% macro followed_pointers(kept, number, working) %}
    {%- set pointers = create_step('pointers_' ~ number ~ '_0', first_pointers_sql(kept), working) -%}
    {%- set state = namespace(pointers=pointers, open=has_rows(pointers), limit=1) -%}
    {#- After as many doublings as the count has bits, every pointer of a chain has passed its start. -#}
    {%- set nodes = run_query("select count(*) from " ~ pointers).columns[0].values()[0] -%}
    {%- for power in range(1, 64) if 2 ** power < nodes * 2 -%}
        {%- set state.limit = power + 1 -%}
    {%- endfor -%}
    {%- for doubling in range(1, state.limit + 1) if state.open -%}
        {%- set doubled = create_step(
            'pointers_' ~ number ~ '_' ~ doubling, doubled_pointers_sql(state.pointers), working
        ) -%}
        {%- set state.pointers = doubled -%}
        {%- set state.open = has_rows(doubled, 'previous is not null') -%}
    {%- endfor -%}
    {{ return(state.pointers) }}
{% endmacro %}

{% macro first_kept_sql(links) %}
    select
        node,
        min(previous) as previous
    from {{ links }}
    group by node
{% endmacro %}

{% macro first_pointers_sql(kept) %}
    select
        node,
        previous,
        cast(1 as bigint) as depth
    from {{ kept }}
{% endmacro %}

{% macro doubled_pointers_sql(pointers) %}
    select
        nearer.node,
        farther.previous,
        nearer.depth + coalesce(farther.depth, 0) as depth
    from {{ pointers }} as nearer
    left join {{ pointers }} as farther on nearer.previous = farther.node
{% endmacro %}

{% macro settled_depths_sql(pointers) %}
    select
        node,
        case when previous is null then depth else {{ endless_depth() }} end as depth
    from {{ pointers }}
{% endmacro %}

{#- The nodes that a predecessor leads to by a longer chain than the one they keep, and which does. -#}
{% macro deeper_sql(links, depths) %}
    with offered as (
        select
            links.node,
            links.previous,
            least(coalesce(before.depth, 0) + 1, {{ endless_depth() }}) as depth
        from {{ links }} as links
        left join {{ depths }} as before on links.previous = before.node
    ),

    deepest as (
        select
            node,
            max(depth) as depth
        from offered
        group by node
    )

    select
        offered.node,
        min(offered.previous) as previous
    from offered
    inner join deepest on offered.node = deepest.node and offered.depth = deepest.depth
    inner join {{ depths }} as depths on offered.node = depths.node
    where offered.depth > depths.depth
    group by offered.node
{% endmacro %}

{% macro next_kept_sql(kept, deeper) %}
    select
        kept.node,
        coalesce(deeper.previous, kept.previous) as previous
    from {{ kept }} as kept
    left join {{ deeper }} as deeper on kept.node = deeper.node
{% endmacro %}
