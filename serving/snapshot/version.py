"""One published version, opened read-only.

Belongs here: running bound queries under a time limit, and what is made of a version once.
Does not belong here: which version is the current one (`current`), its engines (`engines`), what is
asked (`serving.queries` and the rooms above it), HTTP.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import duckdb

from serving.scopes import EVERYTHING, Scope
from serving.snapshot.engines import Engines, LookUps
from throughline.published.metrics import Metric
from throughline.settings import ServingSettings

Parameters = Mapping[str, Any]
Row = dict[str, Any]
Made = TypeVar("Made")


class QueryTooLongError(RuntimeError):
    """A query took longer than it may, or needed more memory than it may have."""


class Snapshot:
    """One published version, or what a scope may read of it.

    Attributes:
        version: the data version.
        published_at: when it was published, in UTC.
        path: the version's own DuckDB file.
        is_in_order: whether its tables lie in the order of their conversations, from front to back.
        metrics: definitions by the `<model>.<column>` that shows them.
        scope: what may be read.
        mark: a column of marts.conversations, named `conversations` in the query, that tells its
            rows apart: faster than texts do, where the rows are a table's own.
    """

    def __init__(self, settings: ServingSettings, manifest: Mapping[str, Any]) -> None:
        self.version: str = manifest["data_version"]
        self.published_at = datetime.fromisoformat(manifest["published_at"])
        self.path: Path = settings.published_dir / manifest["database"]["path"]
        self.is_in_order: bool = manifest["database"].get("is_in_order", True)
        self.metrics = {
            metric["column"]: Metric(**metric) for metric in manifest.get("metrics", [])
        }
        settings.spill_dir.mkdir(parents=True, exist_ok=True)
        self._engines = Engines(self.path, settings)
        self._bound: dict[Scope, Snapshot] = {}
        self._binding = threading.Lock()
        self._begin(EVERYTHING)

    def _begin(self, scope: Scope) -> None:
        """Have of one's own what depends on what may be read."""
        self.scope = scope
        is_table = not (scope.is_bound or self._engines.has_views)
        self.mark = "conversations.rowid" if is_table else "conversations.conversation_id"
        self._catalog = self._engines.catalog(scope)
        self._idle: SimpleQueue[LookUps] = SimpleQueue()
        self._made: dict[Callable[[Snapshot], Any], Any] = {}
        self._making = threading.Lock()

    def within(self, scope: Scope) -> Snapshot:
        """What a scope may read of this version, with everything that `once` keeps for itself."""
        if scope == self.scope:
            return self
        if self.scope.is_bound:
            raise ValueError("a snapshot that is bound cannot be bound to something else")
        with self._binding:
            if scope not in self._bound:
                # Without what this one holds of others: they do not keep each other alive.
                made = copy.copy(self)
                made._bound = {}
                made._begin(scope)
                self._bound[scope] = made
            return self._bound[scope]

    def is_ready(self, scope: Scope) -> bool:
        """Whether `within` has nothing to make."""
        return scope == self.scope or scope in self._bound

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
            idle = LookUps(self._engines.look_ups.cursor(), self._catalog)
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
        with (
            closing(self._engines.questions.cursor()) as cursor,
            self._limited(cursor, seconds),
        ):
            cursor.execute(f"use {self._catalog}")
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
        deadline = self._engines.watch.start(cursor, seconds or self._engines.limit)
        try:
            yield
        except duckdb.InterruptException:
            raise QueryTooLongError("the query took longer than it may") from None
        except duckdb.OutOfMemoryException:
            raise QueryTooLongError("the query needed more memory than it may have") from None
        finally:
            self._engines.watch.stop(deadline)


def _fetched(
    cursor: duckdb.DuckDBPyConnection, query: str | duckdb.Statement, parameters: Parameters
) -> list[Row]:
    cursor.execute(query, dict(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
