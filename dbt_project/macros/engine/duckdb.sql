{#- How DuckDB spells what dispatch.sql names. -#}

{% macro duckdb__wall_clock_to_utc(wall_clock, time_zone) -%}
    timezone('UTC', timezone({{ time_zone }}, {{ wall_clock }}))
{%- endmacro %}

{% macro duckdb__local_day(utc, time_zone) -%}
    cast(
        case
            when {{ time_zone }} = 'UTC' then {{ utc }}
            else timezone({{ time_zone }}, timezone('UTC', {{ utc }}))
        end as date
    )
{%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    ((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0)
{%- endmacro %}

{% macro duckdb__volatile_hash(expressions) -%}
    hash({{ expressions | join(', ') }})
{%- endmacro %}

{% macro duckdb__value_at_smallest(value, measure) -%}
    arg_min({{ value }}, {{ measure }})
{%- endmacro %}

{% macro duckdb__ordered_list(value, order_by) -%}
    list({{ value }} order by {{ order_by }}) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro duckdb__list_element(list, position) -%}
    {{ list }}[{{ position }}]
{%- endmacro %}

{% macro duckdb__previous_known(column, window) -%}
    lag({{ column }} ignore nulls) over {{ window }}
{%- endmacro %}

{% macro duckdb__epoch_microseconds(utc) -%}
    epoch_us({{ utc }})
{%- endmacro %}

{% macro duckdb__list_from_json(text) -%}
    from_json({{ text }}, '["VARCHAR"]')
{%- endmacro %}

{% macro duckdb__list_of(value) -%}
    case when {{ value }} is null then [] else [{{ value }}] end
{%- endmacro %}

{% macro duckdb__id_hash(text) -%}
    cast(concat('0x', substr(md5({{ text }}), 1, 15)) as bigint)
{%- endmacro %}

{% macro duckdb__apart() -%}
    materialized
{%- endmacro %}

{% macro duckdb__each_time() -%}
    not materialized
{%- endmacro %}

{% macro duckdb__try_dictionaries(wanted) -%}
    {{ 'reset disabled_compression_methods' if wanted else "set disabled_compression_methods = 'dictionary'" }}
{%- endmacro %}

{% macro duckdb__registry_rows(relation, columns) -%}
    {%- set folder = env_var('REGISTRY_DIR', '../seeds/registry') -%}
    {%- set file = folder ~ '/' ~ relation.identifier ~ '.csv' -%}
    select
    {%- for name, type in columns.items() %}
        cast({{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    from (
        select {% for name in columns %}cast(null as string) as {{ name }}{{ ', ' if not loop.last }}{% endfor %}
        where false
        union all by name
        select *
        from read_csv(
            '{{ file | replace("'", "''") }}',
            header = true, delim = ',', quote = '"', escape = '"', all_varchar = true
        )
    ) as listed
{%- endmacro %}

{% macro duckdb__type_list() -%}
    varchar[]
{%- endmacro %}

{% macro duckdb__laid_out_by(terms, by_day_of) -%}
    {%- if terms -%}
    order by {{ terms | join(', ') }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__database_of(node) -%}
    {% set is_public = node is not none and node.config.access == 'public' %}
    {% set is_merged = node is not none and node.config.get('meta', {}).get('merge') %}
    {{ return('outgoing' if is_public or is_merged else target.database) }}
{%- endmacro %}

{#- The raw tables are in the file that it builds in. -#}
{% macro duckdb__sources_at_hand() -%}
{%- endmacro %}

{#-
    The columns of a table under contract. Keys are declared for whoever reads the project, and held by
    tests (tests/project/test_constraints.py has one for each): as constraints of the table they would
    cost an index apiece, and a file that is published with it.
-#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    (
        {%- for column in adapter.render_raw_columns_constraints(raw_columns=model['columns']) %}
        {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
