{#- For how many days a conversation of a source waits without news; 7 where the registry is silent. -#}
{% macro waiting_days(sources) -%}
    coalesce({{ sources }}.waiting_days, 7)
{%- endmacro %}
