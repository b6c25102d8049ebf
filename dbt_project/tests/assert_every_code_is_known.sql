{{ config(severity='warn') }}

-- Shows codes that no vocabulary maps. Their columns are null in the marts, the outcome of a
-- transfer is accepted where both contacts are there and else unknown; the record is kept. Add a
-- row to dbt_project/seeds/codes.csv and build again.
with unknown_codes as (
    select
        source,
        'agent_kind' as vocabulary,
        unknown_agent_kind_code as code
    from {{ ref('int_contacts__consolidated') }}
    where unknown_agent_kind_code is not null

    union all

    select
        source,
        'end_reason' as vocabulary,
        unknown_end_reason_code as code
    from {{ ref('int_contacts__consolidated') }}
    where unknown_end_reason_code is not null

    union all

    select
        source,
        'outcome' as vocabulary,
        unknown_outcome_code as code
    from {{ ref('int_transfers__consolidated') }}
    where unknown_outcome_code is not null

    union all

    select
        source,
        'target_kind' as vocabulary,
        unknown_target_kind_code as code
    from {{ ref('int_transfers__consolidated') }}
    where unknown_target_kind_code is not null

    union all

    select
        source,
        'agent_kind' as vocabulary,
        agent_kind_code as code
    from {{ ref('int_agents__consolidated') }}
    where agent_kind_code is not null and agent_kind is null
)

select
    source,
    vocabulary,
    code,
    count(*) as record_count
from unknown_codes
group by source, vocabulary, code
