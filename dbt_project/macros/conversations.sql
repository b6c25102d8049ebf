{#- One value over the contacts of a conversation. A contact that stands alone has it as it is: what is
    smallest, largest or first of one is the one. -#}
{% macro over_contacts(aggregate, value, alone) -%}
    {{ value if alone else aggregate ~ '(' ~ value ~ ')' }}
{%- endmacro %}

{#- The value of the first contact that gives one. -#}
{% macro first_given(column, alone) -%}
    {{ column if alone else value_at_smallest(column, 'case when ' ~ column ~ ' is not null then contact_no end') }}
{%- endmacro %}

{#- How many of the contacts are so. -#}
{% macro contacts_that(condition, alone) -%}
    {%- if alone -%} case when {{ condition }} then 1 else 0 end
    {%- else -%} count(case when {{ condition }} then 1 end)
    {%- endif -%}
{%- endmacro %}

{#- Whether any of the contacts is so. -#}
{% macro any_contact(condition, alone) -%}
    {%- if alone -%} {{ condition }}
    {%- else -%} count(case when {{ condition }} then 1 end) > 0
    {%- endif -%}
{%- endmacro %}

{#- Seconds of all contacts. -#}
{% macro seconds_of_contacts(value, alone) -%}
    {{ value if alone else exact_sum(value) }}
{%- endmacro %}

{#-
    What the contacts of a conversation say together: each column once, for both shapes of a
    conversation. Where several give an attribute that a conversation has once, the first that gives
    it decides.

    alone: a contact that no link joins says it by itself, without a group: the same columns from the
        same names. Grouping ten million contacts, of which half stand alone, is what this saves.
-#}
{% macro what_contacts_say(alone) -%}
    conversation_key,
    {{ over_contacts('min', 'conversation_id', alone) }} as conversation_id,
    {{ over_contacts('min', 'source', alone) }} as source,
    {{ 'contact_id' if alone else 'max(case when contact_key = conversation_key then contact_id end)' }}
        as anchor_contact_id,
    {{ first_given('visitor_id', alone) }} as visitor_id,
    {{ first_given('project_id', alone) }} as project_id,
    {{ first_given('channel', alone) }} as channel,
    {{ first_given('language', alone) }} as language,
    {{ first_given('group_id', alone) }} as first_group_id,
    {{ first_given('extra', alone) }} as extra,
    -- Days are those of the project that the conversation is counted in.
    {{ 'time_zone' if alone else value_at_smallest(
        'time_zone',
        'case when project_id is not null then contact_no else contact_no + 1000000000 end',
    ) }} as time_zone,
    {{ over_contacts('min', 'started_at', alone) }} as started_at,
    {{ 'ended_at' if alone else 'case when count(ended_at) = count(*) then max(ended_at) end' }}
        as ended_at,
    {{ over_contacts('max', 'case when next_contact_id is null then end_reason end', alone) }}
        as last_end_reason,
    {{ over_contacts('max', 'case when next_contact_id is null then pending_requested_at end', alone) }}
        as pending_requested_at,
    {{ over_contacts('max', 'last_message_at', alone) }} as last_message_at,
    {{ '1' if alone else 'count(*)' }} as contact_count,
    {{ contacts_that('is_human', alone) }} as human_contact_count,
    {{ contacts_that("agent_kind = 'bot'", alone) }} as bot_contact_count,
    {{ over_contacts('max', 'case when contact_no = 1 then agent_kind end', alone) }}
        as first_agent_kind,
    -- One contact hands nothing on.
    {{ 'false' if alone else
        "min(case when agent_kind = 'bot' then contact_no end) < max(case when is_human then contact_no end)"
    }} as is_escalated,
    -- Of one delivered contact; of several, the path says more.
    {{ over_contacts('min', 'agent_id', alone) }} as only_agent_id,
    {{ any_contact('is_answered', alone) }} as is_answered,
    {{ any_contact('is_answered and is_human', alone) }} as is_answered_by_human,
    {{ seconds_of_contacts('duration_seconds', alone) }} as handle_seconds,
    {{ seconds_of_contacts('case when is_human then duration_seconds end', alone) }}
        as human_handle_seconds,
    {{ over_contacts('min', 'first_loaded_at', alone) }} as first_loaded_at
{%- endmacro %}
