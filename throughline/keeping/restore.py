"""A restoration: a backup becomes a warehouse again.

Belongs here: comparing a backup before anything is touched, making the warehouse anew, putting each
thing in its place. Does not belong here: building what a run builds; the next run does.

The raw tables come first to their place, the published files after them. A warehouse without its
published files publishes again with the same ids; published files without their warehouse would let
a run begin with an empty one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from throughline import engine
from throughline.engine import files, locks, remedies
from throughline.keeping import catalogue, raw_tables
from throughline.keeping.catalogue import BackupError, Catalogue
from throughline.published import manifest as versions
from throughline.settings import Settings

# What may stay in a folder that is restored into: locks are open, logs and history are not of data.
_STAYS = {"locks", "logs", "dagster"}
_ASIDE = "before-restore-"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """What was restored.

    Attributes:
        backup: the folder of the backup.
        holds: its catalogue.
        aside: where what was there before has gone; none when nothing was there.
    """

    backup: Path
    holds: Catalogue
    aside: tuple[Path, ...]


def check(folder: Path) -> tuple[Path, Catalogue]:
    """Find a backup and read every file of it.

    Args:
        folder: the backup, or the folder that `throughline backup` was given: its newest then.

    Raises:
        BackupError: there is none, or it is damaged; names the files.
    """
    backup = catalogue.find(folder)
    holds = catalogue.read(backup)
    catalogue.verify(backup, holds)
    return backup, holds


def restore(
    settings: Settings, folder: Path, *, keys_file: Path, replace: bool, tell: Tell
) -> Restored:
    """Bring a backup back to where the settings say that things are.

    Args:
        settings: where the warehouse, the published files and the registry go.
        folder: as for `check`.
        keys_file: where the hashed keys of the server go.
        replace: whether what is there gives way; it is moved aside, not deleted.
        tell: gets lines of text.

    Raises:
        BackupError: the backup is damaged, something is in its place, or it cannot be written.
        LockTimeout: a run is on.
    """
    tell("Reading the backup, every file of it")
    backup, holds = check(folder)
    targets = {
        "registry": settings.registry_dir,
        "keys": keys_file.parent,
    }
    if not replace:
        _insist_on_room(settings, backup, holds, targets, keys_file)
    try:
        with (
            locks.held(settings, "run", wait_seconds=0),
            locks.warehouse(settings, wait_seconds=0),
        ):
            return _restore(settings, backup, holds, targets, keys_file, tell)
    except (OSError, duckdb.Error) as error:
        if isinstance(error, locks.LockTimeout):
            raise
        raise BackupError(_explained(settings, error)) from error


def _explained(settings: Settings, error: OSError | duckdb.Error) -> str:
    remedy = remedies.of(settings, str(error)) if remedies.is_full(str(error)) else None
    return f"The backup could not be restored, and is as it was: {error}" + (
        f"\n{remedy}" if remedy else ""
    )


def _insist_on_room(
    settings: Settings, backup: Path, holds: Catalogue, targets: dict[str, Path], keys_file: Path
) -> None:
    """Overwrite nothing.

    Raises:
        BackupError: something is there; names it.
    """
    there = [path.name for path in _there(settings)]
    if there:
        raise BackupError(
            f"WAREHOUSE_DIR={settings.warehouse_dir} is not empty ({', '.join(sorted(there)[:5])}):"
            " give another, or --replace, which moves aside what is there"
        )
    for name, target in _people_s(backup, holds, targets, keys_file):
        if target.exists() and files.sha256(target) != files.sha256(backup / name):
            raise BackupError(
                f"{target} is not as in the backup: --replace puts the backup's in its place and"
                " moves this one aside"
            )


def _there(settings: Settings) -> list[Path]:
    found = settings.warehouse_dir.iterdir() if settings.warehouse_dir.is_dir() else ()
    return [
        path
        for path in found
        if path.name not in _STAYS and not path.name.startswith((_ASIDE, files.DRAFT_PREFIX))
    ]


def _people_s(
    backup: Path, holds: Catalogue, targets: dict[str, Path], keys_file: Path
) -> Iterator[tuple[str, Path]]:
    """What people wrote, by its name in the backup, and where each goes."""
    for file in holds.files:
        room, _, name = file.path.partition("/")
        if room == "keys":
            yield file.path, keys_file
        elif room in targets:
            yield file.path, targets[room] / name


def _restore(
    settings: Settings,
    backup: Path,
    holds: Catalogue,
    targets: dict[str, Path],
    keys_file: Path,
    tell: Tell,
) -> Restored:
    home = settings.warehouse_dir
    for left in home.glob(f"{files.DRAFT_PREFIX}*"):
        files.remove(left)
    draft = files.draft_beside(home / "new")
    draft.mkdir()
    aside = home / f"{_ASIDE}{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}"
    moved = []
    try:
        warehouse = draft / settings.warehouse_file.name
        with engine.connect(settings, warehouse) as connection:
            raw_tables.read(connection, backup, holds.tables, tell)
        files.sync(warehouse)
        published = draft / settings.published_dir.name
        tell("published files")
        _bring_published(backup, holds, published)
        # From here on nothing is made any more: what is ready comes to its place.
        for old in _there(settings):
            files.move(old, aside / old.name)
        if aside.exists():
            moved.append(aside)
        for name, target in list(_people_s(backup, holds, targets, keys_file)):
            mode = next(file.mode for file in holds.files if file.path == name)
            content = (backup / name).read_bytes()
            if target.exists() and target.read_bytes() != content:
                kept = target.with_name(f"{aside.name}-{target.name}")
                files.move(target, kept)
                moved.append(kept)
            files.ensure(target, content, mode=mode)
        files.move(warehouse, settings.warehouse_file)
        if published.exists():
            files.move(published, settings.published_dir)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Restored(backup, holds, tuple(moved))


def _bring_published(backup: Path, holds: Catalogue, published: Path) -> None:
    """Write the published files as they were: what versions share is one file again."""
    there: dict[str, Path] = {}
    for file in holds.files:
        room, _, name = file.path.partition("/")
        if room != "published":
            continue
        target = published / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.sha256 in there:
            files.replace_with_link(there[file.sha256], target)
            continue
        shutil.copyfile(backup / file.path, target)
        target.chmod(file.mode)
        files.sync(target)
        there[file.sha256] = target
    version = published / "versions" / holds.data_version
    if holds.data_version and version.exists():
        files.replace_with_link(
            version / versions.DATABASE_NAME, published / versions.DATABASE_NAME
        )
        if (version / "parquet").is_dir():
            files.replace_with_symlink(
                f"versions/{holds.data_version}/parquet", published / "parquet"
            )
    for inner in [*published.rglob("*"), published]:
        if inner.is_dir() and not inner.is_symlink():
            files.sync(inner)
