"""What Spark built, taken into the file of the public models, from which it is published.

Belongs here: reading Spark's Parquet files, in the types and the order in which they go out. Does
not belong here: publishing (throughline.publishing), which does not know what built the models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from throughline import engine
from throughline.building import process
from throughline.building.manifest import is_public
from throughline.building.report import BuildError, Report
from throughline.building.tables import TableFacts
from throughline.engine.sql import identifier, literal, sql
from throughline.settings import Settings

Progress = Callable[[str], None]

_OUTGOING = "outgoing"
# Spark's times are instants; those of the models are readings of a clock in UTC.
_INSTANT, _READING = "TIMESTAMP WITH TIME ZONE", "TIMESTAMP"


def clear(settings: Settings) -> None:
    """Remove what the last build left: the next one begins in an empty folder."""
    shutil.rmtree(_built(settings), ignore_errors=True)


def gather(settings: Settings, manifest: Mapping[str, Any], tell: Progress) -> None:
    """Make the file of the public models from what Spark built.

    A model of more than `SNAPSHOT_ROWS` rows becomes a view over Spark's files.

    Args:
        settings: where things are. Nothing has the file open.
        manifest: dbt's.
        tell: gets a short line of text as the work goes on.

    Raises:
        duckdb.Error, OSError: a file cannot be read or written.
        BuildError: dbt failed over a view.
    """
    with engine.connect(settings) as connection:
        form = f"read_write, {settings.outgoing_form}"
        engine.attach(connection, settings.outgoing_file, _OUTGOING, form)
        for node in _outgoing(manifest, "table"):
            table = (node["schema"], node["alias"])
            files = _files(settings, table)
            columns = _columns(connection, files)
            published = (node["config"].get("meta") or {}).get("publish") or {}
            is_small = _rows(connection, files) <= settings.snapshot_rows
            tell(f"taking in {'.'.join(table)}")
            connection.execute(
                sql("create schema if not exists outgoing.@{schema}", schema=identifier(table[0]))
            )
            connection.execute(
                sql(
                    "create @{kind} outgoing.@{table} as select @{columns} from @{files} @{order}",
                    kind="table" if is_small else "view",
                    table=identifier(*table),
                    columns=", ".join(
                        f"{identifier(name)}::{kind} as {identifier(name)}"
                        for name, kind in columns
                    ),
                    files=_read(files),
                    order=f"order by {', '.join(published['order_by'])}"
                    if is_small and published
                    else "",
                )
            )
        connection.execute("checkpoint outgoing")
    _make_views(settings, manifest)


def facts(
    settings: Settings, tables: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], TableFacts]:
    """Rows and columns of the given (schema, table) pairs, without those that are no tables."""
    found = {}
    with engine.connect(settings) as connection:
        for table in tables:
            if files := _files(settings, table):
                columns = tuple(_columns(connection, files))
                found[table] = TableFacts(_rows(connection, files), columns)
    return found


def _outgoing(manifest: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    """The tables or views in the file of the public models, as `duckdb__database_of` has it."""
    for _, node in sorted(manifest["nodes"].items()):
        config = node["config"]
        is_kept = is_public(node) or (config.get("meta") or {}).get("merge")
        is_view = config["materialized"] == "view"
        if node["resource_type"] == "model" and is_kept and is_view == (kind == "view"):
            yield node


def _make_views(settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Let dbt make the public views by DuckDB: they show what publishing itself writes down.

    And the seeds, which are read beside the models.
    """
    names = [f"+{node['name']}" for node in _outgoing(manifest, "view")]
    target = settings.spark_dir / "target"
    target.mkdir(parents=True, exist_ok=True)
    report = Report()
    arguments = ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    arguments += ["--select", "resource_type:seed", *names]
    dbt = process.start(settings, arguments, target, more={"ENGINE": "duckdb"})
    if (status := process.follow(dbt, report.take)) != 0:
        raise BuildError(report.failures(settings, target, status or 0))


def _built(settings: Settings) -> Path:
    return settings.spark_dir / "built"


def _files(settings: Settings, table: tuple[str, str]) -> list[str]:
    """A table's files, in the order in which Spark's tasks wrote them."""
    schema, name = table
    folder = _built(settings) / f"{schema}.db" / name
    return [str(file) for file in sorted(folder.glob("part-*.parquet"))]


def _read(files: list[str]) -> str:
    return f"read_parquet([{', '.join(map(literal, files))}])"


def _columns(connection: duckdb.DuckDBPyConnection, files: list[str]) -> list[tuple[str, str]]:
    """The columns, each with the type that the models know."""
    described = connection.execute(f"describe from {_read(files)}").fetchall()
    return [(name, kind.replace(_INSTANT, _READING)) for name, kind, *_ in described]


def _rows(connection: duckdb.DuckDBPyConnection, files: list[str]) -> int:
    return int(
        engine.one(
            connection,
            "select coalesce(sum(num_rows), 0) from parquet_file_metadata($files)",
            {"files": files},
        )
    )
