"""The raw tables and the registry as Parquet files, which Spark reads where they lie.

Belongs here: which files there are to be, and writing those that are not. Does not belong here:
under which names Spark knows them (`sources_at_hand` in dbt_project/macros/engine/spark.sql).

The rows of a load never change, so its file is written once. A warehouse that was restored or made
anew may have another load under the same number: beside the files it says what each was made from.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb

from throughline import engine
from throughline.engine import files
from throughline.engine.sql import identifier, sql
from throughline.landing import registry
from throughline.landing.logs import LOGS
from throughline.settings import Settings

# The ledger of what landing has hashed: no model reads it.
_OWN = frozenset({"landing_files"})
# Spark passes over names that begin so.
_LEDGER = "_exported.json"
_FORM = "(format parquet, compression zstd, compression_level 1)"

Progress = Callable[[str], None]


def export(settings: Settings, tell: Progress = lambda line: None) -> int:
    """Bring the files up to date. Call it under the warehouse lock.

    Args:
        settings: where things are. Nothing has the warehouse open.
        tell: gets a short line of text as the work goes on.

    Returns:
        How many loads were written.

    Raises:
        duckdb.Error, OSError: a file cannot be written. What was written before is used again.
    """
    raw = settings.spark_dir / "raw"
    written = 0
    with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw' order by table_name"
        ).fetchall()
        for (table,) in tables:
            if table in LOGS:
                written += _export_log(connection, table, raw / table, tell)
            elif table not in _OWN:
                _write(connection, sql("from raw.@{table}", table=identifier(table)), raw / table)
    with engine.connect(settings) as connection:
        for one in registry.TABLES:
            file = settings.registry_dir / one.file
            folder = settings.spark_dir / "registry" / file.stem
            _write(connection, _texts_of(one), folder, file=str(file))
    return written


def _export_log(
    connection: duckdb.DuckDBPyConnection, log: str, folder: Path, tell: Progress
) -> int:
    columns = [
        f"{name} {kind}"
        for name, kind, *_ in connection.execute(
            sql("describe raw.@{log}", log=identifier(log))
        ).fetchall()
    ]
    loads = {
        str(load_no): [content, rows]
        for load_no, content, rows in connection.execute(
            sql(
                """
                select load_no, coalesce(content_sha256, ''), rows.number
                from (select load_no, count(*) as number from raw.@{log} group by load_no) as rows
                inner join raw.loads using (load_no)
                order by load_no
                """,
                log=identifier(log),
            )
        ).fetchall()
    }
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        number: load
        for number, load in _known(folder / _LEDGER, columns).items()
        if loads.get(number) == load and (folder / _name(number)).exists()
    }
    # Before anything is replaced: what a file was made from is never said of another.
    _note(folder, columns, kept)
    for file in folder.iterdir():
        if file.name not in {_LEDGER, *map(_name, kept)}:
            file.unlink()
    query = sql("from raw.@{log} where load_no = $load_no", log=identifier(log))
    for number in loads.keys() - kept.keys():
        tell(f"exporting {log} of load {number}")
        _copy(connection, query, folder / _name(number), load_no=int(number))
    # A log that nothing was loaded of has its columns all the same.
    _copy(connection, query, folder / "none.parquet", load_no=-1)
    _note(folder, columns, loads)
    return len(loads) - len(kept)


def _name(number: str) -> str:
    return f"load_no={number}.parquet"


def _known(file: Path, columns: list[str]) -> dict[str, list[object]]:
    """What each file was made from, by the number of its load; nothing if of other columns."""
    try:
        content = json.loads(file.read_bytes())
        return dict(content["loads"]) if content["columns"] == columns else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _note(folder: Path, columns: list[str], loads: dict[str, list[object]]) -> None:
    files.write(folder / _LEDGER, json.dumps({"columns": columns, "loads": loads}))


def _texts_of(table: registry.Table) -> str:
    """The rows of a file of the registry as texts, with the columns that it may leave out."""
    return sql(
        """
        select @{columns} from (
            select @{none} where false
            union all by name
            from read_csv(
                $file, header = true, delim = ',', quote = '"', escape = '"', all_varchar = true
            )
        )
        """,
        columns=", ".join(map(identifier, table.columns)),
        none=", ".join(f"null::varchar as {identifier(name)}" for name in table.columns),
    )


def _write(
    connection: duckdb.DuckDBPyConnection, query: str, folder: Path, **values: int | str
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _copy(connection, query, folder / "all.parquet", **values)


def _copy(
    connection: duckdb.DuckDBPyConnection, query: str, target: Path, **values: int | str
) -> None:
    with files.replacing(target) as draft:
        connection.execute(f"copy ({query}) to $target {_FORM}", {**values, "target": str(draft)})
