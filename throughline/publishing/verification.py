"""Whether the published files are what the manifest says of them.

Belongs here: the comparison, in full by checksum and in a moment by what the system says of a file,
and the private record that allows the second. Does not belong here: writing a version again
(throughline.publishing.publish does, where this finds a fault).

The record is a file beside the warehouse, `verified.json`: size, times and inode of each file, as
they were when all of it was last compared, and the checksum of both ends unless it holds one day of
a model: those are thousands, and are not opened. No manifest can say these:
they differ in every copy of the folder. Where one of them differs now, or the last full comparison
is a day old, everything is read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from throughline.engine import files as disk
from throughline.published.manifest import (
    DATABASE_NAME,
    MANIFEST_NAME,
    Publication,
    PublishError,
    current,
    data_version_of,
    published_in,
)
from throughline.settings import SettingError, Settings, load_settings

FULL_CHECK_AFTER = timedelta(hours=24)
# The header of a DuckDB file, the footer of a Parquet file, and a whole manifest.
_END_BYTES = 65_536
# How many of the facts the system tells; the checksum of the ends follows them.
_FACTS = 4

Progress = Callable[[str], None]


def problems(
    settings: Settings,
    publication: Publication,
    *,
    full: bool = False,
    tell: Progress | None = None,
) -> list[str]:
    """What is wrong with the files of the current version, one line each.

    Args:
        settings: where they are.
        publication: what `published/manifest.json` says.
        full: read all files, even where nothing speaks for a change.
        tell: gets a line when all files are read.

    Returns:
        Nothing when all is well. Where all files were read, that is recorded.
    """
    try:
        found = list(_misplaced(settings, publication))
        if found:
            return found
        facts = _facts_of_all(settings, publication)
        if not full and _is_on_record(settings, publication, facts):
            return []
        if tell is not None:
            tell("comparing the published files with their checksums")
        found = list(_changed(settings, publication))
    except OSError as error:
        return [f"{error.filename or settings.published_dir} cannot be read: {error.strerror}"]
    if not found:
        _write(settings, publication, facts, datetime.now(UTC))
    return found


def look_right(settings: Settings, publication: Publication) -> bool:
    """Whether nothing that can be seen in a moment speaks against the files of the version.

    For whoever has no time to read them: a sensor, each minute.
    """
    try:
        return not any(_misplaced(settings, publication)) and _is_on_record(
            settings, publication, _facts_of_all(settings, publication), at_any_time=True
        )
    except OSError:
        return False


def record(settings: Settings, publication: Publication, compared_at: datetime) -> None:
    """Note that the files of a version are what its manifest says: it has just been written.

    Args:
        settings: where they are.
        publication: the version.
        compared_at: since when that is known of the one that was looked at longest ago: files of
            the version before are used again.
    """
    with suppress(OSError):
        _write(settings, publication, _facts_of_all(settings, publication), compared_at)


def _misplaced(settings: Settings, publication: Publication) -> Iterator[str]:
    """What can be seen without reading a file to its end."""
    published = settings.published_dir
    for name, size in publication.sizes.items():
        found = _size(published / name)
        if found is None:
            yield f"{published / name} is missing"
        elif found != size:
            yield f"{published / name} has {found:,} bytes and not {size:,}"
    for model in publication.models:
        if model.is_folder and (folder := published / model.parquet).is_dir():
            known = {published / file.path for file in model.files}
            for file in sorted(set(folder.iterdir()) - known):
                yield f"{file} is no file of version {publication.data_version}"
    link, leads_to = published / "parquet", f"{publication.version_path}/parquet"
    if not link.is_symlink() or str(link.readlink()) != leads_to:
        yield f"{link} is no link to {leads_to}"
    manifest = published / publication.version_path / MANIFEST_NAME
    if _size(manifest) is None:
        yield f"{manifest} is missing"
    elif manifest.read_bytes() != (published / MANIFEST_NAME).read_bytes():
        yield f"{manifest} differs from {published / MANIFEST_NAME}"
    if _size(published / DATABASE_NAME) != publication.database_bytes:
        yield f"{published / DATABASE_NAME} is missing, or another version's"


def _changed(settings: Settings, publication: Publication) -> Iterator[str]:
    """What reading every file brings to light."""
    published = settings.published_dir
    described = data_version_of(
        publication.models, publication.metrics, publication.manifest_version
    )
    if described != publication.data_version:
        yield f"{published / MANIFEST_NAME} does not describe version {publication.data_version}"
    for name, checksum in publication.checksums.items():
        if disk.sha256(published / name) != checksum:
            yield f"{published / name} does not match its checksum"
    shown = published / DATABASE_NAME
    # One file under two names, or a copy where the file system has no hard links.
    if not shown.samefile(published / publication.database) and (
        disk.sha256(shown) != publication.database_sha256
    ):
        yield f"{shown} does not match its checksum"


# --- the record -----------------------------------------------------------------------------------


def _record_file(settings: Settings) -> Path:
    return settings.warehouse_dir / "verified.json"


@dataclass(frozen=True)
class Record:
    """What was noted of a version when all of it was last compared.

    Attributes:
        compared_at: when that was.
        facts: what the system said of each file, by its path relative to `published/`.
        published: the folder `published/`.
    """

    compared_at: datetime
    facts: Mapping[str, list[int | str]]
    published: Path

    @classmethod
    def read(cls, settings: Settings, publication: Publication | None) -> Record | None:
        """The record of a version; None when there is none, or none that can be read."""
        try:
            content = json.loads(_record_file(settings).read_bytes())
            if publication is None or content["data_version"] != publication.data_version:
                return None
            compared_at = datetime.fromisoformat(content["verified_at"])
            return cls(compared_at.astimezone(UTC), content["files"], settings.published_dir)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def is_fresh(self) -> bool:
        """Whether that was within a day; a clock that went back says nothing."""
        return timedelta() <= datetime.now(UTC) - self.compared_at < FULL_CHECK_AFTER

    def holds(self, path: str) -> bool:
        """Whether a file is known to be what the manifest says, without reading it."""
        noted = self.facts.get(path)
        try:
            return (
                self.is_fresh
                and noted is not None
                and noted == _facts(self.published / path, ends=len(noted) > _FACTS)
            )
        except OSError:
            return False


def _is_on_record(
    settings: Settings,
    publication: Publication,
    facts: dict[str, list[int | str]],
    *,
    at_any_time: bool = False,
) -> bool:
    noted = Record.read(settings, publication)
    return noted is not None and (at_any_time or noted.is_fresh) and noted.facts == facts


def _write(
    settings: Settings,
    publication: Publication,
    facts: dict[str, list[int | str]],
    compared_at: datetime,
) -> None:
    content = {
        "data_version": publication.data_version,
        "verified_at": compared_at.isoformat(),
        "files": facts,
    }
    with suppress(OSError):
        # Without the record the next run compares everything once more.
        disk.write(_record_file(settings), json.dumps(content) + "\n")


def _facts_of_all(settings: Settings, publication: Publication) -> dict[str, list[int | str]]:
    of_a_day = {
        file.path for model in publication.models if model.is_folder for file in model.files
    }
    manifest = f"{publication.version_path}/{MANIFEST_NAME}"
    names = [*publication.checksums, DATABASE_NAME, MANIFEST_NAME, manifest]
    return {
        name: _facts(settings.published_dir / name, ends=name not in of_a_day) for name in names
    }


def _facts(path: Path, *, ends: bool) -> list[int | str]:
    """What changes with a file, as far as that can be seen without reading all of it."""
    if not ends:
        return _said_of(path.stat())
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        found = os.fstat(stream.fileno())
        digest.update(stream.read(_END_BYTES))
        stream.seek(max(0, found.st_size - _END_BYTES))
        digest.update(stream.read(_END_BYTES))
    return [*_said_of(found), digest.hexdigest()]


def _said_of(found: os.stat_result) -> list[int | str]:
    # The change time as well: whoever sets the other back cannot set this one.
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


# --- the command ----------------------------------------------------------------------------------


def verify(settings: Settings) -> list[str]:
    """Compare every published version with its checksums. Gives a line for each fault.

    Raises:
        PublishError: there is no published version, or its manifest cannot be read.
    """
    publication = current(settings)
    if publication is None:
        raise PublishError(f"Nothing is published in {settings.published_dir}: run `make run`.")
    found = problems(settings, publication, full=True)
    now = current(settings)
    if found and now is not None and now.published_at != publication.published_at:
        # A run has replaced them under our eyes.
        return verify(settings)
    read: dict[tuple[int, int], str] = {}
    for folder in sorted((settings.published_dir / "versions").glob("*")):
        if folder.name == publication.data_version:
            continue
        try:
            former = published_in(folder)
        except PublishError as error:
            found.append(str(error))
            continue
        for name, checksum in former.checksums.items() if former else ():
            file = settings.published_dir / name
            with suppress(FileNotFoundError):
                # Versions share the files of days that did not change between them.
                found_there = file.stat()
                shared = (found_there.st_dev, found_there.st_ino)
                if shared not in read:
                    read[shared] = disk.sha256(file)
                if read[shared] == checksum:
                    continue
            # A version that a run has just removed is no fault.
            if folder.exists():
                found.append(f"{file} is missing or does not match its checksum")
    return found


def main() -> int:
    """`throughline verify`: gives 0 when all is well, 1 when not, 2 when a setting is wrong."""
    try:
        settings = load_settings()
        found = verify(settings)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    except PublishError as error:
        print(error, file=sys.stderr)
        return 1
    if found:
        print(
            "\n".join(found)
            + "\n`make run` writes the current version again; a former one goes when"
            " its time has come.",
            file=sys.stderr,
        )
        return 1
    print(f"Every file in {settings.published_dir / 'versions'} matches its checksum.")
    return 0
