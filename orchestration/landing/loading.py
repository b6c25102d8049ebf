"""Loading the files of a log: once each, whole or not at all, nothing lost.

Belongs here: the order of files, transactions, the ledger, the stat cache, conservation. Does not
belong here: how a format is read, how a value is converted, what the later layers make of it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from orchestration.landing.conversion import MACROS, checks, local_times, prepared
from orchestration.landing.errors import ConservationError, FileChanged, FileFault, LandingError
from orchestration.landing.files import (
    Content,
    LandedFile,
    Stamp,
    UnrecognisedFile,
    discover,
    is_at_rest,
    is_unchanged,
    opened,
    sha256_of,
    workspace,
)
from orchestration.landing.logs import LOGS, Log
from orchestration.landing.readers import Reading, Source, read
from orchestration.landing.repeats import count_repeats
from orchestration.landing.sql import Bindings, sql
from orchestration.landing.vocabulary import load_vocabulary
from orchestration.settings import Settings

ATTEMPTS = 3
MAX_ROWS = 1 << 32

# How DuckDB's text readers say that a file is not what they were told.
_TEXT_ERRORS = (
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.ConversionException,
)

# The filter on bad rows stays above the conversions: moved below, each would be done twice. The
# counts by load number need it the other way round.
_KEEP_FILTERS_IN_PLACE = "set disabled_optimizers = 'filter_pushdown'"
_MOVE_FILTERS = "reset disabled_optimizers"

Progress = Callable[[str], None]
Vocabulary = dict[str, dict[str, str]]


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


@dataclass
class _Loaded:
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    rows_local_time: int
    unknown_columns: dict[str, int]


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
        self._vocabulary: Vocabulary = load_vocabulary()
        self._summary = LogSummary(log.name)

    def land(self) -> LogSummary:
        files = discover(self._settings.landing_dir, self._log.name).files
        summary = self._summary
        summary.files_seen = len(files)
        known = _StatCache(self._connection)
        new = [file for file in files if not known.is_settled(file)]
        summary.files_unchanged = len(files) - len(new)
        _clear_workspace(self._settings)
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
                if self._is_in_ledger(file, content.sha256):
                    with _transaction(self._connection):
                        _remember(self._connection, file.path, content.stamp, content)
                    self._summary.files_unchanged += 1
                    return
                self._load(file, content, started)
        except FileFault as fault:
            self._reject(file, content, fault.reason, started)
        except duckdb.Error as error:
            _raise_if_not_of_the_file(error, file)
            self._reject(file, content, _first_words(error), started)

    def _is_in_ledger(self, file: LandedFile, sha256: str) -> bool:
        return _is_in_ledger(self._connection, file.source, file.log, sha256)

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
                self._connection.execute(_MOVE_FILTERS)

    def _load_once(self, file: LandedFile, content: Content, started: float, careful: bool) -> None:
        connection, summary = self._connection, self._summary
        with _transaction(connection), ExitStack() as stack:
            source = read(
                Reading(
                    connection=connection,
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
            load_no = _next_load_no(connection)
            loaded = self._load_rows(file, source, load_no)
            if loaded.rows_read != loaded.rows_loaded + loaded.rows_rejected:
                raise ConservationError(
                    f"{file.path}: {loaded.rows_read} rows were read, but {loaded.rows_loaded} "
                    f"loaded and {loaded.rows_rejected} rejected; nothing of the file was kept. "
                    "This is a fault of the loader: report it with the file"
                )
            if not is_unchanged(file, content):
                raise FileChanged(file.path)
            _write_ledger(
                connection,
                load_no=load_no,
                source=file.source,
                log=file.log,
                path=file.path,
                content_sha256=content.sha256,
                format_name=file.format_name,
                size=content.stamp.bytes,
                reason=None,
                loaded=loaded,
                seconds=time.monotonic() - started,
                run_id=self._run_id,
            )
            _remember(connection, file.path, content.stamp, content)
        summary.files_loaded += 1
        summary.rows_read += loaded.rows_read
        summary.rows_loaded += loaded.rows_loaded
        summary.rows_rejected += loaded.rows_rejected
        summary.rows_local_time += loaded.rows_local_time
        summary.bytes += content.stamp.bytes
        for name, rows in loaded.unknown_columns.items():
            summary.unknown_columns[name] = summary.unknown_columns.get(name, 0) + rows

    def _reject(
        self, file: LandedFile, content: Content | None, reason: str, started: float
    ) -> None:
        stamp = content.stamp if content else _stamp_now(file)
        sha256 = content.sha256 if content else _sha256_or_none(file)
        if content is not None and not is_unchanged(file, content):
            # What was wrong may have been that only half of it was there.
            raise FileChanged(file.path)
        if sha256 is not None and self._is_in_ledger(file, sha256):
            self._summary.files_unchanged += 1
        else:
            with _transaction(self._connection):
                _write_rejected_file(
                    self._connection,
                    RejectedFile(file.path, file.source, file.log, reason),
                    sha256,
                    file.format_name,
                    stamp.bytes,
                    time.monotonic() - started,
                    self._run_id,
                )
            self._summary.files_rejected += 1
            self._progress(f"{self._log.name}: {file.path} is rejected: {reason}")
        with _transaction(self._connection):
            _remember(self._connection, file.path, stamp, content, sha256)

    def _load_rows(self, file: LandedFile, source: Source, load_no: int) -> _Loaded:
        self._connection.execute(_KEEP_FILTERS_IN_PLACE)
        loaded = self._insert_rows(file, source, load_no)
        rejected = self._insert_broken(file, source, load_no)
        if loaded + rejected != source.rows_read:
            rejected += self._insert_rejected(file, source, load_no)
        self._connection.execute(_MOVE_FILTERS)
        return _Loaded(
            rows_read=source.rows_read,
            rows_loaded=loaded,
            rows_rejected=rejected,
            rows_local_time=self._count_local_times(load_no),
            unknown_columns=self._count_unknown(source, load_no),
        )

    def _insert_rows(self, file: LandedFile, source: Source, load_no: int) -> int:
        bindings = Bindings()
        values = [
            f"out_{column.name}" if column.name in source.shapes else "null"
            for column in self._log.columns
        ]
        return _changed(
            self._connection,
            sql(
                """
                insert into raw.@{log}
                select @{values}, @{source}, (cast(@{load_no} as bigint) << 32) + row_no,
                    @{load_no}, @{local_times}, extra
                from (@{prepared})
                where @{problem} is null
                """,
                log=self._log.name,
                values=", ".join(values),
                source=bindings.bind(file.source),
                load_no=bindings.bind(load_no),
                local_times=local_times(self._log, source.shapes),
                prepared=prepared(self._log, source.query(bindings, False), source.shapes),
                problem=self._problem(source, bindings),
            ),
            bindings,
        )

    def _problem(self, source: Source, bindings: Bindings) -> str:
        found = checks(self._log, source.shapes, self._vocabulary, bindings)
        cases = " ".join(
            f"when {check.condition} then {number}" for number, check in enumerate(found, start=1)
        )
        return f"case {cases} end"

    def _insert_rejected(self, file: LandedFile, source: Source, load_no: int) -> int:
        bindings = Bindings()
        found = checks(self._log, source.shapes, self._vocabulary, Bindings())
        values = " ".join(
            f"when {number} then {check.value}" for number, check in enumerate(found, start=1)
        )
        return _changed(
            self._connection,
            sql(
                """
                insert into raw.rejected_rows
                select @{load_no}, @{source}, @{log}, @{path}, row_no, @{columns}[problem],
                    case problem @{values} end, @{reasons}[problem], @{remedies}[problem], "row",
                    @{now}
                from (select *, @{problem} as problem from (@{prepared}))
                where problem is not null
                """,
                load_no=bindings.bind(load_no),
                source=bindings.bind(file.source),
                log=bindings.bind(file.log),
                path=bindings.bind(file.path),
                columns=bindings.bind([check.column for check in found]),
                values=values,
                reasons=bindings.bind([check.reason for check in found]),
                remedies=bindings.bind([check.remedy for check in found]),
                now=bindings.bind(_now()),
                prepared=prepared(self._log, source.query(bindings, True), source.shapes),
                problem=self._problem(source, bindings),
            ),
            bindings,
        )

    def _insert_broken(self, file: LandedFile, source: Source, load_no: int) -> int:
        if source.broken is None or not source.broken_rows:
            return 0
        bindings = Bindings()
        return _changed(
            self._connection,
            sql(
                """
                insert into raw.rejected_rows
                select @{load_no}, @{source}, @{log}, @{path}, row_no, column_name, value, reason,
                    remedy, "row", @{now}
                from read_json(@{broken}, format = 'newline_delimited',
                    maximum_object_size = @{size}, hive_partitioning = false, columns = {
                        row_no: 'bigint', column_name: 'varchar', value: 'varchar',
                        reason: 'varchar', remedy: 'varchar', row: 'varchar'
                    })
                """,
                load_no=bindings.bind(load_no),
                source=bindings.bind(file.source),
                log=bindings.bind(file.log),
                path=bindings.bind(file.path),
                now=bindings.bind(_now()),
                broken=bindings.bind(str(source.broken)),
                size=str(source.broken.stat().st_size + 1024),
            ),
            bindings,
        )

    def _count_local_times(self, load_no: int) -> int:
        return _one_number(
            self._connection,
            sql(
                "select count(*) from raw.@{log} where load_no = $load_no and local_times <> 0",
                log=self._log.name,
            ),
            {"load_no": load_no},
        )

    def _count_unknown(self, source: Source, load_no: int) -> dict[str, int]:
        if not source.unknown:
            return {}
        counted = self._connection.execute(
            sql(
                """
                select name, count(*)
                from (
                    select unnest(json_keys(extra)) as name from raw.@{log}
                    where load_no = $load_no and extra is not null
                )
                group by name order by name
                """,
                log=self._log.name,
            ),
            {"load_no": load_no},
        ).fetchall()
        counts = dict.fromkeys(sorted(source.unknown), 0)
        counts.update({str(name): int(rows) for name, rows in counted})
        return counts

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
        if self._summary.rows_loaded > 1_000_000:
            self._progress(f"{self._log.name}: looking for repeated records")
        repeats = count_repeats(self._connection, self._log, waiting)
        with _transaction(self._connection):
            self._connection.executemany(
                "update raw.loads set rows_repeated = $rows where load_no = $load_no",
                [{"load_no": load_no, "rows": repeats.get(load_no, 0)} for load_no in waiting],
            )
        self._summary.rows_repeated = sum(repeats.values())


def reject_unrecognised(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str = ""
) -> list[RejectedFile]:
    """Record the files that fit no log as rejected files, each content once.

    Returns:
        The files that were recorded by this call.

    Raises:
        LandingError: the landing directory is missing.
    """
    rejected: list[RejectedFile] = []
    known = _StatCache(connection)
    for file in discover(settings.landing_dir).unrecognised:
        if known.is_settled(file):
            continue
        sha256 = _sha256_or_none(file)
        with _transaction(connection):
            if sha256 is None or not _is_in_ledger(connection, file.source, file.log, sha256):
                entry = RejectedFile(
                    file.path, file.source, file.log, f"{file.problem}. {file.remedy}"
                )
                _write_rejected_file(connection, entry, sha256, None, file.stamp.bytes, 0.0, run_id)
                rejected.append(entry)
            _remember(connection, file.path, file.stamp, None, sha256)
    return rejected


def anything_new(connection: duckdb.DuckDBPyConnection | None, settings: Settings) -> bool:
    """Whether a file of the landing directory is new or has changed, by its stamp alone.

    Args:
        connection: an open warehouse; without one it is opened for reading for an instant.
        settings: where the warehouse and the landing directory are.

    Returns:
        True when `land_log` or `reject_unrecognised` would have something to do. False when not,
        and also while another process has the warehouse open: its run is on, so ask again later.

    Raises:
        LandingError: the landing directory is missing.
    """
    found = discover(settings.landing_dir)
    files: list[LandedFile | UnrecognisedFile] = [*found.files, *found.unrecognised]
    if connection is not None:
        return _any_unknown(connection, files)
    if not settings.warehouse_file.exists():
        return bool(files)
    try:
        reader = duckdb.connect(str(settings.warehouse_file), read_only=True)
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            return False
        raise LandingError(
            f"the warehouse {settings.warehouse_file} cannot be opened ({error}): point "
            "WAREHOUSE_DIR at another directory, or restore the file"
        ) from error
    with reader:
        return _any_unknown(reader, files)


def _any_unknown(
    connection: duckdb.DuckDBPyConnection, files: Iterable[LandedFile | UnrecognisedFile]
) -> bool:
    try:
        known = _StatCache(connection)
    except duckdb.CatalogException:
        return any(True for _ in files)
    return any(not known.is_seen(file) for file in files)


class _StatCache:
    """What the stat cache says about files, read once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._stamps: dict[str, tuple[Stamp, int]] = {
            path: (Stamp(size, mtime_ns, ctime_ns, inode), hashed_at_ns)
            for path, size, mtime_ns, ctime_ns, inode, hashed_at_ns in connection.execute(
                "select path, bytes, mtime_ns, ctime_ns, inode, hashed_at_ns from raw.landing_files"
            ).fetchall()
        }

    def is_seen(self, file: LandedFile | UnrecognisedFile) -> bool:
        """The file has the stamp that it had when it was dealt with."""
        stamp, _ = self._stamps.get(file.path, (None, 0))
        return stamp == file.stamp

    def is_settled(self, file: LandedFile | UnrecognisedFile) -> bool:
        """As `is_seen`, and the file had been at rest long enough for its stamp to be trusted."""
        stamp, hashed_at_ns = self._stamps.get(file.path, (None, 0))
        return stamp == file.stamp and is_at_rest(file.stamp, hashed_at_ns)


def _remember(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    stamp: Stamp,
    content: Content | None,
    sha256: str | None = None,
) -> None:
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
            "sha256": content.sha256 if content else sha256,
            "hashed_at_ns": content.hashed_at_ns if content else time.time_ns(),
        },
    )


def _is_in_ledger(
    connection: duckdb.DuckDBPyConnection, source: str, log: str, sha256: str
) -> bool:
    return bool(
        _one_number(
            connection,
            "select count(*) from raw.loads "
            "where source = $source and log = $log and content_sha256 = $sha256",
            {"source": source, "log": log, "sha256": sha256},
        )
    )


def _next_load_no(connection: duckdb.DuckDBPyConnection) -> int:
    return _one_number(connection, "select coalesce(max(load_no), 0) + 1 from raw.loads", {})


def _write_rejected_file(
    connection: duckdb.DuckDBPyConnection,
    file: RejectedFile,
    sha256: str | None,
    format_name: str | None,
    size: int,
    seconds: float,
    run_id: str,
) -> None:
    _write_ledger(
        connection,
        load_no=_next_load_no(connection),
        source=file.source,
        log=file.log,
        path=file.path,
        content_sha256=sha256,
        format_name=format_name,
        size=size,
        reason=file.reason,
        loaded=None,
        seconds=seconds,
        run_id=run_id,
    )


def _write_ledger(
    connection: duckdb.DuckDBPyConnection,
    *,
    load_no: int,
    source: str,
    log: str,
    path: str,
    content_sha256: str | None,
    format_name: str | None,
    size: int,
    reason: str | None,
    loaded: _Loaded | None,
    seconds: float,
    run_id: str,
) -> None:
    """Write one row of the ledger; without `loaded` it is a rejected file."""
    counts = loaded or _Loaded(0, 0, 0, 0, {})
    bindings = Bindings()
    values = (
        load_no,
        source,
        log,
        path,
        content_sha256,
        format_name,
        size,
        "loaded" if loaded else "rejected",
        reason,
        counts.rows_read,
        counts.rows_loaded,
        counts.rows_rejected,
        # Counted once per log and run, for all of its files together.
        None if counts.rows_loaded else 0,
        counts.rows_local_time,
        json.dumps(counts.unknown_columns, ensure_ascii=False),
        _now(),
        seconds,
        run_id,
    )
    placeholders = ", ".join(bindings.bind(value) for value in values)
    connection.execute(
        sql("insert into raw.loads values (@{values})", values=placeholders), bindings.values
    )


class _transaction:  # noqa: N801 - reads as a keyword
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


def _changed(connection: duckdb.DuckDBPyConnection, statement: str, bindings: Bindings) -> int:
    return _one_number(connection, statement, bindings.values)


def _one_number(
    connection: duckdb.DuckDBPyConnection, statement: str, values: dict[str, object]
) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])


def _raise_if_not_of_the_file(error: duckdb.Error, file: LandedFile) -> None:
    """Let only such failures become a rejected file as the file's content can cause."""
    text = str(error)
    no_room = "No space left" in text or "Could not write" in text or "max_temp_directory" in text
    foreign = (
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
    if no_room or isinstance(error, foreign):
        raise LandingError(
            f"{file.path} could not be loaded, and nothing of it was kept ({text.strip()}): make "
            "room on the disk or raise MEMORY_LIMIT if that is the cause; otherwise move the file "
            "out of the landing directory, run again and report it"
        ) from error


def _first_words(error: duckdb.Error) -> str:
    words = str(error).strip().splitlines()[0].partition("Error: ")[2] or str(error).strip()
    return (
        f"The file cannot be read: {words[:500].rstrip('. ')}. "
        "Deliver it again, complete and in the format that its name says"
    )


def _stamp_now(file: LandedFile) -> Stamp:
    try:
        return Stamp.of(file.absolute.stat())
    except OSError:
        return file.stamp


def _sha256_or_none(file: LandedFile | UnrecognisedFile) -> str | None:
    try:
        return sha256_of(file.absolute) if file.absolute.is_file() else None
    except OSError:
        return None


def _clear_workspace(settings: Settings) -> None:
    shutil.rmtree(workspace(settings), ignore_errors=True)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _short(number: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f} {unit}"
    return f"{number:.0f}"
