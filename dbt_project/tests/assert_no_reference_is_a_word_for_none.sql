{{ config(severity='warn', fail_calc='coalesce(sum(value_count), 0)') }}

-- Shows how many values of the columns that link records are words for none, and were taken for it.
-- Which words are, dbt_project/seeds/placeholders.csv says, for every source or for one.
with placeholders as (
    select * from {{ ref('int_placeholders__applied') }}
),

contacts as (
    select * from {{ ref('stg_canonical__contacts') }}
),

transfers as (
    select * from {{ ref('stg_canonical__transfers') }}
),

transactions as (
    select * from {{ ref('stg_canonical__transactions') }}
),

given as (
    {% for log, columns in [
        ('contacts', ['visitor_id', 'conversation_ref', 'previous_contact_id']),
        ('transfers', ['to_contact_id']),
        ('transactions', ['visitor_id', 'contact_id']),
    ] %}
    {%- for column in columns %}
    select
        '{{ log }}' as log,
        '{{ column }}' as column_name,
        {{ log }}.source,
        placeholders.word
    from {{ log }}
    inner join placeholders
        on
            {{ log }}.source = placeholders.source
            and {{ log }}.{{ column }} = placeholders.word
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select
    log,
    column_name,
    source,
    word,
    count(*) as value_count
from given
group by log, column_name, source, word
