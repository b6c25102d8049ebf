{#- Whether a kind of respondent is a person, employed or independent. An unknown kind is none. -#}
{% macro is_human(agent_kind) -%}
    coalesce({{ agent_kind }} in ('human', 'expert'), false)
{%- endmacro %}

{#- When a person first answered in a contact, given when the visitor first spoke in the conversation;
    null where the respondent is a bot or of a kind that is not known. Without a message by the visitor it
    is the first reply. -#}
{% macro human_answer(facts, visitor_spoke_at) -%}
    case
        when not {{ is_human(facts ~ '.agent_kind') }} then null
        when {{ visitor_spoke_at }} is null then {{ facts }}.answered_at
        when {{ facts }}.facts_source = 'messages' then {{ facts }}.first_answer_at
        when {{ facts }}.answered_at >= {{ visitor_spoke_at }} then {{ facts }}.answered_at
    end
{%- endmacro %}

{#- What the transactions of a group come to. A negative amount is a refund: it lowers the sum, is no
    transaction and converts nobody; nothing paid is neither. Amounts in different currencies, of which
    an unknown one is one, have no sum.

    Whether the amounts of several groups have one shows in the last two columns (has_sum). They are
    null where there are no amounts, empty where the currency is unknown, and differ where there are
    several. -#}
{% macro sales() -%}
    {%- set currencies = "case when amount <> 0 then coalesce(currency, '') end" -%}
    {%- set smallest, largest = "min(" ~ currencies ~ ")", "max(" ~ currencies ~ ")" -%}
    count(case when amount > 0 then 1 end) as transaction_count,
    count(case when amount < 0 then 1 end) as refund_count,
    count(case when amount > 0 then 1 end) > 0 as is_converted,
    case when {{ smallest }} = {{ largest }} then cast(sum(amount) as decimal(38, 4)) end
        as transaction_amount,
    case when {{ smallest }} = {{ largest }} then nullif({{ largest }}, '') end as currency,
    case when {{ smallest }} = {{ largest }} then {{ smallest }} when {{ smallest }} < {{ largest }} then '' end
        as smallest_currency,
    case when {{ smallest }} = {{ largest }} then {{ largest }} when {{ smallest }} < {{ largest }} then '~' end
        as largest_currency
{%- endmacro %}

{#- Whether amounts have a sum: they are all in one currency, or there are none. -#}
{% macro has_sum(smallest_currency, largest_currency) -%}
    coalesce({{ smallest_currency }} = {{ largest_currency }}, {{ largest_currency }} is null)
{%- endmacro %}

{#- The currency of amounts that have a sum; null where it is unknown, and where they have none. -#}
{% macro one_currency(smallest_currency, largest_currency) -%}
    case
        when {{ smallest_currency }} = {{ largest_currency }}
            then nullif({{ largest_currency }}, '')
    end
{%- endmacro %}
