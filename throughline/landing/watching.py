"""The landing directory as a whole: what fits nowhere, and whether anything is new.

Belongs here: looks at all files of the directory. Does not belong here: loading any of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import duckdb

from throughline import engine
from throughline.engine import files as disk
from throughline.landing.errors import LandingError
from throughline.landing.files import LandedFile, UnrecognisedFile, discover
from throughline.landing.ledger import (
    Counts,
    Entry,
    RejectedFile,
    Seen,
    StatCache,
    in_ledger,
    next_load_no,
    remember,
    transaction,
    write_entries,
)
from throughline.landing.opening import Content
from throughline.settings import Settings


def reject_unrecognised(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str = ""
) -> list[RejectedFile]:
    """Record the files that fit no log as rejected files, each content once.

    Args:
        connection: from `connect`, after `prepare`.
        settings: where the landing directory is.
        run_id: kept in the ledger.

    Returns:
        The files that were recorded by this call.

    Raises:
        LandingError: the landing directory is missing.
    """
    rejected: list[RejectedFile] = []
    known = StatCache(connection)
    for file in discover(settings.landing_dir).unrecognised:
        if known.is_settled(file):
            continue
        started, content = time.monotonic(), _content(file)
        sha256 = content.sha256 if content else None
        with transaction(connection):
            if not (sha256 and in_ledger(connection, file.source, file.log, [sha256])):
                reason = f"{file.problem}. {file.remedy}"
                entry = Entry(
                    source=file.source,
                    log=file.log,
                    path=file.path,
                    content_sha256=sha256,
                    format=None,
                    bytes=file.stamp.bytes,
                    reason=reason,
                    counts=Counts(),
                    seconds=time.monotonic() - started,
                    run_id=run_id,
                )
                write_entries(connection, next_load_no(connection), [entry])
                rejected.append(RejectedFile(file.path, file.source, file.log, reason))
            remember(connection, Seen(file.path, file.stamp, content))
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
        reader = engine.connect(settings, settings.warehouse_file, read_only=True)
    except duckdb.IOException as error:
        if engine.is_held(error):
            return False
        raise LandingError(
            f"the warehouse {settings.warehouse_file} cannot be opened ({error}): point "
            "WAREHOUSE_DIR at another directory, or restore the file"
        ) from error
    with reader:
        return _any_unknown(reader, files)


def waiting(connection: duckdb.DuckDBPyConnection | None, settings: Settings) -> list[str]:
    """The files that a run would look at: new, or changed since. Relative to the landing directory.

    Args:
        connection: an open warehouse; None when there is none.
        settings: where the landing directory is.

    Raises:
        LandingError: the landing directory is missing.
    """
    found = discover(settings.landing_dir)
    files: list[LandedFile | UnrecognisedFile] = [*found.files, *found.unrecognised]
    try:
        known = StatCache(connection) if connection else None
    except duckdb.CatalogException:
        known = None
    return [file.path for file in files if known is None or not known.is_seen(file)]


def _any_unknown(
    connection: duckdb.DuckDBPyConnection, files: Sequence[LandedFile | UnrecognisedFile]
) -> bool:
    try:
        known = StatCache(connection)
    except duckdb.CatalogException:
        # Nothing was ever prepared, so nothing was ever loaded.
        return bool(files)
    return any(not known.is_seen(file) for file in files)


def _content(file: UnrecognisedFile) -> Content | None:
    hashed_at_ns = time.time_ns()
    try:
        if not file.absolute.is_file():
            return None
        sha256 = disk.sha256(file.absolute)
    except OSError:
        return None
    return Content(file.absolute, sha256, file.stamp, hashed_at_ns, is_copy=False)
