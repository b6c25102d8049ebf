{#-
    An exact, interpolated percentile from values with their counts, in a group by.

    seconds: the value. cumulative: how many values are no larger, this one included. total: how many
    there are in the group. Between the two values around the position it interpolates linearly, as
    percentile_cont does over the rows themselves. Unlike that, nothing here has to fit in memory.
-#}
{% macro counted_percentile(seconds, cumulative, total, fraction) -%}
    {%- set position = percentile_position(total, fraction) -%}
    min(case when {{ cumulative }} > floor({{ position }}) then {{ seconds }} end)
    + (max({{ position }}) - floor(max({{ position }})))
    * (
        min(case when {{ cumulative }} > ceil({{ position }}) then {{ seconds }} end)
        - min(case when {{ cumulative }} > floor({{ position }}) then {{ seconds }} end)
    )
{%- endmacro %}

{#- Where a percentile lies among a group's values in order, counted from 0; mostly between two. -#}
{% macro percentile_position(total, fraction) -%}
    ({{ total }} - 1) * {{ fraction }}
{%- endmacro %}

{#-
    The number of the range that a duration lies in, rising with it; between two powers of eight there
    are 112 of equal width. Bounds and widths are powers of two, so that no rounding puts a longer
    duration into an earlier range.
-#}
{% macro narrow_range(seconds) -%}
    cast(
        case
            when {{ seconds }} < 1 then floor({{ seconds }} * 128)
            when {{ seconds }} < 8 then 112 + floor({{ seconds }} * 16)
            when {{ seconds }} < 64 then 224 + floor({{ seconds }} * 2)
            when {{ seconds }} < 512 then 336 + floor({{ seconds }} / 4)
            when {{ seconds }} < 4096 then 448 + floor({{ seconds }} / 32)
            when {{ seconds }} < 32768 then 560 + floor({{ seconds }} / 256)
            when {{ seconds }} < 262144 then 672 + floor({{ seconds }} / 2048)
            else 784 + floor({{ seconds }} / 16384)
        end as bigint
    )
{%- endmacro %}

{#- Whether one of the two values that a percentile lies between is in a range: `ranges` has its count,
    the count up to its end and the group's total. -#}
{% macro holds_percentile(ranges, fraction) -%}
    {%- set position = percentile_position(ranges ~ '.total_count', fraction) -%}
    (
        floor({{ position }}) < {{ ranges }}.cumulative_count
        and ceil({{ position }}) >= {{ ranges }}.cumulative_count - {{ ranges }}.conversation_count
    )
{%- endmacro %}

{#- The durations of a conversation of which there are percentiles: `<name>_seconds` holds each, or null. -#}
{% macro conversation_durations() -%}
    {{ return(['first_reply', 'pickup', 'resolution']) }}
{%- endmacro %}

{#- The durations below each other: a row for each that a conversation has, its name and its range beside
    it, with the attributes that are given. -#}
{% macro one_row_per_duration(conversations, attributes) -%}
    {%- for name in conversation_durations() %}
    select
        conversation_id,
        closed_on,
        contacts,
        {{ attributes }},
        '{{ name }}' as duration,
        {{ name }}_seconds as seconds,
        {{ narrow_range(name ~ '_seconds') }} as seconds_range
    from {{ conversations }}
    where {{ name }}_seconds is not null
    {% if not loop.last %}union all{% endif %}
    {%- endfor -%}
{%- endmacro %}

{#- What the percentiles of a period are taken for. -#}
{% macro cell(table=none) -%}
    {{ columns_of(table, ['dimension', 'source', 'dimension_value', 'duration']) }}
{%- endmacro %}

{#- The durations beside each other again: of each its number, median and 90th percentile. -#}
{% macro percentiles_of_each_duration() -%}
    {%- for name in conversation_durations() %}
    cast(coalesce(max(case when duration = '{{ name }}' then total_count end), 0) as bigint)
        as {{ name }}_count,
    cast(max(case when duration = '{{ name }}' then median_seconds end) as double)
        as {{ name }}_median_seconds,
    cast(max(case when duration = '{{ name }}' then p90_seconds end) as double)
        as {{ name }}_p90_seconds{{ ',' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
