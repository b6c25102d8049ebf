"""The files that hold published ids: the ledger's parts, and the versions that show them.

Belongs here: which there are, reading them into a table, writing one. Does not belong here: what
the warehouse knows of them and takes over (id_ledger).

A part holds publications, published ids and merges, told apart by `kind`. What a version shows is
read into the same form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from throughline import engine
from throughline.engine.files import move, replacing
from throughline.engine.sql import sql
from throughline.published.manifest import DATABASE_NAME, MANIFEST_NAME
from throughline.settings import Settings

FOLDER = "ids"

_COLUMNS = {
    "kind": "varchar",
    "publication_no": "bigint",
    "conversation_id": "varchar",
    "source": "varchar",
    "contact_id": "varchar",
    "new_conversation_id": "varchar",
    "merged_at": "timestamp",
    "evidence": "varchar",
    "transfer_id": "varchar",
    "data_version": "varchar",
    "run_id": "varchar",
    "published_at": "timestamp",
}
# An id is its source and the id of the contact that gave it.
_SHOWN_IDS = """
    insert into in_versions by name
    select
        'id' as kind,
        $publication_no as publication_no,
        conversation_id,
        source,
        substring(conversation_id, length(source) + 2) as contact_id
    from (@{ids})
"""
_SHOWN_MERGES = """
    insert into in_versions by name
    select
        'merge' as kind,
        $publication_no as publication_no,
        old_conversation_id as conversation_id,
        source,
        new_conversation_id,
        merged_at,
        evidence,
        transfer_id
    from version.marts.conversation_merges
"""
_SHOWN_PUBLICATION = """
    insert into in_versions by name
    select
        'publication' as kind,
        $publication_no as publication_no,
        $data_version as data_version,
        $run_id as run_id,
        $published_at::timestamp as published_at
    where $publication_no is not null
"""


def parts(settings: Settings) -> set[str]:
    """The parts on the disk, relative to `published/`."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return {
            f"{FOLDER}/{path.name}"
            for path in (settings.published_dir / FOLDER).iterdir()
            if path.suffix == ".parquet"
        }
    return set()


def versions(settings: Settings) -> dict[str, Path]:
    """The published versions on the disk, `versions/<data_version>`, and the folder of each."""
    published = settings.published_dir
    found = {}
    with suppress(FileNotFoundError, NotADirectoryError):
        for folder in sorted((published / "versions").iterdir()):
            found[f"versions/{folder.name}"] = folder
    # The current names may be all that is left of a version.
    if (version := _manifest(published).get("data_version")) is not None:
        found.setdefault(f"versions/{version}", published)
    return {name: folder for name, folder in found.items() if (folder / DATABASE_NAME).is_file()}


def _manifest(folder: Path) -> dict[str, Any]:
    """A version's manifest; empty when there is none that can be read."""
    try:
        content = json.loads((folder / MANIFEST_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_parts(
    connection: duckdb.DuckDBPyConnection, settings: Settings, parts: Sequence[str]
) -> list[str]:
    """Read parts into a table of their own. Gives those that cannot be read."""
    _make_table(connection, "in_parts")
    read = "insert into in_parts by name select * from read_parquet($files)"
    files = {name: str(settings.published_dir / name) for name in parts}
    if not files:
        return []
    try:
        connection.execute(read, {"files": list(files.values())})
        return []
    except duckdb.Error:
        # One of them is damaged; which one?
        damaged = []
        for name, file in files.items():
            try:
                connection.execute(read, {"files": [file]})
            except duckdb.Error:
                damaged.append(name)
        return damaged


def read_versions(connection: duckdb.DuckDBPyConnection, versions: Mapping[str, Path]) -> list[str]:
    """Read what published versions show into a table. Gives those that cannot be read."""
    _make_table(connection, "in_versions")
    damaged = []
    for name, folder in versions.items():
        manifest = _manifest(folder)
        number = {"publication_no": manifest.get("publication_no")}
        try:
            engine.attach(connection, folder / DATABASE_NAME, "version")
        except duckdb.Error:
            damaged.append(name)
            continue
        try:
            tables = {
                table
                for (table,) in connection.execute(
                    "select table_name from duckdb_tables()"
                    " where database_name = 'version' and schema_name = 'marts'"
                ).fetchall()
            }
            ids = ["select conversation_id, source from version.marts.conversations"]
            if "conversation_ids" in tables:
                ids.append(
                    "select id, source from version.marts.conversation_ids"
                    " where id_kind = 'former_conversation'"
                )
            connection.execute(sql(_SHOWN_IDS, ids=" union ".join(ids)), number)
            if "conversation_merges" in tables:
                connection.execute(_SHOWN_MERGES, number)
            published_at = datetime.fromisoformat(manifest.get("published_at", "1970-01-01"))
            connection.execute(
                _SHOWN_PUBLICATION,
                {
                    **number,
                    "data_version": Path(name).name,
                    "run_id": manifest.get("run_id"),
                    "published_at": published_at.astimezone(UTC).replace(tzinfo=None),
                },
            )
        except duckdb.Error:
            damaged.append(name)
        finally:
            connection.execute("detach version")
    return damaged


def _make_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = ", ".join(f"{column} {kind}" for column, kind in _COLUMNS.items())
    connection.execute(f"create or replace temporary table {name} ({columns})")


def write_part(
    connection: duckdb.DuckDBPyConnection, settings: Settings, name: str, rows: str
) -> None:
    """Write a part, whole and for good; the rows are SQL over the warehouse."""
    with replacing(settings.published_dir / name, mode=0o444) as draft:
        connection.execute(
            sql(
                "copy (select * from (@{rows}) order by kind, publication_no, conversation_id,"
                " new_conversation_id) to $file (format parquet, compression zstd)",
                rows=rows,
            ),
            {"file": str(draft)},
        )


def set_aside(settings: Settings, parts: Sequence[str]) -> None:
    """Put damaged parts out of the way: what the warehouse knows of them is written again."""
    for name in parts:
        file = settings.published_dir / name
        move(file, file.with_name(file.name + ".damaged"))
