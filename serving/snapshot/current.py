"""Which version is served, and a newly published one in its place.

Belongs here: finding the current version, opening it, keeping the one before when that fails.
Does not belong here: what a version is and how it is asked (`version`).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass

import duckdb

from serving.snapshot.version import Snapshot
from throughline.settings import ServingSettings

MANIFEST_NAME = "manifest.json"
# After a version could not be opened, so long until the next try.
RETRY_SECONDS = 5.0

log = logging.getLogger("throughline.serving")


class NothingPublishedError(RuntimeError):
    """There is no published version yet, or it cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Health:
    """What is served, and what is not.

    Attributes:
        snapshot: the version that is served; None when there is none.
        problem: why the newest publication is not served; empty when it is.
    """

    snapshot: Snapshot | None
    problem: str


class Snapshots:
    """The current version, whichever it is at the moment."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._snapshot: Snapshot | None = None
        self._problem = ""
        self._tried: tuple[tuple[int, int] | None, float] = (None, 0.0)

    def current(self) -> Snapshot:
        """The current version; a newly published one is opened.

        Raises:
            NothingPublishedError: there is none, and none was open before.
        """
        with self._lock:
            unchanged = self.unchanged()
            if unchanged is not None:
                return unchanged
            seen = self._look()
            if seen is None:
                return self._held("nothing is published yet: run `make run`")
            tried, at = self._tried
            if self._snapshot and tried == seen and time.monotonic() - at < RETRY_SECONDS:
                # Whoever asks meanwhile does not wait for another try.
                return self._snapshot
            manifest_file = self._settings.published_dir / MANIFEST_NAME
            version = "the newest version"
            try:
                manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
                version = f"version {manifest['data_version']}"
                if self._snapshot is None or self._snapshot.version != manifest["data_version"]:
                    self._snapshot = Snapshot(self._settings, manifest)
            except (OSError, ValueError, KeyError, TypeError, duckdb.Error) as error:
                self._tried = seen, time.monotonic()
                return self._held(f"{version} cannot be opened: {self._told(error)}")
            self._seen = seen
            if self._problem:
                log.info("version %s is served again", self._snapshot.version)
            self._problem = ""
            return self._snapshot

    def unchanged(self) -> Snapshot | None:
        """The version that is open, when no other was published since: a matter of microseconds."""
        return self._snapshot if self._seen and self._seen == self._look() else None

    def health(self) -> Health:
        """What is served now, and why the newest publication is not."""
        try:
            snapshot = self.current()
        except NothingPublishedError as error:
            return Health(None, str(error))
        return Health(snapshot, self._problem)

    def _look(self) -> tuple[int, int] | None:
        """What changes when the manifest is replaced; None when there is none."""
        try:
            status = (self._settings.published_dir / MANIFEST_NAME).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _told(self, error: Exception) -> str:
        """An error for everybody: where the folder lies is nobody's business."""
        lines = str(error).splitlines() or [type(error).__name__]
        if isinstance(error, KeyError):
            lines = [f"{MANIFEST_NAME} lacks {error}"]
        return lines[0].replace(str(self._settings.published_dir), "published")

    def _held(self, problem: str) -> Snapshot:
        """The version before, when there is one; the log is told a problem once."""
        if problem != self._problem:
            self._problem = problem
            older = f": version {self._snapshot.version} stays" if self._snapshot else ""
            log.error("%s%s", problem, older)
        if self._snapshot is None:
            raise NothingPublishedError(problem)
        return self._snapshot
