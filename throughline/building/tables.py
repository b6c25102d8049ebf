"""The files that dbt builds in: opened for reading, looked at, and dropped.

Belongs here: what stands in a built table, and making room for a new build. Does not belong here:
what is proven of it (gate), what a reader sees (publishing).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from throughline import engine
from throughline.building import state
from throughline.engine.sql import identifier
from throughline.settings import Settings

TARGETS_KEPT = 3


def connect_read_only(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The warehouse and the public models for reading, each table by its schema and name.

    Call it under the warehouse lock: a reader blocks the writer.
    """
    connection = engine.connect(settings, settings.warehouse_file, read_only=True)
    try:
        if settings.outgoing_file.exists():
            engine.attach(connection, settings.outgoing_file, settings.outgoing_file.stem)
            # The public models first: a warehouse that an older version built may hold others.
            schemas = connection.execute(
                "select database_name, schema_name from duckdb_schemas() where not internal"
                " order by database_name = current_database(), database_name, schema_name"
            ).fetchall()
            home = f"{settings.warehouse_file.stem}.main"
            path = [home, *(f"{database}.{schema}" for database, schema in schemas)]
            connection.execute(f"set search_path = '{','.join(path)}'")
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True)
class TableFacts:
    """What stands in a table: its rows (None for a view) and its (column, type) pairs."""

    rows: int | None
    columns: tuple[tuple[str, str], ...]


def table_facts(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], TableFacts]:
    """Rows and columns of the given (schema, table) pairs, without those that do not exist."""
    # Asked once for all: each look into the catalog reads the whole of it.
    kinds: dict[tuple[str, str], str] = {}
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {table: [] for table in tables}
    for schema, table, kind in connection.execute(
        "select table_schema, table_name, table_type from information_schema.tables"
    ).fetchall():
        kinds[schema, table] = kind
    for schema, table, name, kind in connection.execute(
        "select table_schema, table_name, column_name, data_type"
        " from information_schema.columns order by ordinal_position"
    ).fetchall():
        if (schema, table) in columns:
            columns[schema, table].append((name, kind))
    facts = {}
    for (schema, table), found in columns.items():
        if (schema, table) not in kinds:
            continue
        rows = None
        if kinds[schema, table] == "BASE TABLE":
            count = connection.execute(
                f"from {identifier(schema, table)} select count(*)"
            ).fetchone()
            rows = int(count[0]) if count else None
        facts[schema, table] = TableFacts(rows, tuple(found))
    return facts


def drop_built(settings: Settings) -> list[str]:
    """Drop everything that dbt builds; the raw tables stay. Gives the names dropped."""
    state.forget(settings)
    dropped = [settings.outgoing_file.name] if settings.outgoing_file.exists() else []
    drop_outgoing(settings)
    return drop_private(settings) + dropped


def drop_private(settings: Settings) -> list[str]:
    """Drop what dbt builds in the warehouse itself. Gives the names of the schemas."""
    if not settings.warehouse_file.exists():
        return []
    with engine.connect(settings, settings.warehouse_file) as connection:
        schemas = connection.execute(
            "select schema_name from information_schema.schemata"
            " where catalog_name = current_database()"
            " and schema_name not in ('raw', 'main', 'information_schema', 'pg_catalog')"
            " order by schema_name"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f"drop schema {identifier(schema)} cascade")
    return [schema for (schema,) in schemas]


def drop_outgoing(settings: Settings) -> None:
    """Remove the file of the public models; the published copies of it stay."""
    file = settings.outgoing_file
    for path in (file, file.with_name(f"{file.name}.wal")):
        path.unlink(missing_ok=True)


def tidy_targets(settings: Settings) -> None:
    """Remove the working folders of old dbt runs; the newest few stay for a look."""
    folders = sorted(
        (path for path in settings.dbt_target_dir.glob("*-*-*") if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
    )
    for folder in folders[:-TARGETS_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)
