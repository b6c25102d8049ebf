"""The raw tables as Parquet files, and back.

Belongs here: which rows a part holds, writing parts, reading all of them into a new warehouse. Does
not belong here: where the files are kept and compared (catalogue).

Most raw tables only grow, by loads or by publications. A backup that follows another one writes the
rows that are newer than those of the parts that are there, as long as the table and the number of
its older rows are what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from throughline import engine
from throughline.engine.sql import identifier, sql
from throughline.keeping.catalogue import BackupError, Part, Table

# By what a table grows. Its rows are never changed; a row that came in among older ones shows in
# their number. What has neither column, and the ledger of loads, is written whole each time.
_KEYS = ("load_no", "publication_no")
_CHANGES = {"loads"}
# Beyond, all rows are written anew into one part.
MAX_PARTS = 60

Known = dict[str, Table]


def newest_load(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest load; 0 when there is none."""
    return int(engine.one(connection, "select coalesce(max(load_no), 0) from raw.loads"))


def history(connection: duckdb.DuckDBPyConnection, until: int) -> str:
    """A checksum of what was loaded up to a load: another past has another one."""
    found: str = engine.one(
        connection,
        "select sha256(coalesce(string_agg(concat_ws('|', load_no, source, log, path,"
        " content_sha256, rows_loaded, loaded_at), chr(10) order by load_no), ''))"
        " from raw.loads where load_no <= $until",
        {"until": until},
    )
    return found


def write(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    known: Known,
    tell: Callable[[str], None],
) -> list[Table]:
    """Write every table of the schema `raw`, but for the parts that are known.

    Args:
        connection: the warehouse.
        folder: of the backup; new parts are written into it.
        known: the tables of the backup before, by name; none when it cannot be built upon.
        tell: gets a line for each table with new rows.

    Returns:
        The tables; a part that is not in the folder is one of the backup before.

    Raises:
        duckdb.Error: a part cannot be written, or the warehouse cannot be read.
    """
    tables = connection.execute(
        "select table_name, sql from duckdb_tables()"
        " where database_name = current_database() and schema_name = 'raw' order by table_name"
    ).fetchall()
    return [_write(connection, folder, known, name, ddl, tell) for name, ddl in tables]


def _write(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    known: Known,
    name: str,
    ddl: str,
    tell: Callable[[str], None],
) -> Table:
    key = _key(connection, name)
    kept = _kept(connection, known.get(name), key, name, ddl)
    after = kept[-1].newest if kept else -1
    final = _final(connection, key)
    # Each part has a name of its own: a part of before may be in the same folder.
    spans = [
        (f"after-{after}", f"{_expression(key)} > {after} and {_expression(key)} <= {final}"),
        ("last", f"{_expression(key)} > {max(after, final)}"),
    ]
    parts = list(kept)
    for label, condition in spans:
        rows, newest = _counted(connection, key, name, condition)
        if not rows:
            continue
        tell(f"raw.{name}: {rows:,} rows")
        path = f"raw/{name}/{label}.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            sql(
                "copy (select * from @{table} where @{condition}) to $file"
                " (format parquet, compression zstd)",
                table=identifier("raw", name),
                condition=condition,
            ),
            {"file": str(folder / path)},
        )
        parts.append(Part(path, newest, rows, is_final=label != "last"))
    return Table(name, ddl, tuple(parts))


def _key(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    columns = {
        column
        for (column,) in connection.execute(
            "select column_name from duckdb_columns() where database_name = current_database()"
            " and schema_name = 'raw' and table_name = $name",
            {"name": name},
        ).fetchall()
    }
    return next((key for key in _KEYS if key in columns and name not in _CHANGES), None)


def _final(connection: duckdb.DuckDBPyConnection, key: str | None) -> int:
    """The largest key whose rows stay as they are; -1 where none do.

    Rows of a publication that has not come about yet may be taken back.
    """
    if key is None:
        return -1
    table = "loads" if key == "load_no" else "publications"
    newest = "select coalesce(max(@{key}), 0) from raw.@{table}"
    return int(engine.one(connection, sql(newest, key=key, table=table)))


def _expression(key: str | None) -> str:
    return f"coalesce({key}, 0)" if key else "0"


def _counted(
    connection: duckdb.DuckDBPyConnection, key: str | None, name: str, condition: str
) -> tuple[int, int]:
    """How many rows there are of a condition, and the newest key of them."""
    row = connection.execute(
        sql(
            "select count(*), coalesce(max(@{key}), 0) from @{table} where @{condition}",
            key=_expression(key),
            table=identifier("raw", name),
            condition=condition,
        )
    ).fetchone()
    assert row is not None, "an aggregate returns a row"
    return int(row[0]), int(row[1])


def _kept(
    connection: duckdb.DuckDBPyConnection,
    before: Table | None,
    key: str | None,
    name: str,
    ddl: str,
) -> tuple[Part, ...]:
    """The parts of the backup before that still hold just the older rows."""
    if before is None or key is None or before.ddl != ddl or len(before.parts) >= MAX_PARTS:
        return ()
    parts = tuple(part for part in before.parts if part.is_final)
    if not parts:
        return ()
    rows, _ = _counted(connection, key, name, f"{_expression(key)} <= {parts[-1].newest}")
    return parts if rows == sum(part.rows for part in parts) else ()


def read(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    tables: tuple[Table, ...],
    tell: Callable[[str], None],
) -> None:
    """Make the raw tables of a backup in a new warehouse, and fill them.

    Raises:
        BackupError: a table does not get the rows that it had.
        duckdb.Error: a part cannot be read.
    """
    connection.execute("create schema raw")
    for table in tables:
        tell(f"raw.{table.name}: {table.rows:,} rows")
        connection.execute(table.ddl)
        if table.parts:
            connection.execute(
                sql(
                    "insert into @{table} by name select * from read_parquet($files)",
                    table=identifier("raw", table.name),
                ),
                {"files": [str(folder / part.path) for part in table.parts]},
            )
        count = "select count(*) from @{table}"
        there = engine.one(connection, sql(count, table=identifier("raw", table.name)))
        if there != table.rows:
            raise BackupError(
                f"The backup is damaged; use another one: raw.{table.name} has {there} rows and had"
                f" {table.rows}"
            )
