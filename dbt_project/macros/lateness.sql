{#- How many of the records of a log arrived within so many seconds, of a table with `delay_seconds`,
    `records` and the running total `arrived`. -#}
{% macro arrived_within(seconds, name) -%}
    cast(
        coalesce(sum(case when delay_seconds <= {{ seconds }} then records end), 0) as bigint
    ) as within_{{ name }}_count
{%- endmacro %}

{#- The delay within which a share of the records of a log arrived: an upper bound, as delays are
    counted in ranges. Null over nothing. -#}
{% macro delay_percentile(share) -%}
    min(case when records > 0 and arrived >= ({{ share }}) * total then delay_seconds end)
{%- endmacro %}
