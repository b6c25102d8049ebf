"""What landing remembers: the ledger of file contents and the stat cache of the directory.

Belongs here: reading and writing `raw.loads` and `raw.landing_files`, and transactions. Does not
belong here: the rows of a file, or deciding its fate.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.landing.files import Content, LandedFile, Stamp, UnrecognisedFile, is_at_rest
from orchestration.landing.sql import Bindings, sql


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
        unknown_columns: rows with a value, by name of a column that the log does not have.
    """

    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_local_time: int = 0
    unknown_columns: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One row of the ledger, but for its number.

    Attributes:
        source, log, path: of the file.
        content_sha256: None when its bytes could not be read.
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


def remember(
    connection: duckdb.DuckDBPyConnection, path: str, stamp: Stamp, content: Content | None
) -> None:
    """Put a file into the stat cache; without content its bytes could not be read."""
    connection.execute("delete from raw.landing_files where path = $path", {"path": path})
    connection.execute(
        "insert into raw.landing_files values "
        "($path, $bytes, $mtime_ns, $ctime_ns, $inode, $sha256, $hashed_at_ns)",
        {
            "path": path,
            "bytes": stamp.bytes,
            "mtime_ns": stamp.mtime_ns,
            "ctime_ns": stamp.ctime_ns,
            "inode": stamp.inode,
            "sha256": content.sha256 if content else None,
            "hashed_at_ns": content.hashed_at_ns if content else time.time_ns(),
        },
    )


def is_in_ledger(
    connection: duckdb.DuckDBPyConnection, source: str, log: str, sha256: str | None
) -> bool:
    """Whether this content was loaded or rejected before, for this source and log."""
    return sha256 is not None and bool(
        one_number(
            connection,
            "select count(*) from raw.loads "
            "where source = $source and log = $log and content_sha256 = $sha256",
            {"source": source, "log": log, "sha256": sha256},
        )
    )


def next_load_no(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the next load; call it in the transaction that writes the entry."""
    return one_number(connection, "select coalesce(max(load_no), 0) + 1 from raw.loads", {})


def write_entry(connection: duckdb.DuckDBPyConnection, load_no: int, entry: Entry) -> None:
    """Write one row of the ledger."""
    counts, bindings = entry.counts, Bindings()
    values = (
        load_no,
        entry.source,
        entry.log,
        entry.path,
        entry.content_sha256,
        entry.format,
        entry.bytes,
        "loaded" if entry.reason is None else "rejected",
        entry.reason,
        counts.rows_read,
        counts.rows_loaded,
        counts.rows_rejected,
        # Counted once per log and run, for all of its files together.
        None if counts.rows_loaded else 0,
        counts.rows_local_time,
        json.dumps(counts.unknown_columns, ensure_ascii=False),
        now(),
        entry.seconds,
        entry.run_id,
    )
    placeholders = ", ".join(bindings.bind(value) for value in values)
    connection.execute(
        sql("insert into raw.loads values (@{values})", values=placeholders), bindings.values
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
