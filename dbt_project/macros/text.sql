{#- A code of a source, spelled as the vocabularies spell it. -#}
{% macro normalised_code(column) -%}
    lower(trim({{ column }}))
{%- endmacro %}

{#- An id for a record that came without one, from its whole content: a repeat gets the same id. -#}
{% macro generated_id(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce(cast(" ~ column ~ " as " ~ dbt.type_string() ~ "), chr(0))") -%}
    {%- endfor -%}
    concat('gen-', md5(concat({{ parts | join(", chr(31), ") }})))
{%- endmacro %}

{#- Negative spans come from clocks that disagree: they count as nothing and are reported in
    graph_quality, so that one bad clock cannot pull a mean below zero. -#}
{% macro elapsed_seconds(earlier, later) -%}
    case
        when {{ later }} < {{ earlier }} then 0
        else {{ seconds_between(earlier, later) }}
    end
{%- endmacro %}

{#- A raw timestamp in UTC: as it is, or, where its bit in local_times is set, read as a wall clock
    of the source's time zone. The bits are those of the landing loader. -#}
{% macro as_utc(column, bit, time_zone) -%}
    case
        when (local_times & {{ bit }}) = 0 or {{ time_zone }} is null or {{ time_zone }} = 'UTC'
            then {{ column }}
        else {{ wall_clock_to_utc(column, time_zone) }}
    end
{%- endmacro %}

{#- A sum of seconds or scores that is the same in whatever order the engine adds: sums of doubles are
    not, and a rebuild must give the same bytes. Microseconds are kept. -#}
{% macro exact_sum(column) -%}
    cast(sum(cast({{ column }} as decimal(38, 6))) as double)
{%- endmacro %}
