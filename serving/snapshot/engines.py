"""The engines that a version's file is asked with.

Belongs here: which engines there are, what each can reach, cursors that are used again.
Does not belong here: what is asked, for how long it may take (`watch`), what a scope may read
(`serving.scopes`).
"""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path

import duckdb

from serving.scopes import EVERYTHING, Scope, confine
from serving.snapshot.watch import Watch
from throughline.engine import Limits, attached, has_views, seal
from throughline.engine.sql import literal
from throughline.settings import ServingSettings

# What finds the rows by the table's order and reads no column in vain. The others pay off in
# questions that read much.
LOOK_UP_OPTIMIZERS = ("expression_rewriter", "filter_pullup", "filter_pushdown", "unused_columns")
# Kept parsed, per cursor: a look-up for several conversations has a text per number of them.
MOST_STATEMENTS = 200
ATTACHED = "snapshot"


class Engines:
    """The two engines over a version's file: one for questions, one for look-ups.

    Both are in memory with the file attached: only such an engine can have a catalog for each scope
    beside the file's own, and one process has one engine per file that it opens.

    Attributes:
        has_views: whether the file has views over the version's Parquet files in place of its
            largest tables.
    """

    def __init__(self, file: Path, settings: ServingSettings) -> None:
        self.limit = settings.query_seconds
        self.watch = Watch()
        memory = settings.memory_limit
        self.questions = attached(
            file, Limits(memory, settings.threads, settings.spill_dir), catalog=ATTACHED
        )
        self.look_ups = attached(file, Limits(memory), catalog=ATTACHED)
        _plan_briefly(self.look_ups)
        self.has_views = has_views(self.questions, ATTACHED)
        for engine in (self.questions, self.look_ups):
            seal(engine, folder=file.parent if self.has_views else None)
        self._catalogs = {EVERYTHING: ATTACHED}
        self._numbers = itertools.count(1)

    def catalog(self, scope: Scope) -> str:
        """The catalog that has what a scope may read, the same in both engines."""
        if scope not in self._catalogs:
            name = f"scope_{next(self._numbers)}"
            for engine in (self.questions, self.look_ups):
                with closing(engine.cursor()) as cursor:
                    confine(cursor, ATTACHED, name, scope)
            self._catalogs[scope] = name
        return self._catalogs[scope]


def _plan_briefly(connection: duckdb.DuckDBPyConnection) -> None:
    """Let an engine plan with the few steps of the optimizer that a look-up needs."""
    known = connection.execute("select name from duckdb_optimizers()").fetchall()
    unneeded = ",".join(name for (name,) in known if name not in LOOK_UP_OPTIMIZERS)
    connection.execute(f"set global disabled_optimizers = {literal(unneeded)}")


class LookUps:
    """A cursor of the look-up engine, for one thread at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, catalog: str) -> None:
        self.cursor = cursor
        cursor.execute(f"use {catalog}")
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
