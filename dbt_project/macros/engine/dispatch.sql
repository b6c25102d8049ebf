{#-
    Everything that is spelled differently from engine to engine, and nothing else: what each macro gives
    stands here, how an engine spells it in the file of the engine. A model calls these by their plain
    names and never asks which engine it runs on.
-#}

{% macro lacks_variant(name) -%}
    {{ exceptions.raise_compiler_error(
        "the macro " ~ name ~ " has no variant for " ~ target.type ~ ": write " ~ target.type ~ "__" ~ name
        ~ " in macros/engine/" ~ target.type ~ ".sql"
    ) }}
{%- endmacro %}

{#- The UTC timestamp of a wall clock reading in a named time zone. A reading that the autumn switch
    repeats is the second of the two, in winter time; one that the spring switch leaves out is that much
    later. -#}
{% macro wall_clock_to_utc(wall_clock, time_zone) -%}
    {{ return(adapter.dispatch('wall_clock_to_utc')(wall_clock, time_zone)) }}
{%- endmacro %}
{% macro default__wall_clock_to_utc(wall_clock, time_zone) -%}
    {{ lacks_variant('wall_clock_to_utc') }}
{%- endmacro %}

{#- The calendar day of a UTC timestamp in a named time zone. -#}
{% macro local_day(utc, time_zone) -%}
    {{ return(adapter.dispatch('local_day')(utc, time_zone)) }}
{%- endmacro %}
{% macro default__local_day(utc, time_zone) -%}
    {{ lacks_variant('local_day') }}
{%- endmacro %}

{#- Seconds from one UTC timestamp to a later one, with fractions; negative when it is earlier. -#}
{% macro seconds_between(earlier, later) -%}
    {{ return(adapter.dispatch('seconds_between')(earlier, later)) }}
{%- endmacro %}
{% macro default__seconds_between(earlier, later) -%}
    {{ lacks_variant('seconds_between') }}
{%- endmacro %}

{#- A 64-bit hash, stable inside one statement only: for finding candidates and for mixing, never
    for keys, because engines change it between versions. -#}
{% macro volatile_hash(expressions) -%}
    {{ return(adapter.dispatch('volatile_hash')(expressions)) }}
{%- endmacro %}
{% macro default__volatile_hash(expressions) -%}
    {{ lacks_variant('volatile_hash') }}
{%- endmacro %}

{#- The value of one column in the row that holds the smallest value of another. -#}
{% macro value_at_smallest(value, measure) -%}
    {{ return(adapter.dispatch('value_at_smallest')(value, measure)) }}
{%- endmacro %}
{% macro default__value_at_smallest(value, measure) -%}
    {{ lacks_variant('value_at_smallest') }}
{%- endmacro %}

{#- A list of a column's values in a total order, nulls left out. -#}
{% macro ordered_list(value, order_by) -%}
    {{ return(adapter.dispatch('ordered_list')(value, order_by)) }}
{%- endmacro %}
{% macro default__ordered_list(value, order_by) -%}
    {{ lacks_variant('ordered_list') }}
{%- endmacro %}

{#- The n-th element of a list, counted from 1. -#}
{% macro list_element(list, position) -%}
    {{ return(adapter.dispatch('list_element')(list, position)) }}
{%- endmacro %}
{% macro default__list_element(list, position) -%}
    {{ lacks_variant('list_element') }}
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
{% macro default__previous_known(column, window) -%}
    {{ lacks_variant('previous_known') }}
{%- endmacro %}

{#- Microseconds since 1970, a whole number: sums of times stay exact. -#}
{% macro epoch_microseconds(utc) -%}
    {{ return(adapter.dispatch('epoch_microseconds')(utc)) }}
{%- endmacro %}
{% macro default__epoch_microseconds(utc) -%}
    {{ lacks_variant('epoch_microseconds') }}
{%- endmacro %}

{#- The list that the text of a JSON array of texts holds. -#}
{% macro list_from_json(text) -%}
    {{ return(adapter.dispatch('list_from_json')(text)) }}
{%- endmacro %}
{% macro default__list_from_json(text) -%}
    {{ lacks_variant('list_from_json') }}
{%- endmacro %}

{#- A list of one value, or an empty list for null. -#}
{% macro list_of(value) -%}
    {{ return(adapter.dispatch('list_of')(value)) }}
{%- endmacro %}
{% macro default__list_of(value) -%}
    {{ lacks_variant('list_of') }}
{%- endmacro %}

{#- A number that is the same on every engine, from a text: the first fifteen hexadecimal digits of its
    md5, so that it fits a signed 64-bit integer. -#}
{% macro id_hash(text) -%}
    {{ return(adapter.dispatch('id_hash')(text)) }}
{%- endmacro %}
{% macro default__id_hash(text) -%}
    {{ lacks_variant('id_hash') }}
{%- endmacro %}

{#- After the `as` of a common table expression: compute it apart from what reads it. -#}
{% macro apart() -%}
    {{ return(adapter.dispatch('apart')()) }}
{%- endmacro %}
{% macro default__apart() -%}
    {{ lacks_variant('apart') }}
{%- endmacro %}

{#- After the `as` of a common table expression: compute it again in each place that reads it, where
    that is less work than to keep its rows. -#}
{% macro each_time() -%}
    {{ return(adapter.dispatch('each_time')()) }}
{%- endmacro %}
{% macro default__each_time() -%}
    {{ lacks_variant('each_time') }}
{%- endmacro %}

{#- A hook around a table that is nearly all ids, each different: whether the engine tries
    dictionaries on texts, which takes over a third of the time to write them and finds nothing. -#}
{% macro try_dictionaries(wanted) -%}
    {{ return(adapter.dispatch('try_dictionaries')(wanted)) }}
{%- endmacro %}
{% macro default__try_dictionaries(wanted) -%}
    {{ lacks_variant('try_dictionaries') }}
{%- endmacro %}

{#-
    The rows of a registry file, its columns found by their names. One that the file leaves out is
    there, and empty, so that a registry written for an older version still does. An empty value is
    null; nothing is inferred: inference turns 0044123 into 44123.

    relation: the file as a source. An engine that does not read such files has it as a table of texts.
    columns: the type of each column by its name.
-#}
{% macro registry_rows(relation, columns) -%}
    {{ return(adapter.dispatch('registry_rows')(relation, columns)) }}
{%- endmacro %}
{% macro default__registry_rows(relation, columns) -%}
    {{ lacks_variant('registry_rows') }}
{%- endmacro %}

{#-
    The end of a model that is published: how its rows lie. They lie in the order in which they are
    published, and where the model is published by day, those of a day together.

    quicker: an order that is as good to readers and takes less to compare: numbers in place of texts.
-#}
{% macro laid_out_by(quicker=none) -%}
    {%- set published = model.get('config', {}).get('meta', {}).get('publish', {}) -%}
    {{ return(adapter.dispatch('laid_out_by')(quicker or published.get('order_by', []), published.get('by_day_of'))) }}
{%- endmacro %}
{% macro default__laid_out_by(terms, by_day_of) -%}
    {{ lacks_variant('laid_out_by') }}
{%- endmacro %}

{#-
    In which database a model is built. What is public lies in a file of its own where the engine has
    files: publishing copies it. Beside it lies what a refresh has to know of the rows that stay; all
    that is merged, is merged in one file.
-#}
{% macro generate_database_name(custom_database_name=none, node=none) -%}
    {{ return(adapter.dispatch('database_of')(node)) }}
{%- endmacro %}
{% macro default__database_of(node) -%}
    {{ lacks_variant('database_of') }}
{%- endmacro %}

{#- Before a build: what the landing loader keeps and the registry, under the names that the sources have. -#}
{% macro sources_at_hand() -%}
    {{ return(adapter.dispatch('sources_at_hand')()) }}
{%- endmacro %}
{% macro default__sources_at_hand() -%}
    {{ lacks_variant('sources_at_hand') }}
{%- endmacro %}

{#- The type of a list of texts. Contracts say it as DuckDB does. -#}
{% macro type_list() -%}
    {{ return(adapter.dispatch('type_list')()) }}
{%- endmacro %}
{% macro default__type_list() -%}
    {{ lacks_variant('type_list') }}
{%- endmacro %}
