{#-
    The current version of each record, from a relation that holds all versions.

    The newest `updated_at` wins, then the latest load, then the fuller and larger content, so that
    any order of arrival and any shuffling inside a file give the same row. Records that came once,
    nearly all of them, are never sorted: hashes of the keys find the few that may have come twice,
    and only those are ranked, by their exact keys. A hash that clashes costs a little work and
    changes nothing. The hash is a column before it is joined: DuckDB cannot take a condition on an
    expression of the outer query apart, and writes out every record to look it up.

    relation: a ref to a view, not to a common table expression, which DuckDB would write out whole.
    key: the columns that identify a record.
    version: the column that orders versions, newest last.
    columns: every other column of the record; also the last tie-break.
    link_columns: those of the columns that link the record to others, if any do.

    Gives key, version and columns, and: first_row_id and first_load_no (of the first version),
    changed_load_no (the load that brought the current content; an identical repeat does not move it),
    and with link_columns linked_load_no (the load that first brought the current link).
-#}
{% macro current_versions(relation, key, version, columns, link_columns=[]) %}
    {%- set content = ([version] if version else []) + columns %}
    {#- Twice in the text, not a common table expression, for the same reason. -#}
    {%- set hashed %}
        select
            {{ (key + content) | join(',\n            ') }},
            row_id,
            load_no,
            {{ volatile_hash(key) }} as key_hash
        from {{ relation }}
    {% endset %}
    with repeated_keys as (
        select {{ volatile_hash(key) }} as key_hash
        from {{ relation }}
        group by 1
        having count(*) > 1
    )

    select
        {{ (key + content) | join(',\n        ') }},
        row_id as first_row_id,
        load_no as first_load_no,
        load_no as changed_load_no
        {%- if link_columns %},
        load_no as linked_load_no
        {%- endif %}
    from ({{ hashed }}) as records
    left join repeated_keys on records.key_hash = repeated_keys.key_hash
    where repeated_keys.key_hash is null

    union all

    select
        {{ (key + content) | join(',\n        ') }},
        first_row_id,
        first_load_no,
        changed_load_no
        {%- if link_columns %},
        linked_load_no
        {%- endif %}
    from (
        select
            {{ (key + content) | join(',\n            ') }},
            min(row_id) over (partition by {{ key | join(', ') }}) as first_row_id,
            min(load_no) over (partition by {{ key | join(', ') }}) as first_load_no,
            min(load_no) over (partition by {{ (key + content) | join(', ') }}) as changed_load_no,
            {%- if link_columns %}
            min(load_no) over (partition by {{ (key + link_columns) | join(', ') }}) as linked_load_no,
            {%- endif %}
            row_number() over (
                partition by {{ key | join(', ') }}
                order by
                    {% if version %}{{ version }} desc nulls last,
                    {% endif %}load_no desc,
                    {%- for column in columns %}
                    {{ column }} desc nulls last,
                    {%- endfor %}
                    row_id desc
            ) as version_rank
        from ({{ hashed }}) as records
        inner join repeated_keys on records.key_hash = repeated_keys.key_hash
    ) as ranked_versions
    where version_rank = 1
{% endmacro %}
