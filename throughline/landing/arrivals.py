"""Whether the landing zone holds something that a run would load.

Belongs here: the look from outside, without getting in a run's way, and what was loaded last. Does
not belong here: reading files or deciding which of them count (files, watching).
"""

from __future__ import annotations

import hashlib

import duckdb

from throughline import engine
from throughline.landing import watching
from throughline.landing.files import discover, walk
from throughline.settings import Settings


def signature(settings: Settings) -> str:
    """A hash of the names, sizes and times of what lies in the landing zone; no file is opened."""
    total = hashlib.sha256()
    for entry in walk(settings.landing_dir):
        total.update(repr((str(entry.path), entry.stamp())).encode())
    return total.hexdigest()


def anything_new(settings: Settings) -> bool:
    """Whether a file waits to be loaded. Call it under the warehouse lock."""
    if not settings.warehouse_file.exists():
        return watching.anything_new(None, settings)
    with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
        return watching.anything_new(connection, settings)


def newest_load(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest load in the ledger of an open warehouse; 0 when there is none."""
    try:
        return int(engine.one(connection, "select coalesce(max(load_no), 0) from raw.loads"))
    except duckdb.CatalogException:
        return 0


def last_load_no(settings: Settings) -> int:
    """The newest load in the ledger; 0 when there is none. Call it under the warehouse lock."""
    if not settings.warehouse_file.exists():
        return 0
    with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
        return newest_load(connection)


def _seen(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a file of the landing zone was ever loaded or rejected, and not removed since."""
    try:
        return bool(engine.one(connection, "select count(*) from raw.landing_files"))
    except duckdb.CatalogException:
        return False


def _seen_before(settings: Settings) -> bool:
    if not settings.warehouse_file.exists():
        return False
    with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
        return _seen(connection)


def emptied(settings: Settings, connection: duckdb.DuckDBPyConnection | None = None) -> str | None:
    """What to say of a landing zone without a file that held some before; None for any other.

    A disk that is not mounted leaves an empty folder. What was removed because it had been loaded
    long ago (LANDING_RETENTION_DAYS) is no longer among the files that were seen there. Call it
    under the warehouse lock.

    Args:
        settings: where the landing zone is.
        connection: the warehouse, where it is open already: nobody opens it a second time then.

    Raises:
        LandingError: the landing directory is missing.
    """
    found = discover(settings.landing_dir)
    if found.files or found.unrecognised:
        return None
    # An open warehouse is not opened again: DuckDB refuses to attach a file twice in one process.
    if not (_seen(connection) if connection else _seen_before(settings)):
        return None
    return (
        f"the landing zone {settings.landing_dir} is empty, and files were loaded from it before:"
        " see that its disk is mounted and that LANDING_DIR is right"
    )
