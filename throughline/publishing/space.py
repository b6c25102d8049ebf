"""Whether the disk has room for what a run writes, going by what the last one left.

Belongs here: the look before a run. Does not belong here: what is said when the disk is full all
the same (throughline.engine.remedies).
"""

from __future__ import annotations

import shutil

from throughline.engine import files, remedies
from throughline.published import copies
from throughline.published import manifest as versions
from throughline.settings import Settings


def needed(settings: Settings) -> int:
    """Bytes that the last run's publication took, its copies included; 0 before the first.

    The next one writes as much beside it before the oldest version goes. What dbt builds takes the
    place of what it built before, so it counts only where that is gone.
    """
    current = versions.current_or_none(settings)
    if current is None:
        return 0
    published = settings.published_dir
    folders = [published / name for name in ("versions", copies.REPORTS, copies.EXPORTS)]
    size = sum(files.size(folder / current.data_version) for folder in folders)
    return size if settings.outgoing_file.exists() else size + current.database_bytes


def warning(settings: Settings) -> str | None:
    """What to say when there is less room than the last run took; None when there is enough.

    A warning alone: how much a run needs is known when it has run.
    """
    wanted, free = needed(settings), shutil.disk_usage(settings.warehouse_dir).free
    if free >= wanted:
        return None
    return (
        f"{free / 1e6:,.0f} MB are free and the last run's publication took {wanted / 1e6:,.0f} MB:"
        f" this run may fail. {remedies.room(settings)}"
    )
