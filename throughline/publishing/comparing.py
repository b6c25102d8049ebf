"""Which cells of the two reports differ between two sets of public models, and why.

Belongs here: the comparison, for a publication and for a run that publishes nothing. Does not
belong here: why a cell differs (explaining), keeping what is found (restating).

A *cell* is a measure of a row of a report. Of reports that are equal nothing else is read.
"""

from __future__ import annotations

import duckdb

from throughline import engine
from throughline.engine.sql import identifier, literal, named, sql
from throughline.publishing.explaining import Since, explain

# Where `restated` puts what it found.
RESTATED = "restated"

_KEY = ("period_grain", "period_start", "dimension", "dimension_value", "source")
_NO_MEASURES = {*_KEY, "is_additive", "is_provisional", "settles_at", "currency"}
_REPORTS = ("statistical_report", "contacts_report")
_NEXT_START = """
    cells.period_start + case cells.period_grain
        when 'day' then interval 1 day when 'week' then interval 7 day else interval 1 month
    end
"""


def restated(
    connection: duckdb.DuckDBPyConnection, before: str, after: str, *, since: Since
) -> int:
    """Find the cells that differ, each with its cause.

    They are in the temporary table `restated` afterwards, with the columns of `raw.restatements`
    but `publication_no`. A cell of a period that the first set does not have for its source, or
    that was not over then, is left out: it grows. Where more than 10,000 cells of a report differ,
    those of the whole by month are there, and for the others one row per measure and cause.

    Args:
        connection: one that has both sets.
        before: the database of the first, a published version.
        after: the database of the other, as dbt builds it (`outgoing.duckdb`).
        since: what was published when the first was.

    Returns:
        How many cells differ.
    """
    connection.execute(_EMPTY)
    for report in _REPORTS:
        if engine.has_table(connection, before, "reports", report):
            _find_cells(connection, before, after, report)
    count = int(engine.one(connection, "select count(*) from changed_cells"))
    if count:
        explain(connection, before, after, since)
    return count


_EMPTY = """
    create or replace temporary table restated (
        restated_at timestamp, report varchar, period_grain varchar, period_start date,
        dimension varchar, dimension_value varchar, source varchar, measure varchar,
        from_value double, to_value double, was_provisional boolean, cause varchar,
        conversations bigint, cells bigint
    );
    create or replace temporary table changed_cells (
        report varchar, period_grain varchar, period_start date, dimension varchar,
        dimension_value varchar, source varchar, measure varchar, from_value double,
        to_value double, was_provisional boolean
    );
"""


# --- the cells that differ ------------------------------------------------------------------------


def _find_cells(
    connection: duckdb.DuckDBPyConnection, before: str, after: str, report: str
) -> None:
    """Collect the cells of a report that differ in a period that was published and over."""
    old, new = (_columns(connection, database, report) for database in (before, after))
    # What the first set could not show has not been changed.
    measures = [name for name in old if name in new and name not in _NO_MEASURES]
    differ = " or ".join(
        f"old_row.{identifier(name)} is distinct from new_row.{identifier(name)}"
        for name in measures
    )
    pairs = ", ".join(
        f"{{'measure': {literal(name)},"
        f" 'from_value': cast(old_row.{identifier(name)} as double),"
        f" 'to_value': cast(new_row.{identifier(name)} as double)}}"
        for name in measures
    )
    key = ", ".join(f"coalesce(old_row.{name}, new_row.{name}) as {name}" for name in _KEY)
    same = " and ".join(f"old_row.{name} is not distinct from new_row.{name}" for name in _KEY)
    was_provisional = "old_row.is_provisional" if "is_provisional" in old else "null"
    over = "true"
    if engine.has_table(connection, before, "marts", "arrivals"):
        over = sql("@{next_start} <= newest.loaded_at", next_start=_NEXT_START)
        newest = named(
            "(select source, max(loaded_at) as loaded_at from {arrivals} group by source"
            " union all select null, max(loaded_at) from {arrivals})",
            arrivals=(before, "marts", "arrivals"),
        )
    else:
        newest = "(select null as source, null as loaded_at where false)"
    connection.execute(
        sql(
            """
            insert into changed_cells
            with old_rows as (select *, true as is_there from @{before}),

            new_rows as (select *, true as is_there from @{after}),

            rows_that_differ as (
                select
                    @{key},
                    coalesce(@{was_provisional}, false) as was_provisional,
                    old_row.is_there and new_row.is_there as is_in_both,
                    unnest([@{pairs}]) as pair
                from old_rows as old_row
                full join new_rows as new_row on @{same}
                where old_row.is_there is distinct from new_row.is_there or @{differ}
            ),

            published as (
                select distinct period_grain, period_start, source from old_rows
                where dimension in ('all', 'source')
            ),

            cells as (
                select rows_that_differ.* exclude (pair), unnest(pair) from rows_that_differ
            )

            select
                $report, cells.period_grain, cells.period_start, cells.dimension,
                cells.dimension_value, cells.source, cells.measure, cells.from_value,
                cells.to_value, cells.was_provisional
            from cells
            join published
                on cells.period_grain = published.period_grain
                and cells.period_start = published.period_start
                and cells.source is not distinct from published.source
            left join @{newest} as newest on cells.source is not distinct from newest.source
            where cells.from_value is distinct from cells.to_value
                and (cells.is_in_both or coalesce(cells.from_value, cells.to_value) <> 0)
                and coalesce(@{over}, true)
            """,
            before=identifier(before, "reports", report),
            after=identifier(after, "reports", report),
            key=key,
            same=same,
            differ=differ,
            pairs=pairs,
            was_provisional=was_provisional,
            newest=newest,
            over=over,
        ),
        {"report": report},
    )


def _columns(connection: duckdb.DuckDBPyConnection, database: str, report: str) -> list[str]:
    query = named("describe {report}", report=(database, "reports", report))
    return [str(name) for name, *_ in connection.execute(query).fetchall()]
