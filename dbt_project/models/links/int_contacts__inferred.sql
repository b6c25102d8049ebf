-- One row per contact that an accepted link names and no log has delivered. Keys are negative, so
-- that they never meet those of contacts, and the same in every build.
with links as (
    select * from {{ ref('int_links__judged') }}
),

missing_ends as (
    select
        source,
        from_contact_id as contact_id
    from links
    where from_key is null and rejection_reason is null

    union

    select
        source,
        to_contact_id as contact_id
    from links
    where to_key is null and rejection_reason is null
)

select
    -1 - {{ id_hash("concat(source, ':', contact_id)") }} as contact_key,
    source,
    contact_id
from missing_ends
