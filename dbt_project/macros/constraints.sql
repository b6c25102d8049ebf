{#-
    The columns of a table under contract. Keys are declared for whoever reads the project, and held by
    tests (tests/project/test_constraints.py has one for each): as constraints of the table they would
    cost an index apiece, and a file that is published with it.
-#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    (
        {%- for column in adapter.render_raw_columns_constraints(raw_columns=model['columns']) %}
        {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
