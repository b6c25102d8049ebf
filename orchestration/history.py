"""The files of Dagster's history, which a loss of power may damage: known to be whole, or mended.

Belongs here: the mark that says that all of it is on the disk, and what is done without one. Does
not belong here: reading and writing the history (instance).

The history is written without waiting for the disk (instance.quicken_history). So it is brought
onto the disk when a run ends, and marked. A run that finds no mark, because the last one was killed
or the machine lost its power, looks at every file first.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from orchestration import home
from throughline.engine import files
from throughline.settings import Settings

MARK = "whole"
# One a run, in the folder of the index of all; what it says of a run is in the history of runs too.
_OF_ONE_RUN = "history/runs/*.db"
_INDEX = "index.db"


@contextmanager
def written(settings: Settings) -> Iterator[list[str]]:
    """Around a run that writes the history: see `begin`, which gives the same lines."""
    told = begin(settings)
    try:
        yield told
    finally:
        if not home.is_own(settings):
            # Where the disk is full there is no mark, and the next run looks.
            with suppress(OSError):
                found = settings.dagster_home.rglob("*.db*")
                files.sync_all(path for path in found if path.is_file())
                files.write(settings.dagster_home / MARK, "")


def begin(settings: Settings) -> list[str]:
    """Before the history is written: mend it where it is not known to be whole; there is no mark.

    A history that a user has configured is the user's.

    Returns:
        A line for each file that was damaged, for people.
    """
    folder = home.prepare(settings)
    if home.is_own(settings):
        return []
    mark = folder / MARK
    told = [] if mark.exists() else _mend(settings, folder)
    mark.unlink(missing_ok=True)
    # Once more: a history that was put aside has left no folder.
    files.sync(home.prepare(settings))
    return told


def _mend(settings: Settings, folder: Path) -> list[str]:
    of_one_run = {file for file in folder.glob(_OF_ONE_RUN) if file.name != _INDEX}
    damaged = [file for file in sorted(folder.rglob("*.db")) if not is_whole(file)]
    if set(damaged) <= of_one_run:
        for file in damaged:
            remove(file)
        return [
            f"Dagster's events of run {file.stem[:8]} were damaged, as by a loss of power: they are"
            " gone"
            for file in damaged
        ]
    aside = put_aside(settings, folder)
    return [f"Dagster's history was damaged, as by a loss of power: it is put aside as {aside}"]


def put_aside(settings: Settings, folder: Path) -> Path:
    """Let a new history begin. Gives where the damaged one is."""
    aside = folder.with_name(f"{folder.name}-damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    files.move(folder, aside)
    return aside


def is_whole(file: Path) -> bool:
    """Whether SQLite can read all of a database."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            return bool(connection.execute("pragma quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        # Held by a run that is on, which reads it.
        return True
    except sqlite3.DatabaseError:
        return False


def remove(file: Path) -> None:
    """Remove a database with what SQLite keeps beside it."""
    for path in (file, *(file.with_name(f"{file.name}-{end}") for end in ("wal", "shm"))):
        path.unlink(missing_ok=True)
