-- One row per conversation. One of several contacts, or of missing ones, gathers them; of a contact
-- that stands alone it says what the contact says.
with alone as (
    select * from {{ ref('contacts') }}
    where is_alone
),

gathered as (
    select * from {{ ref('int_conversations__gathered') }}
),

transfers as (
    select * from {{ ref('int_conversations__transferred') }}
),

ratings as (
    select * from {{ ref('int_conversations__rated') }}
),

transactions as (
    select * from {{ ref('int_conversations__transacted') }}
),

waiting as (
    select * from {{ ref('int_conversations__suspended') }}
),

loads as (
    select * from {{ ref('stg_canonical__loads') }}
),

publications as (
    select * from {{ ref('stg_canonical__publications') }}
),

next_publication as (
    select coalesce(max(publication_no), 0) + 1 as publication_no
    from publications
),

-- The publication that showed a load first. Numbers go up whatever the clock does.
shown as (
    select
        loads.load_no,
        min(publications.publication_no) as publication_no
    from loads
    inner join publications on loads.load_no <= publications.last_load_no
    group by loads.load_no
),

contacts as (
    select
        conversation_key,
        conversation_id,
        source,
        anchor_contact_id,
        visitor_id,
        project_id,
        channel,
        language,
        first_group_id,
        extra,
        time_zone,
        started_at,
        ended_at,
        last_end_reason,
        pending_requested_at,
        last_message_at,
        contact_count,
        human_contact_count,
        bot_contact_count,
        first_agent_kind,
        is_escalated,
        only_agent_id,
        is_answered,
        is_answered_by_human,
        handle_seconds,
        human_handle_seconds,
        first_loaded_at,
        first_visitor_message_at,
        first_human_reply_at,
        messages_sent_count,
        messages_received_count,
        has_messages,
        missing_contact_count,
        agent_path,
        agent_count,
        is_bounced,
        changed_load_no
    from gathered

    union all

    select
        {{ what_contacts_say(alone=true) }},
        first_visitor_message_at,
        {{ human_answer('alone', 'alone.first_visitor_message_at') }} as first_human_reply_at,
        messages_sent_count,
        messages_received_count,
        facts_source = 'messages' as has_messages,
        0 as missing_contact_count,
        cast(null as {{ type_list() }}) as agent_path,
        cast(null as bigint) as agent_count,
        false as is_bounced,
        greatest(changed_load_no, coalesce(messages_changed_load_no, 0)) as changed_load_no
    from alone
),

joined as (
    select
        contacts.conversation_id,
        contacts.source,
        contacts.anchor_contact_id,
        contacts.visitor_id,
        contacts.project_id,
        contacts.channel,
        contacts.language,
        contacts.time_zone,
        contacts.started_at,
        case when waiting.conversation_key is null or waiting.is_expired then contacts.ended_at end
            as closed_at,
        coalesce(not waiting.is_expired, false) as is_waiting,
        case when not waiting.is_expired then contacts.ended_at end as waiting_since_at,
        waiting.expires_at,
        waiting.expired_load_no,
        case when waiting.is_expired then 'expired' else contacts.last_end_reason end
            as last_end_reason,
        contacts.contact_count,
        contacts.human_contact_count,
        contacts.bot_contact_count,
        contacts.first_agent_kind,
        contacts.is_escalated,
        contacts.only_agent_id,
        contacts.first_group_id,
        contacts.extra,
        contacts.is_answered,
        contacts.is_answered_by_human,
        contacts.handle_seconds,
        contacts.human_handle_seconds,
        contacts.first_loaded_at,
        contacts.first_visitor_message_at,
        contacts.first_human_reply_at,
        contacts.messages_sent_count,
        contacts.messages_received_count,
        contacts.has_messages,
        contacts.missing_contact_count,
        contacts.agent_path,
        contacts.agent_count,
        contacts.is_bounced,
        coalesce(transfers.transfer_request_count, 0) as transfer_request_count,
        coalesce(transfers.transfer_count, 0) as transfer_count,
        ratings.csat_score,
        ratings.nps_score,
        ratings.is_csat_positive,
        ratings.nps_class,
        coalesce(transactions.transaction_count, 0) as transaction_count,
        coalesce(transactions.refund_count, 0) as refund_count,
        transactions.transaction_amount,
        transactions.currency,
        coalesce(transactions.is_converted, false) as is_converted,
        transactions.smallest_currency,
        transactions.largest_currency,
        greatest(
            contacts.changed_load_no,
            coalesce(transfers.changed_load_no, 0),
            coalesce(ratings.changed_load_no, 0),
            coalesce(transactions.changed_load_no, 0),
            coalesce(waiting.expired_load_no, 0)
        ) as last_changed_load_no
    from contacts
    left join transfers on contacts.conversation_key = transfers.conversation_key
    left join ratings on contacts.conversation_key = ratings.conversation_key
    left join transactions on contacts.conversation_key = transactions.conversation_key
    left join waiting on contacts.conversation_key = waiting.conversation_key
),

-- Apart from the sort: in one with it, the joins keep DuckDB from moving what it sorts to the disk,
-- and from some ten million conversations on 4 GB are not enough.
described as {{ apart() }} (
    select
        joined.conversation_id,
        joined.source,
        joined.visitor_id,
        joined.project_id,
        joined.channel,
        joined.language,
        joined.time_zone,
        joined.started_at,
        {{ local_day('joined.started_at', 'joined.time_zone') }} as started_on,
        joined.closed_at,
        {{ local_day('joined.closed_at', 'joined.time_zone') }} as closed_on,
        joined.closed_at is not null as is_closed,
        joined.is_waiting,
        joined.waiting_since_at,
        case when joined.closed_at is not null then joined.last_end_reason end as close_reason,
        joined.contact_count,
        joined.missing_contact_count,
        joined.human_contact_count,
        joined.bot_contact_count,
        coalesce(joined.agent_count, case when joined.only_agent_id is not null then 1 else 0 end)
            as agent_count,
        joined.transfer_request_count,
        joined.transfer_count,
        joined.transfer_count > 0 as is_transferred,
        coalesce(joined.first_agent_kind = 'bot', false) as is_bot_first,
        coalesce(joined.is_escalated, false) as is_escalated,
        coalesce(joined.first_agent_kind = 'bot' and joined.is_escalated, false)
            as is_escalated_from_bot,
        coalesce(joined.is_bounced, false) as is_bounced,
        coalesce({{ list_element('joined.agent_path', 1) }}, joined.only_agent_id)
            as first_agent_id,
        coalesce({{ list_element('joined.agent_path', -1) }}, joined.only_agent_id)
            as last_agent_id,
        coalesce(joined.agent_path, {{ list_of('joined.only_agent_id') }}) as agent_path,
        joined.first_group_id,
        joined.extra,
        case
            when joined.bot_contact_count = 0 then 'not_automated'
            when joined.human_contact_count = 0 then 'fully_automated'
            else 'partially_automated'
        end as automation_level,
        joined.is_answered,
        joined.is_answered_by_human,
        joined.first_visitor_message_at,
        joined.first_human_reply_at,
        -- From the visitor's first message; null without one.
        {{ elapsed_seconds('joined.first_visitor_message_at', 'joined.first_human_reply_at') }}
            as first_reply_seconds,
        case
            when joined.messages_received_count = 0
                then {{ elapsed_seconds('joined.started_at', 'joined.first_human_reply_at') }}
        end as pickup_seconds,
        {{ elapsed_seconds(
            'coalesce(joined.first_visitor_message_at, joined.started_at)', 'joined.closed_at'
        ) }} as resolution_seconds,
        joined.handle_seconds,
        joined.human_handle_seconds,
        joined.messages_sent_count,
        joined.messages_received_count,
        joined.csat_score,
        joined.nps_score,
        joined.is_csat_positive,
        joined.nps_class,
        joined.transaction_count,
        joined.refund_count,
        joined.transaction_amount,
        joined.currency,
        joined.is_converted,
        joined.smallest_currency,
        joined.largest_currency,
        case when joined.has_messages then 'messages' else 'contact_log' end as facts_source,
        loads.loaded_at as changed_at,
        coalesce(shown.publication_no, next_publication.publication_no) as changed_publication_no,
        joined.first_loaded_at,
        joined.anchor_contact_id,
        joined.expires_at,
        joined.expired_load_no
    from joined
    inner join loads on joined.last_changed_load_no = loads.load_no
    cross join next_publication
    left join shown on joined.last_changed_load_no = shown.load_no
)

select
    conversation_id,
    source,
    visitor_id,
    project_id,
    channel,
    language,
    time_zone,
    started_at,
    started_on,
    closed_at,
    closed_on,
    is_closed,
    is_waiting,
    waiting_since_at,
    close_reason,
    contact_count,
    missing_contact_count,
    human_contact_count,
    bot_contact_count,
    agent_count,
    transfer_request_count,
    transfer_count,
    is_transferred,
    is_bot_first,
    is_escalated,
    is_escalated_from_bot,
    is_bounced,
    first_agent_id,
    last_agent_id,
    agent_path,
    first_group_id,
    extra,
    automation_level,
    is_answered,
    is_answered_by_human,
    first_visitor_message_at,
    first_human_reply_at,
    first_reply_seconds,
    pickup_seconds,
    resolution_seconds,
    handle_seconds,
    human_handle_seconds,
    messages_sent_count,
    messages_received_count,
    csat_score,
    nps_score,
    is_csat_positive,
    nps_class,
    transaction_count,
    refund_count,
    transaction_amount,
    currency,
    is_converted,
    smallest_currency,
    largest_currency,
    facts_source,
    changed_at,
    changed_publication_no,
    first_loaded_at,
    anchor_contact_id,
    expires_at,
    expired_load_no
from described
{{ laid_out_by() }}
