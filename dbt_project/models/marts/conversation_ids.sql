{{ config(pre_hook='{{ try_dictionaries(false) }}', post_hook='{{ try_dictionaries(true) }}') }}

-- One row per id that resolves, its kind and source. Sorted by a hash of the id: a look-up by both
-- reads one place, however alike ids begin.
with contacts as (
    select * from {{ ref('contacts') }}
),

conversations as (
    select * from {{ ref('conversations') }}
),

indexed as (
    select * from {{ ref('int_contacts__indexed') }}
),

published_ids as (
    select * from {{ ref('stg_canonical__published_ids') }}
),

remembered as (
    select * from {{ ref('int_contacts__remembered') }}
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
        indexed.contact_id as id,
        'missing_contact' as id_kind,
        indexed.source,
        indexed.conversation_id,
        indexed.conversation_started_at,
        conversations.first_loaded_at as since,
        'named_by_link' as reason
    from indexed
    inner join conversations on indexed.conversation_id = conversations.conversation_id
    where indexed.is_missing
),

-- The link that named it was taken back, and an id that was public keeps resolving.
remembered_ids as (
    select
        remembered.contact_id as id,
        'missing_contact' as id_kind,
        remembered.source,
        remembered.conversation_id,
        remembered.conversation_started_at,
        conversations.first_loaded_at as since,
        'named_by_former_link' as reason
    from remembered
    inner join conversations on remembered.conversation_id = conversations.conversation_id
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
        indexed.conversation_id,
        indexed.conversation_started_at,
        last_merges.merged_at as since,
        'merged' as reason
    from published_ids
    inner join indexed
        on
            published_ids.source = indexed.source
            and published_ids.contact_id = indexed.contact_id
    left join last_merges
        on
            published_ids.conversation_id = last_merges.old_conversation_id
            and last_merges.recency = 1
    where published_ids.conversation_id <> indexed.conversation_id
),

unioned as (
    select * from contact_ids
    union all
    select * from missing_contact_ids
    union all
    select * from remembered_ids
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
{{ laid_out_by() }}
