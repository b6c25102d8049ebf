{{ config(materialized='connected_components') }}

-- One row per contact, delivered or missing, that stands in an accepted link: its component.
select
    from_key as node_a,
    to_key as node_b
from {{ ref('int_links__accepted') }}
