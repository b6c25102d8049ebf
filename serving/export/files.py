"""Writes an export into a file, for jobs outside the server.

Belongs here: the worker process of a file. Does not belong here: when files are written, where.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from serving.export.jobs import Job
from serving.export.stream import COMMAND, worker_environment
from serving.queries.table import Table
from throughline.engine.files import replacing
from throughline.settings import REPOSITORY


class ExportFailedError(RuntimeError):
    """A file could not be written; the message names it and the kind of error."""


def write_file(
    database: Path,
    tables: Sequence[Table],
    format_name: str,
    target: Path,
    *,
    seconds: float | None = None,
) -> None:
    """Write an export into a file, which appears when it is whole and not before.

    Args:
        database: the DuckDB file of a published version.
        tables: one gives a file, several a zip with a file each.
        format_name: `csv`, `xlsx`, `jsonl` or `parquet`.
        target: the file; one that is there is replaced. Its folder exists.
        seconds: how long it may take; without a limit when not given.

    Raises:
        ExportFailedError: it could not be written; `target` is as it was.
    """
    job = Job(database=database, format=format_name, tables=tables, spill_dir=target.parent)
    try:
        with (
            replacing(target) as part,
            tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as spill,
            part.open("wb") as out,
        ):
            done = subprocess.run(
                COMMAND,
                input=replace(job, spill_dir=Path(spill)).to_json().encode("utf-8"),
                stdout=out,
                stderr=subprocess.PIPE,
                cwd=REPOSITORY,
                env=worker_environment(),
                timeout=seconds,
                check=False,
            )
            if done.returncode:
                kind = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
                raise ExportFailedError(f"{target}: {kind}")
    except subprocess.TimeoutExpired:
        raise ExportFailedError(f"{target}: it took longer than {seconds} s") from None
