{{ config(schema='marts') }}

-- One row per transaction, with its conversation and the one contact that it is credited to: the
-- last respondent who replied in the conversation. Where nobody replied, nobody is credited. Sorted
-- as it is read, beside the mart that shows it and with its columns in their order.
with transactions as (
    select * from {{ ref('int_transactions__deduplicated') }}
),

contacts as (
    select * from {{ ref('int_contacts__identified') }}
),

facts as (
    select * from {{ ref('int_contacts__facts') }}
),

sources as (
    select * from {{ ref('sources') }}
),

assigned as (
    select
        transactions.source,
        transactions.transaction_id,
        transactions.contact_id,
        transactions.visitor_id,
        contacts.conversation_key,
        contacts.conversation_id,
        contacts.conversation_started_at,
        transactions.amount,
        coalesce(transactions.currency, contacts.currency, sources.currency) as currency,
        {{ as_utc('transactions.occurred_at', 1, 'sources.time_zone') }} as occurred_at,
        transactions.changed_load_no
    from transactions
    left join sources on transactions.source = sources.source
    left join contacts
        on
            transactions.source = contacts.source
            and transactions.contact_id = contacts.contact_id
),

ranked_respondents as (
    select
        assigned.source,
        assigned.transaction_id,
        facts.contact_key,
        facts.contact_id,
        facts.agent_id,
        row_number() over (
            partition by assigned.source, assigned.transaction_id
            order by facts.last_reply_at desc, facts.contact_no desc
        ) as respondent_rank
    from assigned
    inner join facts on assigned.conversation_key = facts.conversation_key
    where facts.answered_at is not null and not facts.is_missing
)

select
    assigned.transaction_id,
    assigned.source,
    assigned.conversation_id,
    assigned.conversation_started_at,
    assigned.contact_id,
    assigned.visitor_id,
    assigned.occurred_at,
    assigned.amount,
    assigned.currency,
    ranked_respondents.contact_id as credited_contact_id,
    ranked_respondents.agent_id as credited_agent_id,
    assigned.conversation_key,
    ranked_respondents.contact_key as credited_contact_key,
    assigned.changed_load_no
from assigned
left join ranked_respondents
    on
        assigned.source = ranked_respondents.source
        and assigned.transaction_id = ranked_respondents.transaction_id
        and ranked_respondents.respondent_rank = 1
order by
    assigned.conversation_started_at nulls last,
    assigned.conversation_id nulls last,
    assigned.source,
    assigned.occurred_at,
    assigned.transaction_id
