"""Loading the files of a log: once each, whole or not at all, nothing lost.

Belongs here: the order of files, one transaction for each, second tries. Does not belong here: the
statements that insert rows, formats, or which failure is the file's own (errors).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import duckdb

from throughline.landing import batches, days, repeats
from throughline.landing.batches import Portion
from throughline.landing.errors import (
    TEXT_ERRORS,
    ConservationError,
    FileChanged,
    FileFault,
    NeedsCare,
    raise_foreign,
)
from throughline.landing.files import LandedFile, Stamp, discover
from throughline.landing.inserting import MOVE_FILTERS, Insertion
from throughline.landing.ledger import (
    Counts,
    Entry,
    Seen,
    StatCache,
    in_ledger,
    next_load_no,
    remember,
    transaction,
    write_entries,
)
from throughline.landing.logs import LOGS, Log
from throughline.landing.macros import MACROS
from throughline.landing.opening import Content, is_unchanged, opened, workspace
from throughline.landing.parts import Part, without_folder_columns
from throughline.landing.readers import Reading, read
from throughline.landing.registry import time_zones
from throughline.landing.summary import LogSummary
from throughline.landing.vocabulary import load_vocabulary
from throughline.landing.wording import reason_of
from throughline.settings import Settings

ATTEMPTS = 3
# The row number has 32 bits of the row id.
MAX_ROWS = 1 << 32

_MANY_ROWS = 1_000_000

Progress = Callable[[str], None]


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
        done = 0
        for batch in batches.grouped(self._log, new, self._settings):
            first = batch[0][0]
            self._progress(
                f"{self._log.name}: file {done + 1} of {len(new)}, {first.path} "
                f"({_short(sum(file.stamp.bytes for file, _ in batch))} bytes), "
                f"{_short(summary.rows_loaded)} rows so far"
            )
            portions = [one for _, one in batch if one is not None]
            if len(portions) > 1:
                self._land_batch(portions)
            else:
                self._land_file(first)
            done += len(batch)
        _clear_workspace(self._settings)
        self._count()
        days.count(self._connection, self._log, time_zones(self._settings))
        return summary

    def _land_batch(self, portions: Sequence[Portion]) -> None:
        """Load small files in one transaction; in halves, down to each by itself, if that fails."""
        if len(portions) == 1:
            self._land_file(portions[0].file)
            return
        try:
            self._load_batch(portions)
        except (FileFault, ConservationError, duckdb.Error):
            # Whose fault it is shows when the others load: one bad file costs a few more tries.
            middle = len(portions) // 2
            self._land_batch(portions[:middle])
            self._land_batch(portions[middle:])

    def _load_batch(self, portions: Sequence[Portion]) -> None:
        started = time.monotonic()
        try:
            with transaction(self._connection), ExitStack() as stack:
                fresh = self._not_in_ledger(portions)
                counts: list[Counts] = []
                if fresh:
                    first = next_load_no(self._connection)
                    counts = self._insert(fresh, first, stack)
                    seconds = (time.monotonic() - started) / len(fresh)
                    write_entries(
                        self._connection,
                        first,
                        [
                            self._entry(
                                one.file, one.content.stamp, one.content, None, count, seconds
                            )
                            for one, count in zip(fresh, counts, strict=True)
                        ],
                    )
                remember(
                    self._connection,
                    *(Seen(one.file.path, one.content.stamp, one.content) for one in portions),
                )
        finally:
            # Not before: a failed transaction takes no statement but its end.
            self._connection.execute(MOVE_FILTERS)
        self._summary.files_unchanged += len(portions) - len(fresh)
        for one, count in zip(fresh, counts, strict=True):
            self._summary.add(one.content.stamp.bytes, count)

    def _not_in_ledger(self, portions: Sequence[Portion]) -> list[Portion]:
        """Those whose content is new, each content once."""
        contents = {one.file.identity(one.content.sha256): one for one in reversed(portions)}
        known = in_ledger(self._connection, portions[0].file.source, self._log.name, list(contents))
        return [
            one
            for one in portions
            if (sha256 := one.file.identity(one.content.sha256)) not in known
            and contents[sha256] is one
        ]

    def _insert(
        self, portions: Sequence[Portion], first_load_no: int, stack: ExitStack
    ) -> list[Counts]:
        """Insert the rows of small files as of one. Gives what became of each.

        Raises:
            ConservationError: DuckDB finds other records than this process has counted.
        """
        whole = workspace(self._settings) / f"batch.{portions[0].format}"
        whole.parent.mkdir(parents=True, exist_ok=True)
        text = portions[0].head + "".join(one.records for one in portions)
        whole.write_bytes(text.encode())
        stack.callback(whole.unlink, missing_ok=True)
        source = read(
            Reading(
                connection=self._connection,
                log=without_folder_columns(self._log, portions[0].file),
                format=portions[0].format,
                path=whole,
                scratch=workspace(self._settings),
                stack=stack,
                careful=False,
            )
        )
        parts = [
            Part(one.file, first_load_no + number, one.rows, one.unknown)
            for number, one in enumerate(portions)
        ]
        counts = Insertion(self._connection, self._log, parts, source, self._vocabulary).run()
        for part, count in zip(parts, counts, strict=True):
            count.insist_on_conservation(part.file.path)
        return counts

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
                identity = file.identity(content.sha256)
                if in_ledger(self._connection, file.source, file.log, [identity]):
                    with transaction(self._connection):
                        remember(self._connection, Seen(file.path, content.stamp, content))
                    self._summary.files_unchanged += 1
                elif content.fault is not None:
                    raise content.fault
                else:
                    self._load(file, content, started)
        except FileFault as fault:
            self._reject(file, content, fault.reason, started)
        except duckdb.Error as error:
            raise_foreign(error, file.path)
            self._reject(file, content, reason_of(error, file.format), started)

    def _load(self, file: LandedFile, content: Content, started: float) -> None:
        for careful in (False, True):
            try:
                self._load_once(file, content, started, careful)
                return
            except (*TEXT_ERRORS, ConservationError, NeedsCare):
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
                    log=without_folder_columns(self._log, file),
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
            part = Part(file, load_no, source.rows_read, source.unknown)
            [counts] = Insertion(
                self._connection, self._log, [part], source, self._vocabulary
            ).run()
            counts.insist_on_conservation(file.path)
            if not is_unchanged(file, content):
                raise FileChanged(file.path)
            seconds = time.monotonic() - started
            write_entries(
                self._connection,
                load_no,
                [self._entry(file, content.stamp, content, None, counts, seconds)],
            )
            remember(self._connection, Seen(file.path, content.stamp, content))
        self._summary.add(content.stamp.bytes, counts)

    def _reject(
        self, file: LandedFile, content: Content | None, reason: str, started: float
    ) -> None:
        if content is not None and not is_unchanged(file, content):
            # What was wrong may have been that only half of it was there.
            raise FileChanged(file.path)
        stamp = content.stamp if content else _stamp_now(file)
        seconds = time.monotonic() - started
        with transaction(self._connection):
            write_entries(
                self._connection,
                next_load_no(self._connection),
                [self._entry(file, stamp, content, reason, Counts(), seconds)],
            )
            remember(self._connection, Seen(file.path, stamp, content))
        self._summary.files_rejected += 1
        self._progress(f"{self._log.name}: {file.path} is rejected: {reason}")

    def _entry(
        self,
        file: LandedFile,
        stamp: Stamp,
        content: Content | None,
        reason: str | None,
        counts: Counts,
        seconds: float,
    ) -> Entry:
        return Entry(
            source=file.source,
            log=file.log,
            path=file.path,
            content_sha256=file.identity(content.sha256) if content else None,
            format=file.format_name,
            bytes=stamp.bytes,
            reason=reason,
            counts=counts,
            seconds=seconds,
            run_id=self._run_id,
        )

    def _count(self) -> None:
        """Fill in `rows_repeated` and the delays of the loads that lack them, after a kill too."""
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
        zones = time_zones(self._settings)
        counts = repeats.count(self._connection, self._log, waiting, zones)
        with transaction(self._connection):
            self._connection.executemany(
                "update raw.loads set rows_repeated = $rows where load_no = $load_no",
                [
                    {"load_no": load_no, "rows": counts.repeats.get(load_no, 0)}
                    for load_no in waiting
                ],
            )
            self._connection.execute(
                "delete from raw.delays where load_no in (select unnest($loads))",
                {"loads": waiting},
            )
            if counts.delays:
                # In columns: row by row, thousands of small files would take as long as their rows.
                self._connection.execute(
                    "insert into raw.delays (load_no, hours, records)"
                    " select unnest($1), unnest($2), unnest($3)",
                    [list(column) for column in zip(*counts.delays, strict=True)],
                )
        self._summary.rows_repeated = sum(counts.repeats.values())


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
