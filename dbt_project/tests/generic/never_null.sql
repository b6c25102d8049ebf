{#- Rows in which a column that must always say something is null; all columns in one pass. -#}
{% test never_null(model, columns) %}
select *
from {{ model }}
where
    {% for column in columns %}{{ column }} is null{% if not loop.last %}
    or {% endif %}{% endfor %}
{% endtest %}
