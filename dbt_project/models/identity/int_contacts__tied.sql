{{ config(materialized='chain_depths') }}

-- One row per contact that starts in the same instant as the one it was handed over from. A
-- hand-over within the resolution of the clock leaves only the link to say who came first.
with links as (
    select * from {{ ref('int_links__accepted') }}
)

select
    to_key as node,
    {{ value_at_smallest('from_key', 'from_contact_id') }} as previous
from links
where
    evidence <> 'conversation_ref'
    and from_started_at = to_started_at
    and from_key <> to_key
group by to_key
