"""The published snapshot, opened read-only and reopened when a new version is published.

Belongs here: finding the current version, opening it, running bound queries under a time limit.
Does not belong here: what is asked (the modules beside it ask), HTTP.

A request takes `Snapshots.current()` once and asks that one version for everything, so that what it
answers never mixes two. A version that nobody holds any more is closed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import duckdb

from orchestration.metric_definitions import Metric
from orchestration.settings import ServingSettings

MANIFEST_NAME = "manifest.json"
# What finds the rows by the table's order and reads no column in vain. The others pay off in
# questions that read much.
LOOK_UP_OPTIMIZERS = ("expression_rewriter", "filter_pullup", "filter_pushdown", "unused_columns")
# Kept parsed, per cursor: a look-up for several conversations has a text per number of them.
MOST_STATEMENTS = 200
_ATTACHED = "snapshot"
Parameters = Mapping[str, Any]
Row = dict[str, Any]
Made = TypeVar("Made")


class NothingPublishedError(RuntimeError):
    """There is no published version yet, or it cannot be read; the message says what to do."""


class QueryTooLongError(RuntimeError):
    """A query took longer than it may, or needed more memory than it may have."""


class Snapshot:
    """One published version.

    Attributes:
        version: the data version.
        published_at: when it was published, in UTC.
        path: the version's own DuckDB file.
        metrics: definitions by the `<model>.<column>` that shows them.
    """

    def __init__(self, settings: ServingSettings, manifest: Mapping[str, Any]) -> None:
        self.version: str = manifest["data_version"]
        self.published_at = datetime.fromisoformat(manifest["published_at"])
        self.path: Path = settings.published_dir / manifest["database"]["path"]
        self.metrics = {
            metric["column"]: Metric(**metric) for metric in manifest.get("metrics", [])
        }
        self._limit = settings.query_seconds
        self._watch = _Watch()
        settings.spill_dir.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(
            str(self.path),
            read_only=True,
            config={
                "memory_limit": settings.memory_limit,
                "threads": settings.threads,
                "temp_directory": str(settings.spill_dir),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        # One process has one database per file: another snapshot of this one has set it up already.
        if not self.value("select current_setting('lock_configuration')"):
            # After connecting: with files out of reach, a folder to spill to could not be named.
            self._connection.execute("set global TimeZone = 'UTC'")
            self._connection.execute("set enable_external_access = false")
            self._connection.execute("set lock_configuration = true")
        self._look_ups = _look_up_engine(self.path, settings.memory_limit)
        self._idle: SimpleQueue[_LookUps] = SimpleQueue()
        self._made: dict[Callable[[Snapshot], Any], Any] = {}
        self._making = threading.Lock()

    def once(self, make: Callable[[Snapshot], Made]) -> Made:
        """What a function makes of this version, kept for as long as the version is served.

        Args:
            make: a function of a module, which is what the result is kept under. Two requests may
                both call it at first; all get the same result.
        """
        with self._making:
            if make in self._made:
                return cast(Made, self._made[make])
        made = make(self)
        with self._making:
            return cast(Made, self._made.setdefault(make, made))

    def look_up(self, sql: str, parameters: Parameters) -> list[Row]:
        """All rows of a query that reads a few rows of one table.

        Such a query costs its planning and little else, so an engine of its own plans it with the
        few steps that it needs and runs it in one thread (decision 0007).

        Raises:
            QueryTooLongError: as `rows`.
        """
        try:
            idle = self._idle.get_nowait()
        except Empty:
            idle = _LookUps(self._look_ups.cursor())
        with self._limited(idle.cursor, None):
            found = _fetched(idle.cursor, idle.statement(sql), parameters)
        # After an error it is not put back: whatever state it is in, nobody meets it.
        self._idle.put(idle)
        return found

    def rows(
        self, sql: str, parameters: Parameters | None = None, *, seconds: float | None = None
    ) -> list[Row]:
        """All rows of a query.

        Args:
            sql: a query with named parameters (`$name`).
            parameters: a value for every named parameter, and for nothing else.
            seconds: how long it may take; the settings' limit when not given.

        Raises:
            QueryTooLongError: it took longer, or needed more memory than there is.
        """
        with closing(self._connection.cursor()) as cursor, self._limited(cursor, seconds):
            return _fetched(cursor, sql, parameters or {})

    def row(self, sql: str, parameters: Parameters | None = None) -> Row | None:
        """The first row of a query, None when it has none."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Parameters | None = None) -> Any:
        """The first column of the first row of a query, None when it has no row."""
        found = self.row(sql, parameters)
        return next(iter(found.values())) if found else None

    @contextmanager
    def _limited(self, cursor: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
        """Stop what the cursor does when its time is up, and say so in this module's words."""
        deadline = self._watch.start(cursor, seconds or self._limit)
        try:
            yield
        except duckdb.InterruptException:
            raise QueryTooLongError("the query took longer than it may") from None
        except duckdb.OutOfMemoryException:
            raise QueryTooLongError("the query needed more memory than it may have") from None
        finally:
            self._watch.stop(deadline)


def _look_up_engine(file: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A second engine over a file. One process has one engine per file that it opens, so this one
    opens nothing and attaches the file.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory_limit,
            "threads": 1,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    literal = str(file).replace("'", "''")
    connection.execute(f"attach '{literal}' as {_ATTACHED} (read_only)")
    connection.execute("set global TimeZone = 'UTC'")
    known = [
        name for (name,) in connection.execute("select name from duckdb_optimizers()").fetchall()
    ]
    unneeded = ",".join(name for name in known if name not in LOOK_UP_OPTIMIZERS)
    connection.execute(f"set global disabled_optimizers = '{unneeded}'")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


class _LookUps:
    """A cursor of the look-up engine, for one thread at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.cursor = cursor
        cursor.execute(f"use {_ATTACHED}")
        # One transaction for good: nothing ever changes here, and beginning one costs a tenth.
        cursor.execute("begin")
        # Reading the text is a third of a look-up, and the texts are few: only values differ.
        self._statements: dict[str, duckdb.Statement] = {}

    def statement(self, sql: str) -> duckdb.Statement:
        """The parsed text."""
        if sql not in self._statements:
            if len(self._statements) >= MOST_STATEMENTS:
                self._statements.clear()
            [self._statements[sql]] = self.cursor.extract_statements(sql)
        return self._statements[sql]


def _fetched(
    cursor: duckdb.DuckDBPyConnection, query: str | duckdb.Statement, parameters: Parameters
) -> list[Row]:
    cursor.execute(query, dict(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Snapshots:
    """The current version, whichever it is at the moment."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._snapshot: Snapshot | None = None

    def current(self) -> Snapshot:
        """The current version; a newly published one is opened.

        Raises:
            NothingPublishedError: there is none, and none was open before.
        """
        manifest_file = self._settings.published_dir / MANIFEST_NAME
        with self._lock:
            unchanged = self.unchanged()
            if unchanged is not None:
                return unchanged
            seen = self._look()
            if seen is None:
                return self._held("nothing is published yet: run `make run`")
            try:
                manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
                if self._snapshot is None or self._snapshot.version != manifest["data_version"]:
                    self._snapshot = Snapshot(self._settings, manifest)
            except (OSError, ValueError, KeyError, TypeError, duckdb.Error) as error:
                return self._held(f"{manifest_file} cannot be served: {error}")
            self._seen = seen
            return self._snapshot

    def unchanged(self) -> Snapshot | None:
        """The version that is open, when no other was published since: a matter of microseconds."""
        return self._snapshot if self._seen and self._seen == self._look() else None

    def _look(self) -> tuple[int, int] | None:
        """What changes when the manifest is replaced; None when there is none."""
        try:
            status = (self._settings.published_dir / MANIFEST_NAME).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _held(self, reason: str) -> Snapshot:
        if self._snapshot is None:
            raise NothingPublishedError(reason)
        return self._snapshot


class _Watch:
    """Interrupts cursors whose time is up. One thread for all, alive while one is watched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[int, tuple[float, duckdb.DuckDBPyConnection]] = {}
        self._next = 0
        self._running = False

    def start(self, cursor: duckdb.DuckDBPyConnection, seconds: float) -> int:
        with self._lock:
            self._next += 1
            self._deadlines[self._next] = (time.monotonic() + seconds, cursor)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="query-limits", daemon=True).start()
            return self._next

    def stop(self, number: int) -> None:
        with self._lock:
            self._deadlines.pop(number, None)

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            with self._lock:
                now = time.monotonic()
                due = [number for number, (end, _) in self._deadlines.items() if end <= now]
                for number in due:
                    # Under the lock: the cursor cannot be closed in between.
                    self._deadlines.pop(number)[1].interrupt()
                if self._deadlines:
                    idle_since = now
                elif now - idle_since > 5:
                    self._running = False
                    return
            time.sleep(0.05)
