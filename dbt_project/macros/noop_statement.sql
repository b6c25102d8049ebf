{#-
    dbt's own `noop_statement` without one line. That line writes the SQL of a seed below `target/`,
    under the seed's path; the path of the registry is absolute, so what it overwrote was the
    registry itself.
-#}
{% macro noop_statement(name=None, message=None, code=None, rows_affected=None, res=None) -%}
    {%- do caller() -%}
    {%- if name is not none -%}
        {{ store_raw_result(name, message=message, code=code, rows_affected=rows_affected, agate_table=res) }}
    {%- endif -%}
{%- endmacro %}
