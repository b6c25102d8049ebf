-- One row per transaction, with its conversation and the one contact that it is credited to: the
-- last respondent who replied in the conversation. Where nobody replied, nobody is credited. Sorted
-- as it is read. Transactions carry no updated_at: the latest load wins.
with transactions as (
    {{ current_versions(
        ref('int_transactions__standardised'),
        key=['source', 'transaction_id'],
        version=none,
        columns=['occurred_at', 'amount', 'currency', 'contact_id', 'visitor_id'],
    ) }}
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
),

observed as (
    select * from {{ ref('int_contacts__observed') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
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
        transactions.occurred_at,
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
        observed.contact_key,
        observed.contact_id,
        observed.agent_id,
        row_number() over (
            partition by assigned.source, assigned.transaction_id
            order by observed.last_reply_at desc nulls last, observed.contact_no desc
        ) as respondent_rank
    from assigned
    inner join observed on assigned.conversation_key = observed.conversation_key
    where observed.is_answered and not observed.is_missing
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
{{ laid_out_by() }}
