"""Loading the files of a log: once each, whole or not at all, nothing lost.

Belongs here: the order of files, one transaction for each, second tries, conservation, and which
failure is the file's own. Does not belong here: the statements that insert rows, or formats.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import duckdb

from orchestration.landing.conversion import MACROS
from orchestration.landing.errors import ConservationError, FileChanged, FileFault, LandingError
from orchestration.landing.files import (
    Content,
    LandedFile,
    Stamp,
    discover,
    is_unchanged,
    opened,
    workspace,
)
from orchestration.landing.inserting import MOVE_FILTERS, Insertion
from orchestration.landing.ledger import (
    Counts,
    Entry,
    StatCache,
    is_in_ledger,
    next_load_no,
    remember,
    transaction,
    write_entry,
)
from orchestration.landing.logs import LOGS, Log
from orchestration.landing.readers import Reading, read
from orchestration.landing.repeats import count_repeats
from orchestration.landing.vocabulary import load_vocabulary
from orchestration.settings import Settings

ATTEMPTS = 3
# The row number has 32 bits of the row id.
MAX_ROWS = 1 << 32

_MANY_ROWS = 1_000_000

# How DuckDB's text readers say that a file is not what they were told.
_TEXT_ERRORS = (
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.ConversionException,
)

# What no content of a file should cause: memory, disk, or a fault of the loader.
_FOREIGN_ERRORS = (
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.ConstraintException,
    duckdb.CatalogException,
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.InterruptException,
    duckdb.FatalException,
    duckdb.InternalException,
)
_FOREIGN_WORDS = ("No space left", "Could not write", "max_temp_directory_size")

Progress = Callable[[str], None]


@dataclass
class LogSummary:
    """What one call of `land_log` did; all counts are of this call.

    Attributes:
        log: the log's name.
        files_seen: files of the log in the landing directory.
        files_loaded, files_rejected: new in this call.
        files_unchanged: their content was loaded or rejected before.
        files_deferred: they kept changing, or went away; the next call tries again.
        rows_read, rows_loaded, rows_rejected: of the files loaded in this call.
        rows_repeated: rows loaded whose business key was there already.
        rows_local_time: rows loaded with a timestamp that has no offset.
        bytes: size of the files loaded, as they landed.
        seconds: wall time.
        unknown_columns: rows with a value, by name of a column that the log does not have.
    """

    log: str
    files_seen: int = 0
    files_loaded: int = 0
    files_rejected: int = 0
    files_unchanged: int = 0
    files_deferred: int = 0
    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_repeated: int = 0
    rows_local_time: int = 0
    bytes: int = 0
    seconds: float = 0.0
    unknown_columns: dict[str, int] = field(default_factory=dict)

    def add(self, size: int, counts: Counts) -> None:
        """Count one more file that was loaded."""
        self.files_loaded += 1
        self.bytes += size
        self.rows_read += counts.rows_read
        self.rows_loaded += counts.rows_loaded
        self.rows_rejected += counts.rows_rejected
        self.rows_local_time += counts.rows_local_time
        for name, rows in counts.unknown_columns.items():
            self.unknown_columns[name] = self.unknown_columns.get(name, 0) + rows


def land_log(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    log: Log | str,
    *,
    run_id: str = "",
    progress: Progress | None = None,
) -> LogSummary:
    """Load every new file of one log, over all sources.

    Each file is loaded in one transaction with its ledger row. A file that cannot be read becomes a
    rejected file, and the next one follows.

    Args:
        connection: from `connect`, after `prepare`.
        settings: where the landing directory and the scratch directory are.
        log: the log, or its name.
        run_id: kept in the ledger.
        progress: told what is going on, in short sentences.

    Raises:
        LandingError: the landing directory is missing, or there is no room or memory to go on.
        ConservationError: rows would get lost; nothing of that file is kept.
        KeyError: there is no log of that name.
    """
    started = time.monotonic()
    the_log = LOGS[log] if isinstance(log, str) else log
    loader = _Loader(connection, settings, the_log, run_id, progress or (lambda message: None))
    summary = loader.land()
    summary.seconds = time.monotonic() - started
    return summary


class _Loader:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Settings,
        log: Log,
        run_id: str,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._log = log
        self._run_id = run_id
        self._progress = progress
        self._vocabulary = load_vocabulary()
        self._summary = LogSummary(log.name)

    def land(self) -> LogSummary:
        summary = self._summary
        files = discover(self._settings.landing_dir, self._log.name).files
        known = StatCache(self._connection)
        new = [file for file in files if not known.is_settled(file)]
        summary.files_seen, summary.files_unchanged = len(files), len(files) - len(new)
        _clear_workspace(self._settings)
        if new:
            self._connection.execute(MACROS)
        for number, file in enumerate(new, start=1):
            self._progress(
                f"{self._log.name}: file {number} of {len(new)}, {file.path} "
                f"({_short(file.stamp.bytes)} bytes), {_short(summary.rows_loaded)} rows so far"
            )
            self._land_file(file)
        _clear_workspace(self._settings)
        self._count_repeats()
        return summary

    def _land_file(self, file: LandedFile) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._attempt(file)
                return
            except FileChanged:
                continue
        self._summary.files_deferred += 1
        self._progress(f"{self._log.name}: {file.path} keeps changing, left for the next run")

    def _attempt(self, file: LandedFile) -> None:
        started = time.monotonic()
        content: Content | None = None
        try:
            with opened(file, self._settings) as content:
                if is_in_ledger(self._connection, file.source, file.log, content.sha256):
                    with transaction(self._connection):
                        remember(self._connection, file.path, content.stamp, content)
                    self._summary.files_unchanged += 1
                elif content.fault is not None:
                    raise content.fault
                else:
                    self._load(file, content, started)
        except FileFault as fault:
            self._reject(file, content, fault.reason, started)
        except duckdb.Error as error:
            _raise_foreign(error, file)
            self._reject(file, content, _first_words(error), started)

    def _load(self, file: LandedFile, content: Content, started: float) -> None:
        for careful in (False, True):
            try:
                self._load_once(file, content, started, careful)
                return
            except (*_TEXT_ERRORS, ConservationError):
                if careful or file.format == "parquet":
                    raise
            finally:
                # Not before: a failed transaction takes no statement but its end.
                self._connection.execute(MOVE_FILTERS)

    def _load_once(self, file: LandedFile, content: Content, started: float, careful: bool) -> None:
        with transaction(self._connection), ExitStack() as stack:
            source = read(
                Reading(
                    connection=self._connection,
                    log=self._log,
                    format=file.format,
                    path=content.path,
                    scratch=workspace(self._settings),
                    stack=stack,
                    careful=careful,
                )
            )
            if source.rows_read >= MAX_ROWS:
                raise FileFault(
                    f"The file has {source.rows_read} records, and {MAX_ROWS - 1} fit in a file",
                    "Split it",
                )
            load_no = next_load_no(self._connection)
            counts = Insertion(
                self._connection, self._log, file, source, load_no, self._vocabulary
            ).run()
            if counts.rows_read != counts.rows_loaded + counts.rows_rejected:
                raise ConservationError(
                    f"{file.path}: {counts.rows_read} rows were read, but {counts.rows_loaded} "
                    f"loaded and {counts.rows_rejected} rejected; nothing of the file was kept. "
                    "This is a fault of the loader: report it with the file"
                )
            if not is_unchanged(file, content):
                raise FileChanged(file.path)
            write_entry(
                self._connection,
                load_no,
                self._entry(file, content.stamp, content, None, counts, started),
            )
            remember(self._connection, file.path, content.stamp, content)
        self._summary.add(content.stamp.bytes, counts)

    def _reject(
        self, file: LandedFile, content: Content | None, reason: str, started: float
    ) -> None:
        if content is not None and not is_unchanged(file, content):
            # What was wrong may have been that only half of it was there.
            raise FileChanged(file.path)
        stamp = content.stamp if content else _stamp_now(file)
        with transaction(self._connection):
            write_entry(
                self._connection,
                next_load_no(self._connection),
                self._entry(file, stamp, content, reason, Counts(), started),
            )
            remember(self._connection, file.path, stamp, content)
        self._summary.files_rejected += 1
        self._progress(f"{self._log.name}: {file.path} is rejected: {reason}")

    def _entry(
        self,
        file: LandedFile,
        stamp: Stamp,
        content: Content | None,
        reason: str | None,
        counts: Counts,
        started: float,
    ) -> Entry:
        return Entry(
            source=file.source,
            log=file.log,
            path=file.path,
            content_sha256=content.sha256 if content else None,
            format=file.format_name,
            bytes=stamp.bytes,
            reason=reason,
            counts=counts,
            seconds=time.monotonic() - started,
            run_id=self._run_id,
        )

    def _count_repeats(self) -> None:
        """Fill in `rows_repeated` of the loads that lack it, those of a killed run included."""
        waiting = [
            int(row[0])
            for row in self._connection.execute(
                "select load_no from raw.loads where log = $log and rows_repeated is null",
                {"log": self._log.name},
            ).fetchall()
        ]
        if not waiting:
            return
        if self._summary.rows_loaded > _MANY_ROWS:
            self._progress(f"{self._log.name}: looking for repeated records")
        repeats = count_repeats(self._connection, self._log, waiting)
        with transaction(self._connection):
            self._connection.executemany(
                "update raw.loads set rows_repeated = $rows where load_no = $load_no",
                [{"load_no": load_no, "rows": repeats.get(load_no, 0)} for load_no in waiting],
            )
        self._summary.rows_repeated = sum(repeats.values())


def _raise_foreign(error: duckdb.Error, file: LandedFile) -> None:
    """Let only such failures become a rejected file as the file's content can cause."""
    text = str(error).strip()
    if isinstance(error, _FOREIGN_ERRORS) or any(words in text for words in _FOREIGN_WORDS):
        raise LandingError(
            f"{file.path} could not be loaded, and nothing of it was kept ({text}): make room on "
            "the disk or raise MEMORY_LIMIT if that is the cause; otherwise move the file out of "
            "the landing directory, run again and report it"
        ) from error


def _first_words(error: duckdb.Error) -> str:
    first = str(error).strip().partition("\n")[0]
    words = first.partition("Error: ")[2] or first
    return (
        f"The file cannot be read: {words[:500].rstrip('. ')}. "
        "Deliver it again, complete and in the format that its name says"
    )


def _stamp_now(file: LandedFile) -> Stamp:
    try:
        return Stamp.of(file.absolute.stat())
    except OSError:
        return file.stamp


def _clear_workspace(settings: Settings) -> None:
    shutil.rmtree(workspace(settings), ignore_errors=True)


def _short(number: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f} {unit}"
    return f"{number:.0f}"
