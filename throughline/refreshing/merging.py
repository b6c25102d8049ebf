"""What dbt built of the working set takes the place of what stood: one transaction in one file.

Belongs here: the rows that go and those that come, and what publishing has to know of it. Does not
belong here: which rows go (touching), the copy that readers get (publishing).

Rows go by the conversations that gave way, not by the keys of the new rows: a conversation that
became part of another is in no new row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from throughline import engine
from throughline.engine.sql import sql
from throughline.refreshing.declared import Merged, declared
from throughline.settings import Settings

# The periods that are built anew.
PERIODS = """
    create temp table periods as
    select distinct period_grain, period_start
    from working.intermediate.int_periods__spanned
    where is_touched
"""
# When a row of a report is provisional, as its model has it: said a second time, for rows that no
# model makes (test_what_a_refresh_settles_is_what_a_rebuild_does).
_PROVISIONAL = {
    "contacts_report": "report.open > 0 or settled.is_growing",
    "statistical_report": "settled.has_waiting or settled.is_growing",
}
_NOTES = """
    create schema if not exists refresh;
    create table if not exists refresh.base (data_version varchar);
    create table if not exists refresh.touched_days (model varchar, day date);
"""


def merge(
    settings: Settings,
    manifest: Mapping[str, Any],
    *,
    data_version: str | None,
    file: Path | None = None,
) -> dict[str, tuple[int, int]]:
    """Put what dbt built of the working set in its place.

    Args:
        settings: where things are. Nothing has the files open.
        manifest: dbt's.
        data_version: of the version that the public models were published as before this; None
            when they differ from what is published.
        file: a copy of the public models to merge into, instead of them.

    Returns:
        By model: rows that went and rows that came.
    """
    models = declared(manifest)
    with engine.connect(settings, file or settings.outgoing_file) as connection:
        working = settings.working_dir
        engine.attach(connection, working / settings.outgoing_file.name, "built")
        engine.attach(connection, working / settings.warehouse_file.name, "working")
        connection.execute(PERIODS)
        connection.execute("begin")
        try:
            _note_days(connection, models, data_version)
            moved = {model.name: _replace(connection, model) for model in models}
            _settle(connection, models)
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
    return moved


def replaced(model: Merged) -> str:
    """SQL of whether a row of a model gives way.

    It reads the temporary table `periods` (PERIODS), and the working set as `working`.
    """
    match model.by:
        case "whole":
            return "true"
        case "day":
            return sql(
                "@{day} in (select period_start from periods where period_grain = 'day')",
                day=model.columns["day"],
            )
        case "period":
            return sql(
                "(period_grain, @{start}) in (select (period_grain, period_start) from periods)",
                start=model.columns["period"],
            )
        case _:
            return sql("rowid in (select place from working.kept.gone_@{name})", name=model.name)


def _replace(connection: duckdb.DuckDBPyConnection, model: Merged) -> tuple[int, int]:
    went = connection.execute(
        sql("delete from @{table} where @{rows}", table=model.table, rows=replaced(model))
    ).fetchone()
    came = connection.execute(
        sql("insert into @{table} by name from built.@{table}", table=model.table)
    ).fetchone()
    assert went is not None
    assert came is not None
    return went[0], came[0]


def _settle(connection: duckdb.DuckDBPyConnection, models: Sequence[Merged]) -> None:
    """Let the rows of all periods say what the settlements say now: any load may settle one.

    Of the rows that stay nothing else changes, so no figure is worked out again for it.
    """
    for model in models:
        if condition := _PROVISIONAL.get(model.name):
            connection.execute(
                sql(
                    """
                    update @{report} as report
                    set settles_at = settled.settles_at, is_provisional = @{condition}
                    from metrics.settlements as settled
                    where report.period_grain = settled.period_grain
                        and report.period_start = settled.period_start
                        and report.source is not distinct from settled.source
                        and (
                            report.settles_at is distinct from settled.settles_at
                            or report.is_provisional <> (@{condition})
                        )
                    """,
                    report=model.table,
                    condition=condition,
                )
            )


def _note_days(
    connection: duckdb.DuckDBPyConnection, models: Sequence[Merged], data_version: str | None
) -> None:
    """Note on which days of publishing rows go or come, since the version that is published."""
    connection.execute(_NOTES)
    if data_version is not None:
        connection.execute("truncate refresh.touched_days")
        connection.execute("truncate refresh.base")
        connection.execute("insert into refresh.base values (?)", [data_version])
    for model in models:
        if model.is_by_row and model.start is not None:
            connection.execute(
                sql(
                    """
                    insert into refresh.touched_days
                    select $model, day
                    from (
                        select day from working.kept.gone_@{name}
                        union
                        select @{start}::date from built.@{table}
                    )
                    except
                    select model, day from refresh.touched_days
                    """,
                    name=model.name,
                    start=model.start,
                    table=model.table,
                ),
                {"model": f"{model.schema}.{model.name}"},
            )
