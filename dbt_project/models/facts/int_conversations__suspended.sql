-- One row per conversation that its last contact leaves waiting: snoozed, or with a transfer that
-- nobody has taken yet. Without news for the days that the registry gives its source it has
-- expired.
--
-- News are an end of a contact, the request itself, and a message. While a contact is open it is
-- with somebody, and the conversation waits for nobody.
with alone as (
    select * from {{ ref('contacts') }}
    where is_alone
),

gathered as (
    select * from {{ ref('int_conversations__gathered') }}
),

watermarks as (
    select * from {{ ref('int_sources__watermarked') }}
),

sources as (
    select * from {{ ref('stg_registry__sources') }}
),

ended as (
    select
        conversation_key,
        source,
        ended_at,
        end_reason as last_end_reason,
        pending_requested_at,
        last_message_at
    from alone

    union all

    select
        conversation_key,
        source,
        ended_at,
        last_end_reason,
        pending_requested_at,
        last_message_at
    from gathered
),

waiting as (
    select
        conversation_key,
        source,
        greatest(
            ended_at,
            coalesce(pending_requested_at, ended_at),
            coalesce(last_message_at, ended_at)
        ) as last_news_at
    from ended
    where
        ended_at is not null
        and (last_end_reason = 'snooze' or pending_requested_at is not null)
),

limited as (
    select
        waiting.conversation_key,
        waiting.source,
        waiting.last_news_at,
        {{ dbt.dateadd('day', waiting_days('sources'), 'waiting.last_news_at') }} as expires_at
    from waiting
    left join sources on waiting.source = sources.source
),

expired as (
    select
        limited.conversation_key,
        min(watermarks.load_no) as expired_load_no
    from limited
    inner join watermarks
        on
            limited.source = watermarks.source
            and limited.expires_at <= watermarks.event_at
    group by limited.conversation_key
)

select
    limited.conversation_key,
    limited.last_news_at,
    limited.expires_at,
    expired.conversation_key is not null as is_expired,
    expired.expired_load_no
from limited
left join expired on limited.conversation_key = expired.conversation_key
