"""A landing directory and a warehouse for one test.

Belongs here: writing files, one landing run, reading the raw tables. Does not belong here: any
expectation.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import zstandard

from throughline import landing
from throughline.settings import Settings, load_settings

Row = dict[str, Any]

# Long ago: such a file is not taken for one that is still being written.
AT_REST = 1_700_000_000


class LandingZone:
    """A landing directory and a warehouse below `home`."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.settings: Settings = load_settings(
            {
                "LANDING_DIR": str(home / "landing"),
                "WAREHOUSE_DIR": str(home / "warehouse"),
                "DUCKDB_THREADS": "1",
                "MEMORY_LIMIT": "1GB",
                **variables,
            }
        )
        self.settings.landing_dir.mkdir(parents=True)

    def write(self, path: str, content: bytes | str) -> Path:
        """Put a file there, with a modification time long ago."""
        target = self.settings.landing_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(target, (AT_REST, AT_REST))
        return target

    @contextmanager
    def connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open, prepared warehouse."""
        connection = landing.connect(self.settings)
        try:
            landing.prepare(connection)
            yield connection
        finally:
            connection.close()

    def land(self, *logs: str) -> dict[str, landing.LogSummary]:
        """Load the given logs, or all, and record what is not recognised."""
        with self.connected() as connection:
            landing.reject_unrecognised(connection, self.settings, "test")
            return {
                log: landing.land_log(connection, self.settings, log, run_id="test")
                for log in logs or landing.LOGS
            }

    def rows(self, query: str, *values: Any) -> list[Row]:
        """The rows of a query over the warehouse."""
        with self.connected() as connection:
            return fetch(connection, query, *values)

    def loads(self) -> list[Row]:
        """The ledger."""
        return self.rows("select * from raw.loads order by load_no")

    def rejected(self) -> list[Row]:
        """The rejected rows."""
        return self.rows("select * from raw.rejected_rows order by load_no, row_no")


def fetch(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:
    """The rows of a query, by column name."""
    result = connection.execute(query, list(values))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def csv_text(*records: Sequence[str], delimiter: str = ",") -> str:
    """Plain CSV without any quoting."""
    return "".join(delimiter.join(record) + "\n" for record in records)


def compressed(content: bytes, compression: str) -> bytes:
    """The content as `gz`, `zst` or as it is."""
    if compression == "gz":
        return gzip.compress(content, mtime=0)
    if compression == "zst":
        return zstandard.ZstdCompressor().compress(content)
    return content
