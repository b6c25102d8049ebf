"""Copies of the reports and of the log beside each published version, for those without a server.

Belongs here: where they are written, when they are whole, how long they stay. Does not belong
here: what is in them (`serving` renders and exports), publishing itself.

The layout, all paths under `Settings.published_dir`:

    reports/<data_version>/statistics-month-2026-10.en.html   both reports, each grain and language
    exports/<data_version>/conversations.csv, .parquet        the log, one row per conversation
    exports/<data_version>/contacts.csv, .parquet             the log, one row per contact
    reports/latest, exports/latest                            links to the current version's folder

A folder appears under its name when it is whole. A version that is not published any more loses
its copies. Serving is imported where it is needed: a run with nothing to do must stay quick.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestration import locks, publishing
from orchestration.publishing import Publication
from orchestration.settings import Settings, load_serving_settings

REPORTS, EXPORTS, LATEST = "reports", "exports", "latest"
FORMATS = ("csv", "parquet")
GRAINS = ("conversation", "contact")
_WORK_PREFIX = ".copying-"
_WAIT_SECONDS = 3600

Progress = Callable[[str], None]
Maker = Callable[[Settings, Publication, Path, Progress], None]


class CopyError(RuntimeError):
    """The copies could not be written; the published version stands without them."""


@dataclass(frozen=True)
class Copies:
    """What a call wrote.

    Attributes:
        data_version: the version that the copies are of.
        files: paths relative to `published/`; none when all were there already.
        bytes: their size.
    """

    data_version: str
    files: tuple[str, ...]
    bytes: int


def are_whole(settings: Settings) -> bool:
    """Whether the current version has all its copies, as the settings want them."""
    current = publishing.current(settings)
    if current is None:
        return False
    return all((folder / current.data_version).is_dir() for folder in _wanted(settings))


def write(settings: Settings, *, progress: Progress | None = None) -> Copies:
    """Write the copies of the current version that are missing; drop those of former versions.

    Args:
        settings: where things are, and whether the log is exported.
        progress: called with a short line of text as the work goes on.

    Raises:
        CopyError: nothing is published yet.
        locks.LockTimeout: another process took too long over the same.
        Exception: a copy could not be made. What was whole before stays as it was.
    """
    tell = progress or (lambda text: None)
    published = settings.published_dir
    with locks.held(settings, "copies", wait_seconds=_WAIT_SECONDS):
        for left_behind in published.glob(f"{_WORK_PREFIX}*"):
            publishing.remove(left_behind)
        current = publishing.current(settings)
        if current is None:
            raise CopyError("Nothing is published yet, so there is nothing to copy.")
        written: list[Path] = []
        makers: Mapping[str, Maker] = {REPORTS: _write_reports, EXPORTS: _write_exports}
        for kind in _wanted(settings):
            target = kind / current.data_version
            if not target.is_dir():
                written += _make(settings, current, target, makers[kind.name], tell)
            _point(kind / LATEST, current.data_version)
        _prune(settings)
    return Copies(
        current.data_version,
        tuple(str(path.relative_to(published)) for path in written),
        sum(path.stat().st_size for path in written),
    )


def _wanted(settings: Settings) -> list[Path]:
    names = [REPORTS, EXPORTS] if settings.scheduled_exports else [REPORTS]
    return [settings.published_dir / name for name in names]


def _make(
    settings: Settings, current: Publication, target: Path, maker: Maker, tell: Progress
) -> list[Path]:
    """A whole folder under its name, or nothing."""
    work = settings.published_dir / f"{_WORK_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    work.mkdir()
    try:
        maker(settings, current, work, tell)
        files = sorted(path for path in work.iterdir() if path.is_file())
        for file in files:
            file.chmod(0o444)
            publishing.sync(file)
        publishing.sync(work)
        target.parent.mkdir(exist_ok=True)
        work.replace(target)
        publishing.sync(target.parent)
        return [target / file.name for file in files]
    finally:
        publishing.remove(work)


def _write_reports(settings: Settings, current: Publication, folder: Path, tell: Progress) -> None:
    from serving.reports.copies import copies
    from serving.snapshot import Snapshots

    serving = load_serving_settings({**os.environ, **settings.environment()})
    serving = replace(serving, spill_dir=settings.scratch_dir / "copies")
    snapshot = Snapshots(serving).current()
    if snapshot.version != current.data_version:
        raise CopyError("Another version was published meanwhile: the run that did so copies it.")
    for name, text in copies(snapshot):
        tell(f"copying {name}")
        (folder / name).write_text(text, encoding="utf-8")


def _write_exports(settings: Settings, current: Publication, folder: Path, tell: Progress) -> None:
    from serving.export.files import write_file
    from serving.export.log import tables
    from serving.filters import Filter

    database = settings.published_dir / current.database
    for grain in GRAINS:
        for format_name in FORMATS:
            name = f"{grain}s.{format_name}"
            tell(f"exporting {name}")
            write_file(database, tables(Filter(), grain), format_name, folder / name)


def _point(link: Path, version: str) -> None:
    """Make the link lead to the version, atomically; nothing when it does already."""
    if not link.is_symlink() or link.readlink() != Path(version):
        publishing.replace_with_symlink(version, link)


def _prune(settings: Settings) -> None:
    """Drop the copies of versions that are not there any more."""
    published = settings.published_dir
    if not settings.scheduled_exports:
        # What is there stays as long as its version; the latest it is no more.
        (published / EXPORTS / LATEST).unlink(missing_ok=True)
    kept = {path.name for path in (published / "versions").iterdir()} | {LATEST}
    for kind in (published / REPORTS, published / EXPORTS):
        for path in sorted(kind.iterdir()) if kind.is_dir() else []:
            if path.name not in kept:
                # Out of sight in one step, so that nobody finds half a folder.
                aside = published / f"{_WORK_PREFIX}{secrets.token_hex(4)}"
                path.replace(aside)
                publishing.remove(aside)
