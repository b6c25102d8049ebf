"""Whether the landing zone holds something that a run would load.

Belongs here: the look from outside, without getting in a run's way. Does not belong here: reading
files or deciding which of them count (orchestration.landing).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from orchestration import landing, locks, transform
from orchestration.settings import Settings


def _entries(folder: Path) -> Iterator[tuple[str, int, int]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _entries(Path(entry.path))
        elif entry.is_file():
            facts = entry.stat()
            yield entry.path, facts.st_size, facts.st_mtime_ns


def signature(settings: Settings) -> str:
    """A hash of the names, sizes and times of what lies in the landing zone; no file is opened."""
    total = hashlib.sha256()
    for entry in _entries(settings.landing_dir):
        total.update(repr(entry).encode())
    return total.hexdigest()


def anything_new(settings: Settings) -> bool:
    """Whether a file waits to be loaded. Call it under the warehouse lock."""
    if not settings.warehouse_file.exists():
        return landing.anything_new(None, settings)
    with transform.connect_read_only(settings) as connection:
        return landing.anything_new(connection, settings)


def look(settings: Settings, last_seen: str | None) -> tuple[str, str | None]:
    """Look at the landing zone, as a sensor does every minute.

    Args:
        settings: where the landing zone is.
        last_seen: the signature that the last look gave.

    Returns:
        The signature now, and why no run is needed (None when one is).

    Raises:
        LockTimeout: a run has the warehouse.
        duckdb.IOException: another program has it.
    """
    seen = signature(settings)
    if seen == last_seen:
        return seen, "the landing zone has not changed since the last look"
    with locks.warehouse(settings, wait_seconds=0):
        return seen, None if anything_new(settings) else "every file is loaded"
