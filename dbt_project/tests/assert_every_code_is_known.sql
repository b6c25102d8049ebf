{{ config(severity='warn') }}

-- Shows codes that no vocabulary maps. Their columns are null in the marts; the record is kept. Add
-- a row to seeds/vocabulary/codes.csv and build again.
with unknown_codes as (
    select
        source,
        'agent_kind' as vocabulary,
        agent_kind_code as code
    from {{ ref('int_contacts__current') }}
    where agent_kind is null

    union all

    select
        source,
        'end_reason' as vocabulary,
        end_reason_code as code
    from {{ ref('int_contacts__current') }}
    where end_reason_code is not null and end_reason is null

    union all

    select
        source,
        'outcome' as vocabulary,
        outcome_code as code
    from {{ ref('int_transfers__current') }}
    where outcome_code is not null and outcome = 'unknown'

    union all

    select
        source,
        'target_kind' as vocabulary,
        target_kind_code as code
    from {{ ref('int_transfers__current') }}
    where target_kind_code is not null and target_kind is null

    union all

    select
        source,
        'agent_kind' as vocabulary,
        agent_kind_code as code
    from {{ ref('int_agents__current') }}
    where agent_kind_code is not null and agent_kind is null
)

select
    source,
    vocabulary,
    code,
    count(*) as record_count
from unknown_codes
group by source, vocabulary, code
