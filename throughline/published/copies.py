"""Copies of the reports and of the log beside each published version, for those without a server.

Belongs here: where they are, and when they are due. Does not belong here: what is in them and
making them (serving.copies), when they are made (orchestration).

The layout, all paths under `Settings.published_dir`:

    reports/<data_version>/statistics-month-2026-10.en.html   both reports, each grain and language
    exports/<data_version>/conversations.csv, .parquet        the log, one row per conversation
    exports/<data_version>/contacts.csv, .parquet             the log, one row per contact
    reports/latest, exports/latest                            links to the newest folder

A folder appears under its name when it is whole, and its time is that of the publication. The first
version of each UTC day is copied: where a version comes every few minutes, each of them with the
whole log would cost more than the versions do. A version that is not published any more loses its
copies, unless they are the newest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from throughline.published import manifest as versions
from throughline.settings import Settings

REPORTS, EXPORTS, LATEST = "reports", "exports", "latest"


def wanted(settings: Settings) -> list[Path]:
    """The folders that hold copies, as the settings want them; each has one folder a version."""
    names = [REPORTS, EXPORTS] if settings.scheduled_exports else [REPORTS]
    return [settings.published_dir / name for name in names]


def are_due(settings: Settings) -> bool:
    """Whether a run is to copy the current version: no copies are as new or of the same day.

    The time that passes makes none due, only a publication.
    """
    current = versions.current_or_none(settings)
    return current is not None and any(_are_due(each, current) for each in wanted(settings))


def _are_due(folder: Path, current: versions.Publication) -> bool:
    if (folder / current.data_version).is_dir():
        return False
    try:
        newest = datetime.fromtimestamp((folder / LATEST).stat().st_mtime, UTC)
    except OSError:
        return True
    return newest.date() < current.published_at.astimezone(UTC).date()
