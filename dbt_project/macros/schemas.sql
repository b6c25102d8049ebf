{#- Schemas are named as the contract names them (marts, reports), without the profile's prefix. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}

{#- What is published lies in a file of its own where the engine has files: publishing copies it. -#}
{% macro generate_database_name(custom_database_name=none, node=none) -%}
    {{ return(adapter.dispatch('database_of')(node)) }}
{%- endmacro %}
{% macro duckdb__database_of(node) -%}
    {% set is_public = node is not none and node.config.schema in ('marts', 'metrics', 'reports') %}
    {{ return('outgoing' if is_public else target.database) }}
{%- endmacro %}
{% macro default__database_of(node) -%}
    {{ return(target.database) }}
{%- endmacro %}
