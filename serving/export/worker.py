"""`python -m serving.export.worker`: writes one export to its standard output.

Belongs here: asking the snapshot and writing the file. Does not belong here: HTTP, which question.

A job comes as JSON on the standard input. DuckDB's own writers make the text and the Parquet pages
and write into a pipe, which is the only thing that its connection can reach. A client that reads
slowly slows the query down through that pipe; a chunk is gathered and no more. Exit status 0 means
that the file is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import duckdb

from serving.export import cells, xlsx, zipped
from serving.export.cells import Column
from serving.export.jobs import FORMATS, Job
from serving.queries.table import Table
from serving.scopes import confine
from throughline.engine import Limits, attached, has_views, seal

CHUNK = 1 << 20
# With it Excel reads accents right; pandas, DuckDB and others know and skip it.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PUBLISHED, _MINE = "snapshot", "scoped"
_MOMENT = "timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'"
_OPTIONS = {
    "csv": f"format csv, header true, new_line '\r\n', {_MOMENT}",
    "jsonl": f"format json, {_MOMENT}",
    "parquet": "format parquet, compression zstd, row_group_size 122880",
    # The lines as they are: nothing is set off, quoted or escaped.
    "xlsx": "format csv, header false, delimiter '', quote '', escape ''",
}
_CELLS: dict[str, Callable[[Column], str]] = {
    "csv": cells.csv,
    "jsonl": cells.json,
    "parquet": cells.raw,
}


def write(job: Job, out: BinaryIO) -> None:
    """Write an export.

    Args:
        job: what.
        out: where to; a file of the system's, which need not be seekable.

    Raises:
        duckdb.Error: the question cannot be answered, or not within the limits.
        OSError: nobody reads any more.
    """
    if len(job.tables) == 1 and job.format != "xlsx":
        _pass_on(job, job.tables[0], out)
        return
    if len(job.tables) == 1:
        _write_table(job, job.tables[0], out)
        return
    with zipfile.ZipFile(out, "w") as archive:
        for table in job.tables:
            name = f"{table.name}.{FORMATS[job.format].extension}"
            # Parquet and XLSX are compressed already.
            with zipped.member(archive, name, compress=job.format in ("csv", "jsonl")) as part:
                _write_table(job, table, part)


def _pass_on(job: Job, table: Table, out: BinaryIO) -> None:
    with _copied(job, table) as (_, reading):
        # Nothing is written before a chunk is full: until then a failure can still be told.
        head = bytearray()
        while len(head) < CHUNK and (part := os.read(reading, CHUNK)):
            head += part
        if head and job.format == "csv":
            out.write(BYTE_ORDER_MARK)
        out.write(head)
        out.flush()
        # From the pipe to the file inside the kernel: a copy less of everything.
        while os.splice(reading, out.fileno(), CHUNK):
            continue


def _write_table(job: Job, table: Table, out: BinaryIO) -> None:
    with _copied(job, table) as (columns, reading):
        chunks = iter(lambda: os.read(reading, CHUNK), b"")
        if job.format == "xlsx":
            xlsx.write(out, table.name, columns, chunks)
            return
        if job.format == "csv":
            out.write(BYTE_ORDER_MARK)
        for chunk in chunks:
            out.write(chunk)


@contextlib.contextmanager
def _copied(job: Job, table: Table) -> Iterator[tuple[list[Column], int]]:
    """The columns of a table, and the pipe out of which its file comes while DuckDB writes it."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, CHUNK)
    connection = _connect(job, f"/dev/fd/{writing}")
    try:
        columns = _columns(connection, table)
        copy = _Copy(connection, _copy_sql(job, table, columns, f"/dev/fd/{writing}"), table)
    except BaseException:
        os.close(writing)
        os.close(reading)
        connection.close()
        raise
    copy.start(then_close=writing)
    try:
        yield columns, reading
    except BaseException:
        connection.interrupt()
        raise
    finally:
        # With nobody at this end, a writer that waits for room gives up.
        os.close(reading)
        failed = copy.join()
        connection.close()
    if failed:
        raise failed


class _Copy:
    """A copy in a thread of its own; the pipe's end is closed when it is done."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str, table: Table) -> None:
        self._connection, self._sql, self._values = connection, sql, dict(table.values)
        self._failed: BaseException | None = None

    def start(self, then_close: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(then_close,), name="copy")
        self._thread.start()

    def _run(self, then_close: int) -> None:
        try:
            self._connection.execute(self._sql, self._values)
        except BaseException as error:
            self._failed = error
        finally:
            os.close(then_close)

    def join(self) -> BaseException | None:
        """Wait for the end; why it failed, None when it did not."""
        self._thread.join()
        return self._failed


def _connect(job: Job, target: str) -> duckdb.DuckDBPyConnection:
    limits = Limits(job.memory_limit, FORMATS[job.format].threads, job.spill_dir)
    connection = attached(job.database, limits, catalog=_PUBLISHED)
    catalog = _PUBLISHED
    if job.scope.is_bound:
        catalog = _MINE
        confine(connection, _PUBLISHED, catalog, job.scope)
    connection.execute(f"use {catalog}")
    folder = job.database.parent if has_views(connection, _PUBLISHED) else None
    seal(connection, outlets=[target], folder=folder)
    return connection


def _columns(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Column]:
    described = connection.execute(f"describe {table.sql}", dict(table.values)).fetchall()
    return [Column(name, type_name) for name, type_name, *_ in described]


def _copy_sql(job: Job, table: Table, columns: Sequence[Column], target: str) -> str:
    if job.format == "xlsx":
        shown = cells.xlsx_row(columns)
    else:
        shown = ", ".join(map(_CELLS[job.format], columns))
    asked = f"({table.sql})"
    # What a bound key reads are views, which promise no order.
    if table.order and not (table.is_ordered and not job.scope.is_bound):
        # Sorted before it is made into text: the rows are narrower then.
        keys = ", ".join(Column(name, "").quoted for name in table.order)
        asked = f"(select * from {asked} as asked order by {keys})"
    return f"copy (select {shown} from {asked} as exported) to '{target}' ({_OPTIONS[job.format]})"


def main() -> int:
    """Write the job of the standard input.

    Returns:
        0; 1 when the file is not whole; 3 when it needed more memory than it may have.
    """
    try:
        job = Job.from_json(sys.stdin.read())
        with contextlib.suppress(OSError):
            fcntl.fcntl(sys.stdout.fileno(), fcntl.F_SETPIPE_SZ, CHUNK)
        with os.fdopen(sys.stdout.fileno(), "wb", buffering=CHUNK, closefd=False) as out:
            write(job, out)
    except duckdb.OutOfMemoryException:
        print("OutOfMemoryException", file=sys.stderr)
        return 3
    except Exception as error:
        # The kind alone: the text may quote what somebody looked for.
        print(type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
