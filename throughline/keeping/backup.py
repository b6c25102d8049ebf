"""A backup: all that is needed to lose the machine and lose nothing.

Belongs here: what a backup holds, in which order it is made, and which old ones go. Does not belong
here: the form of its catalogue, its comparison (catalogue), the raw tables' files (raw_tables).

It holds what cannot be made again: the raw tables, every published version with the ledger of ids,
the registry, the hashed keys of the server. What a run builds from these is built again after a
restoration. Settings, `.env` and what stands in the environment, files of the landing zone and
Dagster's history are not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from throughline import engine
from throughline.engine import files, locks, remedies
from throughline.keeping import catalogue, raw_tables
from throughline.keeping.catalogue import BackupError, Catalogue, File, Table
from throughline.published import copies
from throughline.published import manifest as versions
from throughline.settings import Settings

WAIT_SECONDS = 1800
# Names in `published/` that lead to files of a version, and what is made again from one.
_MADE_AGAIN = {versions.DATABASE_NAME, "parquet", copies.REPORTS, copies.EXPORTS}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes:
        folder: where it is.
        holds: its catalogue.
        new_bytes: what it takes beside the backup before, whose other files it shares.
        removed: older backups that went, by name.
    """

    folder: Path
    holds: Catalogue
    new_bytes: int
    removed: tuple[str, ...]


def back_up(settings: Settings, folder: Path, *, keys_file: Path, tell: Tell) -> Backup:
    """Make a backup, whole or not at all. Readers go on; runs wait until it is made.

    Args:
        settings: where things are.
        folder: where backups are kept, each in a folder of its own; it is made.
        keys_file: the hashed keys of the server; it need not be there.
        tell: gets lines of text.

    Raises:
        BackupError: it cannot be made; what was begun is removed, and earlier ones stand.
        LockTimeout: a run is on, and did not end in time.
    """
    if folder.is_relative_to(settings.warehouse_dir):
        raise BackupError(f"{folder} lies in WAREHOUSE_DIR and would be lost with it: give another")
    if not settings.warehouse_file.exists():
        raise BackupError(f"There is nothing to back up: {settings.warehouse_file} is not there")

    def wait() -> None:
        tell("A run is on; waiting for it to end")

    with (
        locks.held(settings, "run", wait_seconds=WAIT_SECONDS, on_wait=wait),
        locks.warehouse(settings, wait_seconds=WAIT_SECONDS),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"{files.DRAFT_PREFIX}*"):
                files.remove(left)
            made = _Making(settings, folder, tell).make(keys_file)
        except (OSError, duckdb.Error) as error:
            raise BackupError(_explained(folder, error)) from error
    return made


def _explained(folder: Path, error: OSError | duckdb.Error) -> str:
    if remedies.is_full(str(error)):
        return (
            f"The disk of {folder} is full: make room, or give another folder; BACKUPS_KEPT says"
            " how many backups stay. Nothing of this one is left, and earlier ones stand."
            f"\n({error})"
        )
    return f"The backup could not be made, and earlier ones stand: {error}"


class _Making:
    """One backup in the making."""

    def __init__(self, settings: Settings, folder: Path, tell: Tell) -> None:
        self._settings, self._folder, self._tell = settings, folder, tell
        self._draft = files.draft_beside(folder / "new")
        self._before, self._last = self._newest()
        # Files that are there already, by checksum.
        self._there: dict[str, Path] = {}
        self._is_built_upon = False
        if self._before is not None and self._last is not None:
            self._is_built_upon = catalogue.looks_whole(self._before, self._last)
            if self._is_built_upon:
                self._there = {file.sha256: self._before / file.path for file in self._last.files}
            else:
                tell(f"{self._before} lacks files, and is not built upon")
        self._new_bytes = 0

    def _newest(self) -> tuple[Path | None, Catalogue | None]:
        """The newest backup whose catalogue can be read."""
        for backup in catalogue.backups(self._folder):
            try:
                return backup, catalogue.read(backup)
            except BackupError as error:
                self._tell(str(error))
        return None, None

    def make(self, keys_file: Path) -> Backup:
        settings, draft = self._settings, self._draft
        draft.mkdir()
        try:
            with engine.connect(settings, settings.warehouse_file, read_only=True) as connection:
                last_load_no = raw_tables.newest_load(connection)
                history = raw_tables.history(connection, last_load_no)
                known = self._known(connection)
                tables = raw_tables.write(connection, draft, known, self._tell)
            held = list(self._parts(tables))
            publication = versions.current_or_none(settings)
            held += self._published(publication)
            for room, path in _beside(settings, keys_file):
                held.append(self._taken(path, f"{room}/{path.name}"))
            now = datetime.now(UTC)
            holds = Catalogue(
                made_at=now.isoformat(timespec="seconds"),
                warehouse=str(settings.warehouse_dir),
                data_version=publication.data_version if publication else "",
                last_load_no=last_load_no,
                history=history,
                tables=tuple(tables),
                files=tuple(held),
            )
            catalogue.write(draft, holds)
            for inner in sorted((path for path in draft.rglob("*") if path.is_dir()), reverse=True):
                files.sync(inner)
            target = self._folder / f"{now:%Y-%m-%dT%H%M%S.%fZ}"
            files.move(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return Backup(target, holds, self._new_bytes, tuple(self._removed()))

    def _known(self, connection: duckdb.DuckDBPyConnection) -> raw_tables.Known:
        """The tables of the backup before, when it is of this warehouse.

        Raises:
            BackupError: it is of another one, or of another past of this one.
        """
        if self._last is None:
            return {}
        if raw_tables.history(connection, self._last.last_load_no) != self._last.history:
            raise BackupError(
                f"{self._before} is a backup of another warehouse ({self._last.warehouse}), or of"
                " another past of this one: restore it first, or give another folder. Backups of"
                " two warehouses in one folder would push each other out."
            )
        return {table.name: table for table in self._last.tables} if self._is_built_upon else {}

    def _parts(self, tables: list[Table]) -> Iterator[File]:
        """The files of the raw tables, those of the backup before under their old names."""
        held = {file.path: file for file in self._last.files} if self._last else {}
        for part in (part for table in tables for part in table.parts):
            path = self._draft / part.path
            if path.exists():
                path.chmod(0o444)
                yield self._listed(path, part.path)
            else:
                yield self._shared(held[part.path])

    def _published(self, current: versions.Publication | None) -> Iterator[File]:
        """The files of the published versions, compared with their own checksums.

        Raises:
            BackupError: a file of the current version is damaged.
        """
        published = self._settings.published_dir
        found = sorted(_inside(published))
        checksums: dict[str, str] = {}
        for folder in {path.parent for path in found if path.name == versions.MANIFEST_NAME}:
            with suppress(versions.PublishError):
                told = versions.published_in(folder)
                checksums.update(told.checksums if told else {})
        now = current.checksums if current else {}
        names = {path.relative_to(published).as_posix(): path for path in found}
        if missing := sorted(now.keys() - names.keys()):
            raise _damaged(published / missing[0], "is missing")
        for name, path in names.items():
            held = self._taken(path, f"published/{name}", checksums.get(name))
            if held.sha256 == checksums.get(name, held.sha256):
                yield held
                continue
            if name in now:
                raise _damaged(path, "is not as it was written")
            # An old version is not worth a backup.
            (self._draft / held.path).unlink()
            del self._there[held.sha256]
            self._tell(f"{path} is not as it was written, and is left out")

    def _taken(self, path: Path, name: str, sha256: str | None = None) -> File:
        """Take a file into the backup; what is there already under any name gets one more."""
        sha256 = sha256 or files.sha256(path)
        held = File(name, path.stat().st_size, sha256, path.stat().st_mode & 0o777)
        if sha256 in self._there and self._there[sha256].stat().st_size == held.bytes:
            return self._shared(held)
        target = self._draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(held.mode)
        return self._listed(target, name)

    def _shared(self, held: File) -> File:
        target = self._draft / held.path
        target.parent.mkdir(parents=True, exist_ok=True)
        files.replace_with_link(self._there[held.sha256], target)
        return held

    def _listed(self, target: Path, name: str) -> File:
        """A file that was written, as it is on the disk."""
        files.sync(target)
        facts = target.stat()
        held = File(name, facts.st_size, files.sha256(target), facts.st_mode & 0o777)
        self._there.setdefault(held.sha256, target)
        self._new_bytes += held.bytes
        return held

    def _removed(self) -> Iterator[str]:
        for old in catalogue.backups(self._folder)[self._settings.backups_kept :]:
            try:
                files.discard(old, aside=files.draft_beside(old))
            except OSError as error:
                self._tell(f"{old} could not be removed ({error.strerror})")
            else:
                yield old.name


def _inside(published: Path) -> Iterator[Path]:
    """The files of `published/` that a backup holds."""
    for top in published.iterdir() if published.is_dir() else ():
        if top.name in _MADE_AGAIN or top.name.startswith(".") or top.is_symlink():
            continue
        for path in (top, *top.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(published).parts)
            if path.is_file() and not path.is_symlink() and not hidden:
                yield path


def _beside(settings: Settings, keys_file: Path) -> Iterator[tuple[str, Path]]:
    """What people wrote: the registry, the keys."""
    for path in sorted(settings.registry_dir.glob("*.csv")):
        yield "registry", path
    if keys_file.exists():
        yield "keys", keys_file


def _damaged(path: Path, what: str) -> BackupError:
    return BackupError(f"{path} {what}: `throughline run` writes it again; back up after that")
