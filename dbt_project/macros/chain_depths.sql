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
    {%- set state = namespace(pointers=step_relation('pointers_0'), open=true) -%}

    {%- if existing_relation is not none -%}
        {%- do adapter.drop_relation(existing_relation) -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks) }}

    {%- do create_step(state.pointers, "select node, previous, cast(1 as bigint) as depth from (" ~ sql ~ ") as given_chains") -%}
    {%- set nodes = run_query("select count(*) from " ~ state.pointers).columns[0].values()[0] -%}
    {#- Bits of the count: after that many doublings every pointer of a chain has passed its start. -#}
    {%- set rounds = namespace(limit=1) -%}
    {%- for power in range(1, 64) if 2 ** power < nodes * 2 -%}
        {%- set rounds.limit = power + 1 -%}
    {%- endfor -%}

    {%- for number in range(1, rounds.limit + 1) if state.open -%}
        {%- set doubled = step_relation('pointers_' ~ number) -%}
        {%- do create_step(doubled, doubled_pointers_sql(state.pointers)) -%}
        {%- do adapter.drop_relation(state.pointers) -%}
        {%- set state.pointers = doubled -%}
        {%- set left_over = run_query("select count(*) from " ~ doubled ~ " where previous is not null").columns[0].values()[0] -%}
        {%- set state.open = left_over > 0 -%}
    {%- endfor -%}

    {% call statement('main') -%}
        {{ create_table_as(False, target_relation, "select node, depth from " ~ state.pointers) }}
    {%- endcall %}
    {%- do adapter.drop_relation(state.pointers) -%}

    {{ run_hooks(post_hooks) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro doubled_pointers_sql(pointers) %}
    select
        nearer.node,
        farther.previous,
        nearer.depth + coalesce(farther.depth, 0) as depth
    from {{ pointers }} as nearer
    left join {{ pointers }} as farther on nearer.previous = farther.node
{% endmacro %}
