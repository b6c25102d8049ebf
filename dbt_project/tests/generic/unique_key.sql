{#-
    Rows that share a key with another row. Hashes find the few candidates, exact keys decide, so that
    a table of many millions costs one pass over a number instead of one over its texts.
-#}
{% test unique_key(model, columns) %}
select
    {{ columns | join(',\n    ') }},
    count(*) as row_count
from {{ model }} as tested
where
    {{ volatile_hash(columns) }} in (
        select {{ volatile_hash(columns) }}
        from {{ model }}
        group by 1
        having count(*) > 1
    )
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
