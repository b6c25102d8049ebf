-- One row per requested transfer: its current version, codes mapped.
with transfers as (
    {{ current_versions(
        ref('int_transfers__standardised'),
        key=['source', 'transfer_id'],
        version='updated_at',
        columns=[
            'to_contact_id', 'outcome_code', 'requested_at', 'from_contact_id', 'target_id', 'kind',
            'target_kind_code',
        ],
        link_columns=['from_contact_id', 'to_contact_id'],
    ) }}
),

outcomes as (
    select * from {{ ref('codes') }}
    where vocabulary = 'outcome'
),

target_kinds as (
    select * from {{ ref('codes') }}
    where vocabulary = 'target_kind'
)

select
    transfers.source,
    transfers.transfer_id,
    transfers.from_contact_id,
    transfers.to_contact_id,
    transfers.requested_at,
    transfers.kind,
    target_kinds.value as target_kind,
    case when target_kinds.value is null then transfers.target_kind_code end
        as unknown_target_kind_code,
    transfers.target_id,
    -- A contact that opened is what accepted means, so its id is as good as the word.
    coalesce(
        outcomes.value,
        case
            when transfers.to_contact_id is not null and transfers.outcome_code is null
                then 'accepted'
        end,
        'unknown'
    ) as outcome,
    case when outcomes.value is null then transfers.outcome_code end as unknown_outcome_code,
    transfers.changed_load_no,
    transfers.linked_load_no
from transfers
left join outcomes on transfers.outcome_code = outcomes.code
left join target_kinds on transfers.target_kind_code = target_kinds.code
