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
