"""A client that queries the published file all the time, as a program of its own.

Belongs here: reading as any program outside would, and counting what was wrong. Does not belong
here: anything of the product: it knows the manifest and the file, and no module.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

PAUSE_SECONDS = 0.5
_SHOWN = 10


class Reader:
    """Reads a folder of published files until it is told to stop.

    Attributes:
        versions: the versions that were seen, in order.
        answers: how often a whole version was looked at.
        errors: what was raised, the first few.
        mixed: versions whose rows were not those of their manifest, the first few.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.versions: list[str] = []
        self.answers = 0
        self.error_count = self.mixed_count = 0
        self.errors: list[str] = []
        self.mixed: list[str] = []
        self._is_on = True
        self._held: tuple[duckdb.DuckDBPyConnection, dict[str, Any]] | None = None

    def stop(self, *_: object) -> None:
        """End after the answer that is being waited for."""
        self._is_on = False

    def read(self) -> None:
        """Look until it is told to stop."""
        while self._is_on:
            self.look()
            time.sleep(PAUSE_SECONDS)

    def look(self) -> None:
        """Ask of the current version, by a connection of its own.

        The connection of the last version is asked once more when there is a new one: who has a
        version open keeps it.
        """
        try:
            manifest = json.loads((self._folder / "manifest.json").read_bytes())
            file = self._folder / manifest["database"]["path"]
            connection = duckdb.connect(str(file), read_only=True)
            self._compare(connection, manifest)
            if self._held is not None:
                if manifest["data_version"] != self._held[1]["data_version"]:
                    self._compare(*self._held)
                self._held[0].close()
            self._held = connection, manifest
        except Exception as error:
            self.error_count += 1
            self.errors = [*self.errors, f"{type(error).__name__}: {error}"][:_SHOWN]

    def _compare(self, connection: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> None:
        """Compare the rows of a version with its manifest, and its tables with one another."""
        version = manifest["data_version"]
        if not self.versions or version not in self.versions[-2:]:
            self.versions.append(version)
        wrong = [
            f"{model['schema']}.{model['name']}"
            for model in manifest["models"]
            if connection.table(f"{model['schema']}.{model['name']}").shape[0] != model["row_count"]
        ]
        orphans = connection.execute(
            "select count(*) from marts.contacts anti join marts.conversations"
            " using (conversation_id)"
        ).fetchone()
        if orphans != (0,):
            wrong.append("contacts without their conversation")
        self.answers += 1
        if wrong:
            self.mixed_count += 1
            self.mixed = [*self.mixed, f"{version}: {', '.join(wrong)}"][:_SHOWN]


def main(folder: Path, told: Path) -> None:
    """Read until SIGTERM, then write what was seen as JSON."""
    reader = Reader(folder)
    signal.signal(signal.SIGTERM, reader.stop)
    reader.read()
    seen = {
        "versions": len(reader.versions),
        "answers": reader.answers,
        "error_count": reader.error_count,
        "mixed_count": reader.mixed_count,
        "errors": reader.errors,
        "mixed": reader.mixed,
    }
    told.write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
