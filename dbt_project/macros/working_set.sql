{#-
    What a model reads that looks beyond the conversations it is built for.

    A build has a working set: the raw rows of the conversations that it makes anew. In a full build
    those are all. In a refresh they are the conversations that new rows touch, and the rows of all
    others stay as they are: `kept.<model>` has them, as the last build left them (decision 0019).
-#}

{#-
    The rows of a model, with those that stay.

    relation: a ref to a model that is merged into what stands, or a step of such a model.
    of: for a step, the model.
    day: for a model that is merged by day, the column of the day: a day that is touched is built whole.
-#}
{% macro with_kept(relation, day=none, of=none) -%}
    select * from {{ relation }}
    {%- if env_var('THROUGHLINE_WORKING_SET', 'all') == 'touched' %}
    union all
    select * from kept.{{ (of or relation).identifier }}
    {%- if day %}
    where {{ day }} not in (
        select spanned.day from {{ ref('int_periods__spanned') }} as spanned
        where spanned.period_grain = 'day' and spanned.is_touched
    )
    {%- endif %}
    {%- endif %}
{%- endmacro %}

{#- The days of the rows that stay, and of those that are built anew as they lay before: these are touched. -#}
{% macro kept_days() -%}
    {%- if env_var('THROUGHLINE_WORKING_SET', 'all') == 'touched' -%}
    select
        day,
        is_touched
    from kept.days
    {%- else -%}
    select
        cast(null as date) as day,
        false as is_touched
    where false
    {%- endif -%}
{%- endmacro %}

{#-
    How many rows of a relation belong to the periods whose figures this build works out, by grain of
    the period: all, less those of periods that are not touched. So a row whose day is in no period
    is counted as well.

    rows: a table or a step that has a row for each that is counted.
    day: its column of the day.
-#}
{% macro counted_in_periods(rows, day) -%}
    select
        periods.period_grain,
        max(every_row.row_count)
        - sum(case when periods.is_touched then 0 else on_days.row_count end) as row_count
    from (
        select
            {{ day }} as day,
            count(*) as row_count
        from {{ rows }}
        group by {{ day }}
    ) as on_days
    inner join {{ ref('int_periods__spanned') }} as periods on on_days.day = periods.day
    cross join (select count(*) as row_count from {{ rows }}) as every_row
    group by periods.period_grain
{%- endmacro %}
