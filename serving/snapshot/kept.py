"""The published versions that are kept: for walks that stay in one, and for figures as published.

Belongs here: finding one by its name or a day, opening it, and how many are open at a time. Does
not belong here: the current version (`current`), which versions are kept (the pipeline).
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb

from serving.snapshot.current import MANIFEST_NAME
from serving.snapshot.version import Snapshot
from throughline.settings import ServingSettings

# Beside the current one. Each has two engines and their memory, so a third walk closes the oldest.
MOST_OPEN = 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class NotKeptError(Exception):
    """A version that is not kept, or not any more; the message says which are.

    Attributes:
        version: as it was asked for.
    """

    def __init__(self, version: str, message: str) -> None:
        super().__init__(message)
        self.version = version


@dataclass(frozen=True)
class Kept:
    """A version that is kept: its name, and when it was published, in UTC."""

    name: str
    published_at: datetime


class Versions:
    """The versions that are kept, and those of them that are open."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._folder = settings.published_dir / "versions"
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Snapshot] = OrderedDict()
        self._known: dict[str, Kept] = {}

    def kept(self) -> list[Kept]:
        """The versions on the disk, the newest first."""
        found: dict[str, Kept] = {}
        for manifest in self._folder.glob(f"*/{MANIFEST_NAME}"):
            name = manifest.parent.name
            try:
                # What a manifest says of its version does not change.
                found[name] = self._known.get(name) or _kept(name, manifest.read_bytes())
            except (OSError, ValueError, KeyError, TypeError):
                continue
        self._known = found
        return sorted(found.values(), key=lambda each: each.published_at, reverse=True)

    def name(self, asked: str) -> str:
        """The name of a version that is asked for by it, or by a day: the last one of it in UTC.

        Raises:
            NotKeptError: none that is kept had been published by the end of the day.
        """
        if not _DAY.fullmatch(asked):
            return asked
        try:
            day = date.fromisoformat(asked)
        except ValueError:
            raise self._gone(asked) from None
        for each in self.kept():
            if each.published_at.date() <= day:
                return each.name
        raise self._gone(asked)

    def find(self, version: str) -> Snapshot:
        """A version by its name; whoever has it may go on with it after it is closed here.

        Raises:
            NotKeptError: it is not kept, or not any more.
        """
        with self._lock:
            manifest = self._folder / version / MANIFEST_NAME
            if not _NAME.fullmatch(version) or not manifest.is_file():
                # Else the deleted file would keep its space on disk.
                self._open.pop(version, None)
                raise self._gone(version)
            if version not in self._open:
                try:
                    content = json.loads(manifest.read_text(encoding="utf-8"))
                    self._open[version] = Snapshot(self._settings, content)
                except (OSError, ValueError, KeyError, TypeError, duckdb.Error):
                    raise self._gone(version) from None
            self._open.move_to_end(version)
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return self._open[version]

    def _gone(self, version: str) -> NotKeptError:
        kept = sorted(path.parent.name for path in self._folder.glob(f"*/{MANIFEST_NAME}"))
        return NotKeptError(
            version[:40],
            f"Version '{version[:40]}' is not kept. Kept are: {', '.join(kept)}. Begin again"
            " without 'version', or with one of these.",
        )


def _kept(name: str, manifest: bytes) -> Kept:
    published_at = datetime.fromisoformat(json.loads(manifest)["published_at"])
    return Kept(name, published_at.astimezone(UTC))
