{{ config(pre_hook='{{ try_dictionaries(false) }}', post_hook='{{ try_dictionaries(true) }}') }}

-- One row per id that resolves, its kind and source. Sorted by a hash of the id: a look-up by both
-- reads one place, however alike ids begin.
with contacts as (
    select * from {{ ref('int_contacts__enriched') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

identified as (
    select * from {{ ref('int_contacts__identified') }}
),

published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

recorded_merges as (
    select * from {{ ref('conversation_merges') }}
),

last_merges as (
    select
        old_conversation_id,
        merged_at,
        evidence,
        row_number() over (
            partition by old_conversation_id
            order by merged_at desc, new_conversation_id desc
        ) as recency
    from recorded_merges
),

contact_ids as (
    select
        contact_id as id,
        'contact' as id_kind,
        source,
        conversation_id,
        conversation_started_at,
        first_loaded_at as since,
        'contact' as reason
    from contacts
),

missing_contact_ids as (
    select
        identified.contact_id as id,
        'missing_contact' as id_kind,
        identified.source,
        identified.conversation_id,
        identified.conversation_started_at,
        conversations.first_loaded_at as since,
        'named_by_link' as reason
    from identified
    inner join conversations on identified.conversation_id = conversations.conversation_id
    where identified.is_missing
),

current_ids as (
    select
        conversation_id as id,
        'conversation' as id_kind,
        source,
        conversation_id,
        started_at as conversation_started_at,
        first_loaded_at as since,
        'current' as reason
    from conversations
),

former_ids as (
    select
        published_ids.conversation_id as id,
        'former_conversation' as id_kind,
        published_ids.source,
        identified.conversation_id,
        identified.conversation_started_at,
        last_merges.merged_at as since,
        'merged' as reason
    from published_ids
    inner join identified
        on
            published_ids.source = identified.source
            and published_ids.contact_id = identified.contact_id
    left join last_merges
        on
            published_ids.conversation_id = last_merges.old_conversation_id
            and last_merges.recency = 1
    where published_ids.conversation_id <> identified.conversation_id
),

unioned as (
    select * from contact_ids
    union all
    select * from missing_contact_ids
    union all
    select * from current_ids
    union all
    select * from former_ids
)

select
    id,
    id_kind,
    source,
    conversation_id,
    conversation_started_at,
    since,
    reason,
    {{ id_hash('id') }} as id_hash
from unioned
order by id_hash, id, source, id_kind
