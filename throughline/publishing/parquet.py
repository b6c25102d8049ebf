"""The Parquet files of a version: one for a small model, one per UTC day for a large one.

Belongs here: which rows go into which file, in which form, several files at a time. Does not belong
here: which days need none because the current version has theirs (unchanged).

A file has the same bytes for the same rows, wherever they lie in the table: they are sorted by the
model's declared order, which is total, and what comes out of a sort is cut into full row groups
however many threads there are.
"""

from __future__ import annotations

import queue
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from throughline import engine
from throughline.engine.files import sha256
from throughline.engine.sql import identifier, named
from throughline.published.manifest import PublishedColumn, PublishedFile
from throughline.publishing.declaring import PublicModel

Day = date | None
# The name of the file with the rows that have no day.
NO_DAY = "none"
# Level 1 takes a quarter less time than the default, 3, and on messages no more space. A dictionary
# of more than 1,000 values is made and mostly thrown away: without it messages take a fifth less
# time and a sixth less space, conversations a tenth less time. A Bloom filter is made of
# dictionaries alone, whose few values nearly every row group holds: it would skip nothing.
_FORM = (
    "(format parquet, compression zstd, compression_level 1, dictionary_size_limit 1000,"
    " write_bloom_filter false, row_group_size 122880, overwrite true)"
)
# What does not lie by day is put in order this many rows at a time: some 250 MB of memory.
_SORTED_ROWS = 2_000_000
_SORTED = ("memory", "main", "sorted_by_day")

_Name = tuple[str, ...]


class ParquetFiles:
    """The files that are being written. A context: what is not begun when it fails never is."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, hands: int) -> None:
        """See `write`.

        Args:
            connection: where the tables are attached; each hand works with a cursor of it.
            folder: of the version under construction.
            hands: how many files are written at once.
        """
        self._connection = connection
        self._folder = folder
        self._pool = ThreadPoolExecutor(hands)
        self._cursors: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
        for _ in range(hands):
            cursor = connection.cursor()
            # Where a table is known to hold no null, rows are sorted in another form, and what is
            # written of them has other bytes: a table that held one once, of a row that gave way,
            # does not know it.
            cursor.execute("set disabled_optimizers = 'statistics_propagation'")
            self._cursors.put(cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=failure is not None)
        while not self._cursors.empty():
            self._cursors.get().close()

    def write(
        self,
        database: str,
        model: PublicModel,
        columns: Sequence[PublishedColumn],
        days: Collection[Day] | None = None,
    ) -> list[Future[PublishedFile | None]]:
        """Begin to write a model's files.

        Args:
            database: in which the table or view is.
            model: how it is published.
            columns: which columns.
            days: of a model that lies by day, the days to write; all that it has when not given.

        Returns:
            One a file, with its path below the folder; None for a day without rows.
        """
        source = (database, model.schema, model.name)
        place = self._folder / "parquet" / model.schema
        if model.by_day_of is None:
            place.mkdir(parents=True, exist_ok=True)
            return [self._submit(source, model, columns, place / f"{model.name}.parquet")]
        place = place / model.name
        place.mkdir(parents=True, exist_ok=True)
        if model.is_in_order_of_days:
            if days is None:
                days = [day for day, _ in self._days(source, model.by_day_of)]
            return [self._day(source, model, columns, place, day) for day in days]
        return list(self._apart(source, model, columns, place, days))

    def write_empty(
        self, database: str, model: PublicModel, columns: Sequence[PublishedColumn]
    ) -> PublishedFile:
        """Write the file of a large model without rows: readers find its columns there."""
        source = (database, model.schema, model.name)
        place = self._folder / "parquet" / model.schema / model.name
        written = self._submit(source, model, columns, place / f"{NO_DAY}.parquet").result()
        assert written is not None, "it is of no day"
        return written

    def _day(
        self,
        source: _Name,
        model: PublicModel,
        columns: Sequence[PublishedColumn],
        place: Path,
        day: Day,
    ) -> Future[PublishedFile | None]:
        assert model.by_day_of is not None
        target = place / f"{NO_DAY if day is None else day.isoformat()}.parquet"
        return self._submit(source, model, columns, target, day, _in_day(model.by_day_of, day))

    def _days(self, source: _Name, column: str) -> list[tuple[Day, int]]:
        """Each day of a table with its rows, in order."""
        found = self._connection.execute(
            named(
                "from {source} select cast({column} as date) as day, count(*)"
                " group by day order by day nulls last",
                source=source,
                column=column,
            )
        ).fetchall()
        return [(day, rows) for day, rows in found]

    def _apart(
        self,
        source: _Name,
        model: PublicModel,
        columns: Sequence[PublishedColumn],
        place: Path,
        days: Collection[Day] | None,
    ) -> Iterator[Future[PublishedFile | None]]:
        """The days of a table in another order: each would be looked for in all of it.

        So the rows of many days are taken out at once, into a table that lies by day.
        """
        assert model.by_day_of is not None
        wanted = [
            (day, rows)
            for day, rows in self._days(source, model.by_day_of)
            if days is None or day in days
        ]
        for some in _batches(wanted, _SORTED_ROWS):
            self._connection.execute(
                named(
                    "create table {sorted} as from {source} select *"
                    " where cast({column} as date) in (select unnest($days::date[]))"
                    " or ($none and {column} is null) order by {column}",
                    sorted=_SORTED,
                    source=source,
                    column=model.by_day_of,
                ),
                {"days": [day for day in some if day is not None], "none": None in some},
            )
            files = [self._day(_SORTED, model, columns, place, day) for day in some]
            for file in files:
                file.result()
            self._connection.execute(named("drop table {sorted}", sorted=_SORTED))
            yield from files

    def _submit(
        self,
        source: _Name,
        model: PublicModel,
        columns: Sequence[PublishedColumn],
        target: Path,
        day: Day = None,
        of_day: tuple[str, dict[str, Any]] | None = None,
    ) -> Future[PublishedFile | None]:
        condition, values = of_day or ("", {})
        statement = (
            named("copy (from {source} select ", source=source)
            + ", ".join(identifier(column.name) for column in columns)
            + condition
            + f" order by {', '.join(model.order_by)}) to $file {_FORM}"
        )

        def write() -> PublishedFile | None:
            cursor = self._cursors.get()
            try:
                rows = int(engine.one(cursor, statement, {**values, "file": str(target)}))
            finally:
                self._cursors.put(cursor)
            if of_day is not None and not rows:
                target.unlink()
                return None
            path = str(target.relative_to(self._folder))
            return PublishedFile(path, day, target.stat().st_size, sha256(target), rows)

        return self._pool.submit(write)


def _in_day(column: str, day: Day) -> tuple[str, dict[str, Any]]:
    """The condition of a day's rows, and its values. A range: whole row groups are passed over."""
    if day is None:
        return named(" where {column} is null", column=column), {}
    start = datetime.combine(day, time())
    return named(" where {column} >= $start and {column} < $end", column=column), {
        "start": start,
        "end": start + timedelta(days=1),
    }


def _batches(days: Sequence[tuple[Day, int]], most: int) -> Iterator[list[Day]]:
    """Days one after the other, as many at once as have so many rows; at least one."""
    batch: list[Day] = []
    held = 0
    for day, rows in days:
        if batch and held + rows > most:
            yield batch
            batch, held = [], 0
        batch.append(day)
        held += rows
    if batch:
        yield batch
