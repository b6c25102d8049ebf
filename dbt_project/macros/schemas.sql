{#- Schemas are named as the contract names them (marts, reports), without the profile's prefix. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}

{#-
    What is public lies in a file of its own where the engine has files: publishing copies it. Beside it
    lies what a refresh has to know of the rows that stay; all that is merged, is merged in one file.
-#}
{% macro generate_database_name(custom_database_name=none, node=none) -%}
    {{ return(adapter.dispatch('database_of')(node)) }}
{%- endmacro %}
{% macro duckdb__database_of(node) -%}
    {% set is_public = node is not none and node.config.access == 'public' %}
    {% set is_merged = node is not none and node.config.get('meta', {}).get('merge') %}
    {{ return('outgoing' if is_public or is_merged else target.database) }}
{%- endmacro %}
{% macro default__database_of(node) -%}
    {{ return(target.database) }}
{%- endmacro %}
