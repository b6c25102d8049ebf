-- One row per day of the forty years from 2010 on: what the semantic layer counts time by. It is
-- fixed, not taken from the data, so that a day without data is a day all the same.
with days as (
    {{ dbt.generate_series(14610) }}
)

select
    cast(
        {{ dbt.dateadd(
            'day', 'cast(generated_number as integer) - 1', "cast('2010-01-01' as date)"
        ) }} as date
    ) as day
from days
