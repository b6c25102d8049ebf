"""What a backup holds, written down in it: its tables, its files, their checksums.

Belongs here: reading, writing and finding catalogues, and comparing a backup with its own. Does not
belong here: making a backup (backup) or bringing one back (restore).

The layout of the folder that `throughline backup` is given:

    <instant>/catalogue.json               what the backup holds; written last
    <instant>/raw/<table>/<part>.parquet   the raw tables
    <instant>/published/…                  the published versions and the ledger of ids
    <instant>/registry/…, keys/…           the registry, the hashed keys of the server

A file that two backups have in common is one file with two names, where the disk can do that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from throughline.engine import files

NAME = "catalogue.json"
FORM = 1
_TOLD = 5


class BackupError(RuntimeError):
    """A backup could not be made, or not be used; says what to do."""


@dataclass(frozen=True)
class Part:
    """A Parquet file of a raw table.

    Attributes:
        path: relative to the backup.
        newest: the largest key in it, of a table that only grows; 0 for any other.
        rows: its rows.
        is_final: whether its rows are never changed any more, so that a later backup can share it.
    """

    path: str
    newest: int
    rows: int
    is_final: bool


@dataclass(frozen=True)
class Table:
    """A raw table.

    Attributes:
        name: in the schema `raw`.
        ddl: the statement that makes it.
        parts: its rows, in order.
    """

    name: str
    ddl: str
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """All its rows."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True)
class File:
    """A file: its path relative to the backup, bytes, SHA-256 in hexadecimal, rights."""

    path: str
    bytes: int
    sha256: str
    mode: int


@dataclass(frozen=True)
class Catalogue:
    """What a backup holds.

    Attributes:
        made_at: when, ISO 8601 in UTC.
        warehouse: the WAREHOUSE_DIR that it is of.
        data_version: the published version in it; empty when nothing was published.
        last_load_no: the newest load.
        history: a checksum of all loads: another warehouse, or another past, has another.
        tables: the raw tables.
        files: every file but the catalogue itself.
    """

    made_at: str
    warehouse: str
    data_version: str
    last_load_no: int
    history: str
    tables: tuple[Table, ...]
    files: tuple[File, ...]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)


def write(folder: Path, catalogue: Catalogue) -> None:
    """Put a catalogue into the folder of its backup."""
    content = {"form": FORM, **asdict(catalogue)}
    text = json.dumps({"sha256": _digest(content), **content}, ensure_ascii=False, indent=1)
    files.write(folder / NAME, text)


def read(folder: Path) -> Catalogue:
    """The catalogue of a backup.

    Raises:
        BackupError: it is missing or damaged, or of a later version of this program.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        told, form = content.pop("sha256"), content.pop("form")
        if form != FORM:
            raise BackupError(f"{path} is of another version of this program: restore it with that")
        if told != _digest({"form": form, **content}):
            raise ValueError("its checksum differs")
        return Catalogue(
            **{
                **content,
                "tables": tuple(
                    Table(one["name"], one["ddl"], tuple(Part(**part) for part in one["parts"]))
                    for one in content["tables"]
                ),
                "files": tuple(File(**file) for file in content["files"]),
            }
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"The backup is damaged: {path} ({error}). Use another one.") from error


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def backups(folder: Path) -> list[Path]:
    """The whole backups in a folder, newest first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(
        (
            path
            for path in found
            if not path.name.startswith(files.DRAFT_PREFIX) and (path / NAME).exists()
        ),
        reverse=True,
    )


def find(folder: Path) -> Path:
    """The backup that a folder is, or the newest of those in it.

    Raises:
        BackupError: there is none.
    """
    if (folder / NAME).exists():
        return folder
    for backup in backups(folder):
        return backup
    raise BackupError(f"{folder} holds no backup: give the folder that `throughline backup` got")


def looks_whole(folder: Path, catalogue: Catalogue) -> bool:
    """Whether every file of a backup is there with its size; none is read."""
    try:
        return all((folder / file.path).stat().st_size == file.bytes for file in catalogue.files)
    except OSError:
        return False


def verify(folder: Path, catalogue: Catalogue) -> None:
    """Read every file of a backup.

    Raises:
        BackupError: a file is missing or not as it was written; names it.
    """
    damaged = list(_damaged(folder, catalogue))
    if damaged:
        more = f"\n  and {len(damaged) - _TOLD} more" if damaged[_TOLD:] else ""
        told = "\n  ".join(damaged[:_TOLD])
        raise BackupError(f"The backup is damaged; use another one:\n  {told}{more}")


def _damaged(folder: Path, catalogue: Catalogue) -> Iterator[str]:
    listed = {file.path for file in catalogue.files}
    for part in (part for table in catalogue.tables for part in table.parts):
        if part.path not in listed:
            yield f"{folder / part.path}: it is not in the catalogue"
    for file in catalogue.files:
        path = folder / file.path
        if ".." in PurePosixPath(file.path).parts or PurePosixPath(file.path).is_absolute():
            yield f"{file.path}: it lies outside of the backup"
            continue
        try:
            if path.stat().st_size != file.bytes:
                yield f"{path}: {path.stat().st_size} bytes, and {file.bytes} were written"
            elif files.sha256(path) != file.sha256:
                yield f"{path}: its checksum differs"
        except OSError as error:
            yield f"{path}: {error.strerror}"
