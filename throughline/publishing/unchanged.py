"""What a refresh left as the current version shows it: those files are linked, not written.

Belongs here: reading what a refresh says of itself, and which files of the current version may be
used again. Does not belong here: what a refresh touches, and saying so.

A refresh keeps a schema of its own in the file of the public models, which is never published:

    refresh.base(data_version)         the version whose rows the file held before
    refresh.touched_days(model, day)   the days of large models in which rows came or went since

Where there is none, dbt built everything, and everything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from throughline import engine
from throughline.engine.files import link_or_copy, sha256
from throughline.engine.sql import named
from throughline.published.manifest import (
    Publication,
    PublishedColumn,
    PublishedFile,
    PublishedModel,
)
from throughline.publishing.declaring import PublicModel
from throughline.publishing.verification import Record
from throughline.settings import Settings

SCHEMA = "refresh"
BASE, DAYS = "base", "touched_days"


@dataclass(frozen=True)
class Kept:
    """What becomes of a model that lies by day.

    Attributes:
        files: those of the current version that hold the same rows, with their paths in a version.
        days: the days to write.
    """

    files: tuple[PublishedFile, ...]
    days: frozenset[date | None]


class Unchanged:
    """The files of the current version, as far as they can be files of the next."""

    def __init__(
        self,
        settings: Settings,
        last: Publication | None,
        connection: duckdb.DuckDBPyConnection,
        database: str,
    ) -> None:
        """See `of` and `share`.

        Args:
            settings: where the versions are.
            last: the current one.
            connection: where the file of the public models is attached.
            database: under which name.
        """
        self._published = settings.published_dir
        self._last = last
        self._record = Record.read(settings, last)
        self.was_refreshed = all(
            engine.has_table(connection, database, SCHEMA, table) for table in (BASE, DAYS)
        )
        self._touched = _touched(connection, database, last) if self.was_refreshed else None
        self._former = {model.parquet: model for model in last.models} if last else {}
        self._compared: set[str] = set()
        # When the content of all that was shared was last compared with its checksum.
        self.compared_at = datetime.now(UTC)

    def of(self, model: PublicModel, columns: Sequence[PublishedColumn]) -> Kept | None:
        """What of a model that lies by day need not be written; None when all of it has to be."""
        if self._last is None or self._touched is None or model.by_day_of is None:
            return None
        former = self._former.get(self._place(f"parquet/{model.schema}/{model.name}"))
        if former is None or _types(former.columns) != _types(columns):
            return None
        days = {day for name, day in self._touched if name == f"{model.schema}.{model.name}"}
        files = []
        for file in former.files:
            if file.day in days or not file.row_count:
                continue
            if self._is_right(file):
                files.append(replace(file, path=file.path[len(self._place("")) :]))
            else:
                days.add(file.day)
        return Kept(tuple(files), frozenset(days))

    def share(self, models: Sequence[PublishedModel], work: Path) -> set[Path]:
        """Let files under construction be the current version's, where the content is the same.

        Gives the files that were there already and are on the disk, safe and read-only.
        """
        former = {file.path: file for model in self._former.values() for file in model.files}
        shared = set()
        for file in (file for model in models for file in model.files):
            place = self._place(file.path)
            if place not in former or former[place].sha256 != file.sha256:
                continue
            is_right = place in self._compared or self._is_on_record(place)
            if is_right and link_or_copy(self._published / place, work / file.path):
                shared.add(work / file.path)
        return shared

    def _place(self, path: str) -> str:
        """Where something of a version is in the current one, relative to `published/`."""
        return f"{self._last.version_path}/{path}" if self._last else path

    def _is_right(self, file: PublishedFile) -> bool:
        """Whether a file of the current version is what its manifest says."""
        if not self._is_on_record(file.path):
            try:
                if sha256(self._published / file.path) != file.sha256:
                    return False
            except OSError:
                return False
        self._compared.add(file.path)
        return True

    def _is_on_record(self, path: str) -> bool:
        if self._record is None or not self._record.holds(path):
            return False
        self.compared_at = min(self.compared_at, self._record.compared_at)
        return True


def _types(columns: Sequence[PublishedColumn]) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in columns]


def _touched(
    connection: duckdb.DuckDBPyConnection, database: str, last: Publication | None
) -> list[tuple[str, date | None]] | None:
    """(model, day) of what changed since the current version; None when that is not known."""
    base = connection.execute(
        named("select data_version from {base}", base=(database, SCHEMA, BASE))
    ).fetchall()
    if last is None or base != [(last.data_version,)]:
        return None
    days = named("select model, day from {days}", days=(database, SCHEMA, DAYS))
    return [(model, day) for model, day in connection.execute(days).fetchall()]
