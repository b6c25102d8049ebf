-- Catches a join, a filter or a version rule that loses or repeats records between raw and mart:
-- per source and log, the distinct records delivered are the rows of the mart. Does not assert that
-- the rows say the right thing.
with delivered as (
    {% for log, key in [
        ('int_contacts__standardised', ['source', 'contact_id']),
        ('int_transfers__standardised', ['source', 'transfer_id']),
        ('int_messages__recognised', ['source', 'message_id']),
        ('int_ratings__standardised', ['source', 'rating_id']),
        ('stg_canonical__transactions', ['source', 'transaction_id']),
        ('int_agents__standardised', ['source', 'agent_id', 'valid_from']),
    ] %}
    {%- set mart = log.split('__')[0 if log.startswith('int') else 1].replace('int_', '') %}
    select
        '{{ mart }}' as mart,
        source,
        -- Hashes of keys, not keys: at a hundred million records two that clash are a once in
        -- thousands of runs event, which a look at this test's rows would show.
        count(distinct {{ volatile_hash(key) }}) as record_count
    from {{ ref(log) }}
    group by source
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

kept as (
    {% for mart in ['contacts', 'transfers', 'messages', 'ratings', 'transactions', 'agents'] %}
    select
        '{{ mart }}' as mart,
        source,
        count(*) as record_count
    from {{ ref(mart) }}
    group by source
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select
    coalesce(delivered.mart, kept.mart) as mart,
    coalesce(delivered.source, kept.source) as source,
    coalesce(delivered.record_count, 0) as delivered_count,
    coalesce(kept.record_count, 0) as kept_count
from delivered
full outer join kept
    on
        delivered.mart = kept.mart
        and delivered.source = kept.source
where coalesce(delivered.record_count, 0) <> coalesce(kept.record_count, 0)
