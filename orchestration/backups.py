"""`throughline backup` and `restore`: what they say, and their exit status.

Belongs here: words. Does not belong here: the work (throughline.keeping).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from orchestration.narrator import Narrator
from orchestration.wording import counted, size
from throughline.engine import locks
from throughline.keeping import backup as backing_up
from throughline.keeping import restore as restoring
from throughline.keeping.catalogue import BackupError, Catalogue
from throughline.settings import (
    SettingError,
    Settings,
    folder,
    load_serving_settings,
    load_settings,
)

SUCCEEDED, FAILED, CANNOT_START, BUSY = 0, 1, 2, 75
_NOT_IN_IT = (
    "Not in it: .env and the environment (API_KEY, ALERT_…), files of the landing zone, Dagster's"
    " history; and what a run builds again."
)


def _read(given: str) -> tuple[Settings, Path, Path]:
    """The settings, the file of keys, the folder that was given.

    Raises:
        SettingError: one of them cannot be used.
    """
    return load_settings(), load_serving_settings().keys_file, folder(given)


def _held(holds: Catalogue) -> str:
    version = f"version {holds.data_version}" if holds.data_version else "nothing published"
    return (
        f"{counted(len(holds.files), 'file')}, {size(holds.bytes)}; loads up to no."
        f" {holds.last_load_no:,}; {version}"
    )


def back_up(given: str) -> int:
    """Make a backup. Gives the exit status."""
    narrator = Narrator()
    try:
        settings, keys_file, target = _read(given)
        began = time.monotonic()
        made = backing_up.back_up(settings, target, keys_file=keys_file, tell=narrator.paced())
    except (SettingError, BackupError, locks.LockTimeout) as error:
        return _end(error)
    narrator.say(f"Backed up to {made.folder}")
    narrator.note(_held(made.holds))
    narrator.note(
        f"{size(made.new_bytes)} are new, in {time.monotonic() - began:.1f} s; the rest"
        " is shared with the backups before"
    )
    if made.removed:
        narrator.note(f"Removed {counted(len(made.removed), 'older backup')} (BACKUPS_KEPT)")
    if target.stat().st_dev == settings.warehouse_dir.stat().st_dev:
        narrator.note("It lies on the disk of the warehouse: copy it to another machine")
    narrator.say(_NOT_IN_IT)
    return SUCCEEDED


def restore(given: str, *, check: bool, replace: bool) -> int:
    """Bring a backup back, or only read it. Gives the exit status."""
    narrator = Narrator()
    try:
        settings, keys_file, source = _read(given)
        if check:
            found, holds = restoring.check(source)
            narrator.say(f"The backup {found} is whole")
            narrator.note(_held(holds))
            return SUCCEEDED
        done = restoring.restore(
            settings, source, keys_file=keys_file, replace=replace, tell=narrator.say
        )
    except (SettingError, BackupError, locks.LockTimeout) as error:
        return _end(error)
    narrator.say(f"Restored {done.backup} into {settings.warehouse_dir}")
    narrator.note(_held(done.holds))
    for path in done.aside:
        narrator.note(f"What was there before is {path}")
    narrator.say(
        "`throughline run` builds what is built from it; readers have the version already."
    )
    return SUCCEEDED


def _end(error: Exception) -> int:
    Narrator(sys.stderr).say(str(error))
    if isinstance(error, SettingError):
        return CANNOT_START
    return BUSY if isinstance(error, locks.LockTimeout) else FAILED
