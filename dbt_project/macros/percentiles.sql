{#-
    An exact, interpolated percentile from values with their counts, in a group by.

    seconds: the value. cumulative: how many values are no larger, this one included. total: how many
    there are in the group. Between the two values around the position it interpolates linearly, as
    percentile_cont does over the rows themselves. Unlike that, nothing here has to fit in memory.
-#}
{% macro counted_percentile(seconds, cumulative, total, fraction) -%}
    min(case when {{ cumulative }} > floor(({{ total }} - 1) * {{ fraction }}) then {{ seconds }} end)
    + (max(({{ total }} - 1) * {{ fraction }}) - floor(max(({{ total }} - 1) * {{ fraction }})))
    * (
        min(case when {{ cumulative }} > ceil(({{ total }} - 1) * {{ fraction }}) then {{ seconds }} end)
        - min(case when {{ cumulative }} > floor(({{ total }} - 1) * {{ fraction }}) then {{ seconds }} end)
    )
{%- endmacro %}
