"""What to do about a failure that is none of the data's or the code's: a disk, a file, a folder.

Belongs here: knowing such a failure when it is seen, and the sentence for the one who has to act.
Does not belong here: a held file (throughline.engine), anything that is mended by itself.
"""

from __future__ import annotations

import errno
import os
import re
import shutil

import duckdb

from throughline import engine
from throughline.settings import Settings

_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|disk is full", re.IGNORECASE
)
# SQLite calls a full disk an I/O error, and others say nothing of it: below this it is the cause.
_TOO_LITTLE_BYTES = 4_000_000
_DAMAGED = re.compile(
    r"not a valid DuckDB database|Corrupt database|Computed checksum|checksum .*does not match"
    r"|replaying WAL|Failed to deserialize|Serialization Error|Could not read enough bytes",
    re.IGNORECASE,
)
_UNWRITABLE = re.compile(r"Read-only file system|Permission denied", re.IGNORECASE)


def is_damage(error: duckdb.Error) -> bool:
    """Whether a file could not be opened because of what is in it."""
    return not engine.is_held(error) and (
        isinstance(error, duckdb.SerializationException | duckdb.InternalException)
        or bool(_DAMAGED.search(str(error)))
    )


def is_full(failure: str) -> bool:
    """Whether a failure says that a disk is full."""
    return bool(_FULL.search(failure))


def damaged(settings: Settings) -> str:
    """What to do about a warehouse that cannot be read."""
    return (
        f"{settings.warehouse_file} is damaged. Restore a backup (`throughline restore DIR"
        " --replace`); or move the file away and run again: the raw logs are loaded again from the"
        f" landing zone ({settings.landing_dir}), where they are still there, and what is published"
        " keeps its ids. The last published version is untouched meanwhile."
    )


def room(settings: Settings) -> str:
    """How to get room on the disk."""
    return (
        "Make room, or let WAREHOUSE_DIR lie on a larger disk;"
        f" PUBLISHED_VERSIONS={settings.versions_kept} says how many published versions stay,"
        " SCHEDULED_EXPORTS=off leaves out the exports."
    )


def of(settings: Settings, failure: str) -> str | None:
    """What to do about a failure, by its words; None when they do not tell."""
    if is_full(failure) or _free_bytes(settings) < _TOO_LITTLE_BYTES:
        return (
            f"The disk of {settings.warehouse_dir} is full. {room(settings)} Then run again: it"
            " takes up where this one stopped."
        )
    if _DAMAGED.search(failure):
        return damaged(settings)
    if _UNWRITABLE.search(failure) and str(settings.warehouse_dir) in failure:
        return unwritable(settings)
    return None


def _free_bytes(settings: Settings) -> float:
    try:
        return shutil.disk_usage(settings.warehouse_dir).free
    except OSError:
        return float("inf")


def unwritable(settings: Settings, error: OSError | None = None) -> str:
    """What to do about a folder that cannot be written."""
    reason = "" if error is None else f" ({os.strerror(error.errno or errno.EIO)})"
    return (
        f"WAREHOUSE_DIR={str(settings.warehouse_dir)!r} cannot be written{reason}: point it to a"
        " folder that this user may write, on a disk that is mounted for writing"
    )
