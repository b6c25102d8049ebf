"""The one place that opens DuckDB, and that knows what a held file looks like.

Belongs here: the options of every connection, of a run's and of a reader's, what a reader's can
reach, and telling a lock conflict from other failures. Does not belong here: any statement about a
table, and waiting or trying again: each caller has its own patience.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from throughline.engine.sql import identifier, literal

if TYPE_CHECKING:
    # Not loaded for a name alone: a process that only reads, such as an export's, has none.
    from throughline.settings import Settings

# Behind a firewall that drops packets a missing extension hangs for minutes.
_NO_EXTENSIONS = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_LOCK_CONFLICT = "Could not set lock on file"
_HELD = "Another program has"


class HeldError(duckdb.IOException):
    """Another program has the file open; the message says which, and what to do about it."""


def connect(
    settings: Settings, file: Path | None = None, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, or an engine in memory, under the run's limits; times in UTC.

    A process that opens one file twice at once must do it with the same options: DuckDB refuses
    anything else. All connections of the pipeline have these.

    Args:
        settings: the limits, and where to spill.
        file: the file; none for an engine in memory.
        read_only: for a file: keep it as it is.

    Raises:
        HeldError: another process has the file open, and waiting can help.
        duckdb.IOException: the file cannot be opened.
        duckdb.Error: the file is no DuckDB file, or not of a version that this one reads.
    """
    try:
        connection = duckdb.connect(
            ":memory:" if file is None else str(file),
            read_only=read_only,
            config={
                **settings.engine_options,
                "temp_directory": str(settings.scratch_dir),
                "preserve_insertion_order": True,
            },
        )
    except duckdb.IOException as error:
        if is_held(error):
            raise HeldError(explained(settings, error)) from None
        raise
    try:
        connection.execute("set TimeZone = 'UTC'")
        # Files that change while they are read are the point: never read what was there before.
        connection.execute("set enable_external_file_cache = false")
    except BaseException:
        connection.close()
        raise
    return connection


def attach(
    connection: duckdb.DuckDBPyConnection, file: Path, name: str, options: str = "read_only"
) -> None:
    """Give a connection one more file, under a name.

    Args:
        connection: one of `connect`.
        file: the file.
        name: what it is called there.
        options: SQL of DuckDB's options for it.
    """
    connection.execute(f"attach {literal(str(file))} as {identifier(name)} ({options})")


def one(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    values: Sequence[object] | Mapping[str, object] | None = None,
) -> Any:
    """The single value of a query that always has a row, as an aggregate has."""
    row = connection.execute(query, values).fetchone()
    assert row is not None, "an aggregate returns a row"
    return row[0]


def has_table(
    connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str
) -> bool:
    """Whether a database that is attached has a table."""
    found = one(
        connection,
        "select count(*) from duckdb_tables()"
        " where database_name = $1 and schema_name = $2 and table_name = $3",
        [database, schema, table],
    )
    return bool(found)


@dataclass(frozen=True)
class Limits:
    """What the engine of a reader may use.

    Attributes:
        memory: DuckDB's memory limit, for example `2GB`.
        threads: DuckDB's threads.
        spill_dir: an existing folder for what needs more memory; nothing is spilled when None.
    """

    memory: str
    threads: int = 1
    spill_dir: Path | None = None


def attached(file: Path, limits: Limits, *, catalog: str) -> duckdb.DuckDBPyConnection:
    """An engine in memory with a published file attached, read-only; times in UTC.

    Only such an engine can have other catalogs beside the file's, and several of one process can
    have different limits over one file. It reaches files still: whoever has set it up seals it.

    Args:
        file: of a published version.
        limits: what it may use.
        catalog: what the file is called in queries.

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    config: Mapping[str, Any] = {
        **_NO_EXTENSIONS,
        "memory_limit": limits.memory,
        "threads": limits.threads,
        "temp_directory": "" if limits.spill_dir is None else str(limits.spill_dir),
    }
    connection = duckdb.connect(":memory:", config=dict(config))
    try:
        attach(connection, file, catalog)
        connection.execute("set global TimeZone = 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


def has_views(connection: duckdb.DuckDBPyConnection, catalog: str) -> bool:
    """Whether an attached published file shows some of its models from files beside it."""
    count = "select count(*) from duckdb_views() where database_name = $1 and not internal"
    return bool(one(connection, count, [catalog]))


def seal(
    connection: duckdb.DuckDBPyConnection,
    *,
    outlets: Sequence[str] = (),
    folder: Path | None = None,
) -> None:
    """Let an engine reach nothing but what is attached, for good.

    Args:
        connection: of an engine that needs no further file: none could be named any more.
        outlets: paths that it may still write to.
        folder: of a published version, where its file has views of the files beside it. DuckDB
            knows no leave to read alone; the files in it are read-only.
    """
    if folder is not None:
        connection.execute(f"set allowed_directories = [{literal(str(folder))}]")
    if outlets:
        connection.execute(f"set allowed_paths = [{', '.join(map(literal, outlets))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def is_cut_off(connection: duckdb.DuckDBPyConnection, file: Path) -> bool:
    """Whether a file that was opened is too short to hold the blocks that it uses.

    DuckDB opens what a full disk or a broken copy cut off, and finds out when it reads the rest. A
    sound file may lack free blocks at its end, so only those in use are counted: a cut that takes
    fewer blocks than are free is not seen here.
    """
    sizes = connection.execute(
        "select block_size * used_blocks from pragma_database_size()"
        " where database_name = current_database()"
    ).fetchone()
    return sizes is not None and file.stat().st_size < sizes[0]


def is_held(failure: BaseException | str) -> bool:
    """Whether a failure says that another process has the file open, so that waiting can help."""
    text = str(failure)
    return isinstance(failure, HeldError) or _LOCK_CONFLICT in text or _HELD in text


def holder(failure: BaseException | str) -> str:
    """Who has the file open, in DuckDB's words, without its advice to open it read-only."""
    words = str(failure).split("Conflicting lock is held in ")[-1]
    return words.split(". See also")[0].split(". However")[0].strip().rstrip(".")


def explained(settings: Settings, failure: BaseException | str) -> str:
    """A failure over a held file in our words; any other as it is.

    DuckDB advises to open the file read-only, which would stop the next run just as well.
    """
    text = str(failure)
    if _LOCK_CONFLICT not in text:
        return text
    named = re.search(rf'{_LOCK_CONFLICT} "(.+?)"', text)
    return (
        f"{_HELD} {named[1] if named else 'a file of the warehouse'} open: {holder(failure)}.\n"
        f"    Close it there, and point it to the published file instead: {settings.published_file}"
    )
