{#- How Apache Spark spells what dispatch.sql names, and what dbt-spark itself spells wrong. -#}

{#- Java takes the first of two readings. The second is read with the offset of a day later, whatever the
    size of the shift; it is one only where the zone reads the same there. -#}
{% macro spark__wall_clock_to_utc(wall_clock, time_zone) -%}
    {%- set first = "to_utc_timestamp(" ~ wall_clock ~ ", " ~ time_zone ~ ")" -%}
    {%- set day_later = first ~ " + interval 1 day" -%}
    {%- set second = "timestamp_micros(unix_micros(" ~ wall_clock ~ ") + unix_micros(" ~ day_later
        ~ ") - unix_micros(from_utc_timestamp(" ~ day_later ~ ", " ~ time_zone ~ ")))" -%}
    case
        when from_utc_timestamp({{ second }}, {{ time_zone }}) = {{ wall_clock }} then {{ second }}
        else {{ first }}
    end
{%- endmacro %}

{% macro spark__local_day(utc, time_zone) -%}
    cast(from_utc_timestamp({{ utc }}, {{ time_zone }}) as date)
{%- endmacro %}

{#- A literal with a point would be a decimal, and so would what it divides. -#}
{% macro spark__seconds_between(earlier, later) -%}
    ((unix_micros({{ later }}) - unix_micros({{ earlier }})) / cast(1000000 as double))
{%- endmacro %}

{% macro spark__volatile_hash(expressions) -%}
    xxhash64({{ expressions | join(', ') }})
{%- endmacro %}

{% macro spark__value_at_smallest(value, measure) -%}
    min_by({{ value }}, {{ measure }})
{%- endmacro %}

{% macro spark__ordered_list(value, order_by) -%}
    transform(
        array_sort(
            collect_list(case when {{ value }} is not null then struct({{ order_by }} as position, {{ value }} as item) end)
        ),
        entry -> entry.item
    )
{%- endmacro %}

{% macro spark__list_element(list, position) -%}
    element_at({{ list }}, {{ position }})
{%- endmacro %}

{% macro spark__previous_known(column, window) -%}
    lag({{ column }}) ignore nulls over {{ window }}
{%- endmacro %}

{% macro spark__epoch_microseconds(utc) -%}
    unix_micros({{ utc }})
{%- endmacro %}

{% macro spark__list_from_json(text) -%}
    from_json({{ text }}, 'array<string>')
{%- endmacro %}

{% macro spark__list_of(value) -%}
    case when {{ value }} is null then array() else array({{ value }}) end
{%- endmacro %}

{% macro spark__id_hash(text) -%}
    cast(conv(substring(md5({{ text }}), 1, 15), 16, 10) as bigint)
{%- endmacro %}

{% macro spark__apart() -%}
{%- endmacro %}

{% macro spark__each_time() -%}
{%- endmacro %}

{% macro spark__try_dictionaries(wanted) -%}
{%- endmacro %}

{% macro spark__registry_rows(relation, columns) -%}
    select
    {%- for name, type in columns.items() %}
        cast({{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ relation }}
{%- endmacro %}

{% macro spark__type_list() -%}
    array<string>
{%- endmacro %}

{#- The types of a contract, as dbt compares them with those of a model. -#}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set spelled = {} -%}
    {%- for name, column in columns.items() -%}
        {%- set type = type_list() | trim if column['data_type'] == 'varchar[]' else column['data_type'] -%}
        {%- do spelled.update({name: dict(column, data_type=type)}) -%}
    {%- endfor -%}
    {{ return(default__get_empty_schema_sql(spelled)) }}
{%- endmacro %}

{#- Global order is for nobody to read, and sorting for it reads everything twice. Rows of one day meet in
    one task and lie in order there: who looks for a day skips the rest of the files. -#}
{% macro spark__laid_out_by(terms, by_day_of) -%}
    {%- if by_day_of %}
    distribute by cast({{ by_day_of }} as date)
    {%- endif %}
    {%- if terms %}
    sort by
        {%- for term in terms %}
        {{ term if ' nulls ' in term else term ~ ' nulls last' }}{{ ',' if not loop.last }}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}

{#- There are no databases above the schemas. -#}
{% macro spark__database_of(node) -%}
    {{ return(none) }}
{%- endmacro %}

{#- Parquet files that the pipeline has written (throughline/spark/exporting.py): a folder a table. -#}
{% macro spark__sources_at_hand() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'seed', 'test') -%}
        {%- set root = env_var('THROUGHLINE_SPARK_DIR', '../.warehouse/spark') -%}
        {%- for node in graph.sources.values() -%}
            {%- do run_query("create schema if not exists " ~ node.schema) -%}
            {%- do run_query("drop table if exists " ~ node.schema ~ "." ~ node.identifier) -%}
            {%- do run_query(
                "create table " ~ node.schema ~ "." ~ node.identifier ~ " using parquet location '"
                ~ (root ~ "/" ~ node.schema ~ "/" ~ node.identifier) | replace("\\", "\\\\") | replace("'", "\\'") ~ "'"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- dbt-spark's own binds every value as text, and a null as the word None. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
        insert into {{ this.render() }} values
        {% for row in agate_table.rows -%}
        (
            {%- for name in agate_table.column_names -%}
                {%- set value = row[name] -%}
                cast(
                    {%- if value is none %}null
                    {%- else %}'{{ (value | string) | replace("\\", "\\\\") | replace("'", "\\'") }}'
                    {%- endif %} as {{ types.get(name, adapter.convert_type(agate_table, loop.index0)) }})
                {%- if not loop.last %}, {% endif -%}
            {%- endfor -%}
        ){{ ',' if not loop.last }}
        {% endfor %}
    {%- endset -%}
    {% do adapter.add_query(sql, bindings=none, abridge_sql_log=True) %}
    {{ return(sql) }}
{% endmacro %}
