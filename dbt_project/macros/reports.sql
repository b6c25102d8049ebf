{#-
    What the reports are split by, and what their rows are made of: each dimension and each sum is named
    here, and the models of metrics and reports expand it. A grain is `contact` or `conversation`.
-#}

{#- Each dimension with the column of the measures that holds its value. -#}
{% macro dimension_columns(grain) -%}
    {{ return({
        'contact': {
            'all': 'null',
            'source': 'source',
            'project': 'project_id',
            'channel': 'channel',
            'agent': 'agent_id',
            'agent_kind': 'agent_kind',
            'group': 'group_id',
        },
        'conversation': {
            'all': 'null',
            'source': 'source',
            'project': 'project_id',
            'channel': 'channel',
            'automation_level': 'automation_level',
            'agent': 'only_agent_id',
            'group': 'only_group_id',
        },
    }[grain]) }}
{%- endmacro %}

{#- Ids of projects, agents and groups mean something only inside their source. -#}
{% macro dimensions_within_source() -%}
    {{ return(['source', 'project', 'agent', 'group']) }}
{%- endmacro %}

{#- A conversation counts for every agent and group that took part in it. -#}
{% macro shared_dimensions() -%}
    {{ return(['agent', 'group']) }}
{%- endmacro %}

{#- What is added up. The order of the columns is that of the models' YAML. -#}
{% macro sums_of(grain) -%}
    {{ return({
        'contact': [
            'contacts', 'answered', 'unanswered', 'open', 'transferred_in', 'transferred_out',
            'snoozed', 'closed', 'timed_out', 'duration_seconds_sum', 'duration_count',
            'first_reply_seconds_sum', 'first_reply_count', 'response_seconds_sum',
            'response_count', 'closing_delay_seconds_sum', 'closing_delay_count', 'messages_sent',
            'messages_received', 'csat_responses', 'csat_positive', 'transactions',
        ],
        'conversation': [
            'conversations', 'answered', 'answered_by_human', 'contacts', 'transferred',
            'transfers', 'bounced', 'bot_first', 'escalated', 'fully_automated',
            'handle_seconds_sum', 'handle_count', 'csat_responses', 'csat_positive',
            'csat_score_sum', 'nps_responses', 'nps_promoters', 'nps_detractors', 'transactions',
            'refunds', 'converted',
        ],
    }[grain]) }}
{%- endmacro %}

{#- The amounts of either grain, and what says whether they have a sum. -#}
{% macro amounts() -%}
    {{ return(['revenue', 'smallest_currency', 'largest_currency']) }}
{%- endmacro %}

{#- The dimensions as rows, to be joined to what they split. -#}
{% macro dimensions(grain) -%}
    {%- for name in dimension_columns(grain) %}
    select '{{ name }}' as dimension
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
{%- endmacro %}

{#- The columns that hold the values of the dimensions. -#}
{% macro attributes(grain, table=none) -%}
    {{ columns_of(table, dimension_columns(grain).values() | reject('equalto', 'null') | list) }}
{%- endmacro %}

{#- What a row of a table is in each dimension that it is joined to: source and value. -#}
{% macro place_in_dimension(grain, table) -%}
    case
        when dimensions.dimension in ('{{ dimensions_within_source() | join("', '") }}')
            then {{ table }}.source
    end as source,
    case dimensions.dimension
        {%- for name, column in dimension_columns(grain).items() if column != 'null' %}
        when '{{ name }}' then {{ table }}.{{ column }}
        {%- endfor %}
    end as dimension_value
{%- endmacro %}

{#- Whether a row of a table counts in a dimension: in a shared one if it says itself who took part. -#}
{% macro counts_in_dimension(grain, table) -%}
    case dimensions.dimension
        {%- for name in shared_dimensions() %}
        when '{{ name }}' then {{ table }}.{{ dimension_columns(grain)[name] }} is not null
        {%- endfor %}
        else true
    end
{%- endmacro %}

{#- Whether the rows of a dimension of the conversations add up to the whole. -#}
{% macro is_additive(dimension) -%}
    {{ dimension }} not in ('{{ shared_dimensions() | join("', '") }}')
{%- endmacro %}

{#- The sums of a grain as columns, of a table where several are read. -#}
{% macro sums(grain, table=none) -%}
    {{ columns_of(table, sums_of(grain)) }}
{%- endmacro %}

{#- The same with the amounts. -#}
{% macro measures(grain, table=none) -%}
    {{ columns_of(table, sums_of(grain) + amounts()) }}
{%- endmacro %}

{#- The sums of a grain over the rows of a group, of a table where several are read. -#}
{% macro totals(grain, table=none) -%}
    {%- for name in sums_of(grain) + amounts() %}
    {%- set column = (table ~ '.' if table else '') ~ name %}
    {% if name == 'smallest_currency' -%}
        min({{ column }})
    {%- elif name == 'largest_currency' -%}
        max({{ column }})
    {%- elif name == 'revenue' -%}
        cast(coalesce(sum({{ column }}), 0) as decimal(38, 4))
    {%- elif name.endswith(('_seconds_sum', '_score_sum')) -%}
        coalesce({{ exact_sum(column) }}, 0)
    {%- else -%}
        cast(sum({{ column }}) as bigint)
    {%- endif %} as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A share or a mean: over nothing it is null, never 0. -#}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif({{ denominator }}, 0)
{%- endmacro %}

{#- Columns, of a table where several are read. -#}
{% macro columns_of(table, names) -%}
    {%- for name in names %}
    {{ table ~ '.' if table }}{{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Beside each other, how many contacts or conversations were counted as each figure of the
    reconciliation: those of the two reports, and the causes of the difference. -#}
{% macro reconciled_figures() -%}
    {%- for name in [
        'contacts_report_contacts', 'statistical_report_conversations',
        'statistical_report_contacts', 'still_open', 'waiting', 'closed_in_later_period',
        'closed_in_earlier_period', 'started_in_earlier_period', 'started_in_later_period',
    ] %}
    cast(coalesce(sum(case when figure = '{{ name }}' then number end), 0) as bigint)
        as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
