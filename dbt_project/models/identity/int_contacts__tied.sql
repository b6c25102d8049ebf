{{ config(materialized='chain_depths') }}

-- One row per contact that starts in the same instant as those it was handed over from. A hand-over
-- within the resolution of the clock leaves only the links to say who came first.
with links as (
    select * from {{ ref('int_links__accepted') }}
)

select distinct
    to_key as node,
    from_key as previous
from links
where
    evidence <> 'conversation_ref'
    and from_started_at = to_started_at
    and from_key <> to_key
