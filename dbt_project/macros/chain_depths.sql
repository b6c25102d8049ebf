{#-
    A materialization that ranks the nodes of chains by pointer jumping.

    The model's SQL gives one row per node that has a predecessor (node bigint, previous bigint). The
    table has one row per such node: node, depth, the number of steps back to the chain's start.
    Each round doubles the reach of every pointer, so a chain of n takes log2(n) rounds. Pointers that
    are left after that run in a cycle: their depth then says nothing, but is the same in every run.
-#}
{% materialization chain_depths, default %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set working = [] -%}

    {%- if existing_relation is not none -%}
        {%- do adapter.drop_relation(existing_relation) -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks) }}

    {%- set pointers = create_step('pointers_0', first_pointers_sql(sql), working) -%}
    {%- set state = namespace(pointers=pointers, open=has_rows(pointers), limit=1) -%}
    {#- After as many doublings as the count has bits, every pointer of a chain has passed its start. -#}
    {%- set nodes = run_query("select count(*) from " ~ pointers).columns[0].values()[0] -%}
    {%- for power in range(1, 64) if 2 ** power < nodes * 2 -%}
        {%- set state.limit = power + 1 -%}
    {%- endfor -%}

    {%- for number in range(1, state.limit + 1) if state.open -%}
        {%- set doubled = create_step('pointers_' ~ number, doubled_pointers_sql(state.pointers), working) -%}
        {%- set state.pointers = doubled -%}
        {%- set state.open = has_rows(doubled, 'previous is not null') -%}
    {%- endfor -%}

    {% call statement('main') -%}
        {{ create_table_as(False, target_relation, "select node, depth from " ~ state.pointers) }}
    {%- endcall %}
    {%- for relation in working -%}
        {%- do adapter.drop_relation(relation) -%}
    {%- endfor -%}

    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro first_pointers_sql(chains) %}
    select
        node,
        previous,
        cast(1 as bigint) as depth
    from ({{ chains }}) as given_chains
{% endmacro %}

{% macro doubled_pointers_sql(pointers) %}
    select
        nearer.node,
        farther.previous,
        nearer.depth + coalesce(farther.depth, 0) as depth
    from {{ pointers }} as nearer
    left join {{ pointers }} as farther on nearer.previous = farther.node
{% endmacro %}
