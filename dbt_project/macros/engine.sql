{#-
    Everything that is spelled differently from engine to engine, and nothing else.
    A model calls these by their plain names; a second engine adds its own `<adapter>__` variant here.
-#}

{#- The UTC timestamp of a wall clock reading in a named time zone. A reading that the autumn switch
    repeats is taken for the second of the two, in winter time: so DuckDB reads it, a unit test pins it,
    and another engine's variant has to do the same. -#}
{% macro wall_clock_to_utc(wall_clock, time_zone) -%}
    {{ return(adapter.dispatch('wall_clock_to_utc')(wall_clock, time_zone)) }}
{%- endmacro %}
{% macro duckdb__wall_clock_to_utc(wall_clock, time_zone) -%}
    timezone('UTC', timezone({{ time_zone }}, {{ wall_clock }}))
{%- endmacro %}
{% macro default__wall_clock_to_utc(wall_clock, time_zone) -%}
    to_utc_timestamp({{ wall_clock }}, {{ time_zone }})
{%- endmacro %}

{#- The calendar day of a UTC timestamp in a named time zone. -#}
{% macro local_day(utc, time_zone) -%}
    {{ return(adapter.dispatch('local_day')(utc, time_zone)) }}
{%- endmacro %}
{% macro duckdb__local_day(utc, time_zone) -%}
    cast(
        case
            when {{ time_zone }} = 'UTC' then {{ utc }}
            else timezone({{ time_zone }}, timezone('UTC', {{ utc }}))
        end as date
    )
{%- endmacro %}
{% macro default__local_day(utc, time_zone) -%}
    cast(from_utc_timestamp({{ utc }}, {{ time_zone }}) as date)
{%- endmacro %}

{#- Seconds from one UTC timestamp to a later one, with fractions; negative when it is earlier. -#}
{% macro seconds_between(earlier, later) -%}
    {{ return(adapter.dispatch('seconds_between')(earlier, later)) }}
{%- endmacro %}
{% macro duckdb__seconds_between(earlier, later) -%}
    ((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0)
{%- endmacro %}
{% macro default__seconds_between(earlier, later) -%}
    ((unix_micros({{ later }}) - unix_micros({{ earlier }})) / 1000000.0)
{%- endmacro %}

{#- A 64-bit hash, stable inside one statement only: for finding candidates and for mixing, never
    for keys, because engines change it between versions. -#}
{% macro volatile_hash(expressions) -%}
    {{ return(adapter.dispatch('volatile_hash')(expressions)) }}
{%- endmacro %}
{% macro duckdb__volatile_hash(expressions) -%}
    hash({{ expressions | join(', ') }})
{%- endmacro %}
{% macro default__volatile_hash(expressions) -%}
    xxhash64({{ expressions | join(', ') }})
{%- endmacro %}

{#- The value of one column in the row that holds the smallest value of another. -#}
{% macro value_at_smallest(value, measure) -%}
    {{ return(adapter.dispatch('value_at_smallest')(value, measure)) }}
{%- endmacro %}
{% macro duckdb__value_at_smallest(value, measure) -%}
    arg_min({{ value }}, {{ measure }})
{%- endmacro %}
{% macro default__value_at_smallest(value, measure) -%}
    min_by({{ value }}, {{ measure }})
{%- endmacro %}

{#- A list of a column's values in a total order, nulls left out. -#}
{% macro ordered_list(value, order_by) -%}
    {{ return(adapter.dispatch('ordered_list')(value, order_by)) }}
{%- endmacro %}
{% macro duckdb__ordered_list(value, order_by) -%}
    list({{ value }} order by {{ order_by }}) filter (where {{ value }} is not null)
{%- endmacro %}
{% macro default__ordered_list(value, order_by) -%}
    transform(
        array_sort(
            collect_list(case when {{ value }} is not null then struct({{ order_by }} as position, {{ value }} as item) end)
        ),
        entry -> entry.item
    )
{%- endmacro %}

{#- The n-th element of a list, counted from 1. -#}
{% macro list_element(list, position) -%}
    {{ return(adapter.dispatch('list_element')(list, position)) }}
{%- endmacro %}
{% macro duckdb__list_element(list, position) -%}
    {{ list }}[{{ position }}]
{%- endmacro %}
{% macro default__list_element(list, position) -%}
    element_at({{ list }}, {{ position }})
{%- endmacro %}

{#- The timestamp that is earlier than every other, as the open start of a first validity. -#}
{% macro beginning_of_time() -%}
    cast('0001-01-01 00:00:00' as timestamp)
{%- endmacro %}
{% macro end_of_time() -%}
    cast('9999-12-31 00:00:00' as timestamp)
{%- endmacro %}

{#- The nearest earlier value that is not null, in a window. -#}
{% macro previous_known(column, window) -%}
    {{ return(adapter.dispatch('previous_known')(column, window)) }}
{%- endmacro %}
{% macro duckdb__previous_known(column, window) -%}
    lag({{ column }} ignore nulls) over {{ window }}
{%- endmacro %}
{% macro default__previous_known(column, window) -%}
    lag({{ column }}) ignore nulls over {{ window }}
{%- endmacro %}

{#- Microseconds since 1970, a whole number: sums of times stay exact. -#}
{% macro epoch_microseconds(utc) -%}
    {{ return(adapter.dispatch('epoch_microseconds')(utc)) }}
{%- endmacro %}
{% macro duckdb__epoch_microseconds(utc) -%}
    epoch_us({{ utc }})
{%- endmacro %}
{% macro default__epoch_microseconds(utc) -%}
    unix_micros({{ utc }})
{%- endmacro %}

{#- The list that the text of a JSON array of texts holds. -#}
{% macro list_from_json(text) -%}
    {{ return(adapter.dispatch('list_from_json')(text)) }}
{%- endmacro %}
{% macro duckdb__list_from_json(text) -%}
    from_json({{ text }}, '["VARCHAR"]')
{%- endmacro %}
{% macro default__list_from_json(text) -%}
    from_json({{ text }}, 'array<string>')
{%- endmacro %}

{#- A list of one value, or an empty list for null. -#}
{% macro list_of(value) -%}
    {{ return(adapter.dispatch('list_of')(value)) }}
{%- endmacro %}
{% macro duckdb__list_of(value) -%}
    case when {{ value }} is null then [] else [{{ value }}] end
{%- endmacro %}
{% macro default__list_of(value) -%}
    case when {{ value }} is null then array() else array({{ value }}) end
{%- endmacro %}

{#- A number that is the same on every engine, from a text: the first fifteen hexadecimal digits of its
    md5, so that it fits a signed 64-bit integer. -#}
{% macro id_hash(text) -%}
    {{ return(adapter.dispatch('id_hash')(text)) }}
{%- endmacro %}
{% macro duckdb__id_hash(text) -%}
    cast(concat('0x', substr(md5({{ text }}), 1, 15)) as bigint)
{%- endmacro %}
{% macro default__id_hash(text) -%}
    cast(conv(substring(md5({{ text }}), 1, 15), 16, 10) as bigint)
{%- endmacro %}

{#- After the `as` of a common table expression: compute it apart from what reads it. -#}
{% macro apart() -%}
    {{ return(adapter.dispatch('apart')()) }}
{%- endmacro %}
{% macro duckdb__apart() -%}
    materialized
{%- endmacro %}
{% macro default__apart() -%}
{%- endmacro %}

{#- After the `as` of a common table expression: compute it again in each place that reads it, where
    that is less work than to keep its rows. -#}
{% macro each_time() -%}
    {{ return(adapter.dispatch('each_time')()) }}
{%- endmacro %}
{% macro duckdb__each_time() -%}
    not materialized
{%- endmacro %}
{% macro default__each_time() -%}
{%- endmacro %}

{#- A hook around a table that is nearly all ids, each different: whether the engine tries
    dictionaries on texts, which takes over a third of the time to write them and finds nothing. -#}
{% macro try_dictionaries(wanted) -%}
    {{ return(adapter.dispatch('try_dictionaries')(wanted)) }}
{%- endmacro %}
{% macro duckdb__try_dictionaries(wanted) -%}
    {{ 'reset disabled_compression_methods' if wanted else "set disabled_compression_methods = 'dictionary'" }}
{%- endmacro %}
{% macro default__try_dictionaries(wanted) -%}
{%- endmacro %}

{#-
    The rows of a registry file, its columns found by their names. One that the file leaves out is
    there, and empty, so that a registry written for an older version still does. An empty value is
    null; nothing is inferred: inference turns 0044123 into 44123.

    relation: the file as a source. An engine that reads folders finds it under its own name.
    columns: the type of each column by its name.
-#}
{% macro registry_rows(relation, columns) -%}
    {{ return(adapter.dispatch('registry_rows')(relation, columns)) }}
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
{% macro default__registry_rows(relation, columns) -%}
    select
    {%- for name, type in columns.items() %}
        cast({{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ relation }}
{%- endmacro %}
