"""What landing remembers: the ledger of file contents and the stat cache of the directory.

Belongs here: reading and writing `raw.loads` and `raw.landing_files`, and transactions. Does not
belong here: the rows of a file, or deciding its fate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb

from throughline.engine.sql import Bindings, sql
from throughline.landing.errors import ConservationError
from throughline.landing.files import LandedFile, Stamp, UnrecognisedFile
from throughline.landing.opening import Content, is_at_rest


@dataclass(frozen=True)
class RejectedFile:
    """A file that was rejected as a whole.

    Attributes:
        path: relative to the landing directory.
        source, log: what the path says, empty where it says nothing.
        reason: what is wrong, and what to do.
    """

    path: str
    source: str
    log: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one file.

    Attributes:
        rows_read, rows_loaded, rows_rejected: the first is the sum of the others, or the file is
            not kept.
        rows_local_time: rows loaded with a timestamp that has no offset.
        rows_unlike_folder: rows loaded with another value than a `key=value` folder above them.
        placeholder_times: times so far off that they stand for "none", in all rows read.
        unknown_columns: rows with a value, by name of a column that the log does not have.
    """

    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_local_time: int = 0
    rows_unlike_folder: int = 0
    placeholder_times: int = 0
    unknown_columns: dict[str, int] = field(default_factory=dict)

    def insist_on_conservation(self, path: str) -> None:
        """Let nothing pass that loses a row of a file.

        Raises:
            ConservationError: the rows of the file are not those loaded plus those rejected.
        """
        if self.rows_read != self.rows_loaded + self.rows_rejected:
            raise ConservationError(
                f"{path}: {self.rows_read} rows were read, but {self.rows_loaded} "
                f"loaded and {self.rows_rejected} rejected; nothing of the file was kept. "
                "This is a fault of the loader: report it with the file"
            )


@dataclass(frozen=True)
class Entry:
    """One row of the ledger, but for its number.

    Attributes:
        source, log, path: of the file.
        content_sha256: of its bytes, and of what its `key=value` folders say where there are any;
            None when its bytes could not be read.
        format: format and compression, None when unknown.
        bytes: the size as it landed.
        reason: why it was rejected, None when it was loaded.
        counts: what became of its rows.
        seconds: wall time spent on it.
        run_id: of the run that did it.
    """

    source: str
    log: str
    path: str
    content_sha256: str | None
    format: str | None
    bytes: int
    reason: str | None
    counts: Counts
    seconds: float
    run_id: str


class StatCache:
    """The stamps of the files that were dealt with, read once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._stamps: dict[str, tuple[Stamp, bool]] = {}
        for path, size, mtime_ns, ctime_ns, inode, sha256, hashed_at_ns in connection.execute(
            "select path, bytes, mtime_ns, ctime_ns, inode, content_sha256, hashed_at_ns "
            "from raw.landing_files"
        ).fetchall():
            stamp = Stamp(size, mtime_ns, ctime_ns, inode)
            # Without a hash there was nothing to read, so that only another stamp changes anything.
            is_settled = sha256 is None or is_at_rest(stamp, hashed_at_ns)
            self._stamps[path] = stamp, is_settled

    def is_seen(self, file: LandedFile | UnrecognisedFile) -> bool:
        """The file has the stamp that it had when it was dealt with."""
        stamp, _ = self._stamps.get(file.path, (None, False))
        return stamp == file.stamp

    def is_settled(self, file: LandedFile | UnrecognisedFile) -> bool:
        """As `is_seen`, and the file had been at rest long enough for its stamp to be trusted."""
        stamp, is_settled = self._stamps.get(file.path, (None, False))
        return is_settled and stamp == file.stamp


@dataclass(frozen=True)
class Seen:
    """A file that was dealt with, for the stat cache.

    Attributes:
        path: relative to the landing directory.
        stamp: as it was when it was read.
        content: None when its bytes could not be read.
    """

    path: str
    stamp: Stamp
    content: Content | None


def remember(connection: duckdb.DuckDBPyConnection, *files: Seen) -> None:
    """Put files into the stat cache."""
    now_ns = time.time_ns()
    connection.execute(
        "delete from raw.landing_files where path in (select unnest($paths))",
        {"paths": [file.path for file in files]},
    )
    _insert(
        connection,
        "landing_files",
        {
            "path": [file.path for file in files],
            "bytes": [file.stamp.bytes for file in files],
            "mtime_ns": [file.stamp.mtime_ns for file in files],
            "ctime_ns": [file.stamp.ctime_ns for file in files],
            "inode": [file.stamp.inode for file in files],
            "content_sha256": [file.content and file.content.sha256 for file in files],
            "hashed_at_ns": [
                file.content.hashed_at_ns if file.content else now_ns for file in files
            ],
        },
    )


def in_ledger(
    connection: duckdb.DuckDBPyConnection, source: str, log: str, contents: Sequence[str]
) -> set[str]:
    """Which of these contents were loaded or rejected before, for this source and log."""
    rows = connection.execute(
        "select content_sha256 from raw.loads where source = $source and log = $log "
        "and content_sha256 in (select unnest($contents))",
        {"source": source, "log": log, "contents": list(contents)},
    ).fetchall()
    return {sha256 for (sha256,) in rows}


def next_load_no(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the next load; call it in the transaction that writes the entry."""
    return one_number(connection, "select coalesce(max(load_no), 0) + 1 from raw.loads", {})


def write_entries(
    connection: duckdb.DuckDBPyConnection, first_load_no: int, entries: Sequence[Entry]
) -> None:
    """Write rows of the ledger, numbered one after the other."""
    moment = now()
    _insert(
        connection,
        "loads",
        {
            "load_no": list(range(first_load_no, first_load_no + len(entries))),
            "source": [entry.source for entry in entries],
            "log": [entry.log for entry in entries],
            "path": [entry.path for entry in entries],
            "content_sha256": [entry.content_sha256 for entry in entries],
            "format": [entry.format for entry in entries],
            "bytes": [entry.bytes for entry in entries],
            "status": ["loaded" if entry.reason is None else "rejected" for entry in entries],
            "reason": [entry.reason for entry in entries],
            "rows_read": [entry.counts.rows_read for entry in entries],
            "rows_loaded": [entry.counts.rows_loaded for entry in entries],
            "rows_rejected": [entry.counts.rows_rejected for entry in entries],
            # Counted once per log and run, for all of its files together.
            "rows_repeated": [None if entry.counts.rows_loaded else 0 for entry in entries],
            "rows_local_time": [entry.counts.rows_local_time for entry in entries],
            "placeholder_times": [entry.counts.placeholder_times for entry in entries],
            "rows_unlike_folder": [entry.counts.rows_unlike_folder for entry in entries],
            "unknown_columns": [
                json.dumps(entry.counts.unknown_columns, ensure_ascii=False) for entry in entries
            ],
            "loaded_at": [moment] * len(entries),
            "seconds": [entry.seconds for entry in entries],
            "run_id": [entry.run_id for entry in entries],
        },
    )


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Sequence[Any]]
) -> None:
    """Insert rows, given by column: one statement takes as long for a thousand as for one."""
    bindings = Bindings()
    connection.execute(
        sql(
            "insert into raw.@{table} by name select @{values}",
            table=table,
            values=", ".join(
                f"unnest({bindings.bind(list(values))}) as {name}"
                for name, values in columns.items()
            ),
        ),
        bindings.values,
    )


class transaction:  # noqa: N801 - reads as a keyword
    """One transaction: committed at the end, rolled back by any exception."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("begin transaction")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._connection.execute("commit")
            return
        # The failure that led here may have ended the transaction already, and matters more.
        with suppress(duckdb.Error):
            self._connection.execute("rollback")


def one_number(
    connection: duckdb.DuckDBPyConnection, statement: str, values: dict[str, Any]
) -> int:
    """The single number that a statement gives: a count, or the rows that it changed."""
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])


def now() -> datetime:
    """The time now, in UTC and without a time zone, as the tables hold it."""
    return datetime.now(UTC).replace(tzinfo=None)
