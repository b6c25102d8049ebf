"""What `make run` says at the end: both reports side by side, and where things are.

Belongs here: laying it out as plain text of at most 80 columns (paths and commands may be longer:
they are to be copied). Does not belong here: computing any measure; every figure is read from the
published file as the reports give it.
"""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.headline import reports
from orchestration.wording import WIDTH, counted, number, shown
from throughline import engine
from throughline.building import concerns
from throughline.engine import locks
from throughline.published import copies, manifest
from throughline.settings import Settings


@dataclass(frozen=True)
class Rejection:
    """What landing could not take from one log, over all loads.

    Attributes:
        log: the log's name.
        rows: rejected rows in files that were loaded otherwise.
        files: files that were rejected whole.
    """

    log: str
    rows: int
    files: int


def render(settings: Settings, rejections: Sequence[Rejection] | None = None) -> str:
    """The text to show when a run has ended well.

    Args:
        settings: where the published file is.
        rejections: what landing rejected; read from the warehouse's ledger when not given.

    Returns:
        Lines of plain text, no colours, ready to print.

    Raises:
        duckdb.Error: the published file is there and is not what a run publishes.
        manifest.PublishError: its manifest cannot be read.
    """
    publication = manifest.current(settings)
    if publication is None:
        return "Nothing is published yet: `make run` publishes.\n"
    database = settings.published_dir / publication.database
    with engine.connect(settings, database, read_only=True) as connection:
        blocks = [
            *reports.reports(connection),
            reports.all_time(connection),
            reports.example(connection),
        ]
    found = read_rejections(settings) if rejections is None else rejections
    blocks += [
        _rejected(found),
        _warnings(concerns.read(settings)),
        _places(settings, publication),
        _next(settings),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def read_rejections(settings: Settings) -> list[Rejection] | None:
    """What landing rejected, per log; None when the warehouse is in use or not there.

    Opens the warehouse read-only for a moment, under its lock: do not hold that lock already.
    """
    if not settings.warehouse_file.exists():
        return None
    try:
        with (
            locks.warehouse(settings, wait_seconds=5),
            engine.connect(settings, settings.warehouse_file, read_only=True) as connection,
        ):
            return rejections_in(connection)
    except (locks.LockTimeout, duckdb.IOException, duckdb.CatalogException):
        return None


def rejections_in(connection: duckdb.DuckDBPyConnection) -> list[Rejection]:
    """What landing rejected, per log, by the ledger of an open warehouse."""
    rows = connection.execute(_REJECTIONS).fetchall()
    return [Rejection(log, rows, files) for log, rows, files in rows]


_REJECTIONS = """
    select
        log,
        cast(coalesce(sum(rows_rejected) filter (where status = 'loaded'), 0) as bigint) as rows,
        cast(count(*) filter (where status = 'rejected') as bigint) as files
    from raw.loads
    group by log
    having rows > 0 or files > 0
    order by log
"""


def _rejected(rejections: Sequence[Rejection] | None) -> list[str]:
    if rejections is None:
        return []
    if not rejections:
        return ["Rejected: nothing."]
    lines = ["Rejected, and kept with the reason and the remedy:"]
    for one in rejections:
        counts = [
            counted(one.rows, "row") if one.rows else "",
            counted(one.files, "whole file") if one.files else "",
        ]
        lines.append(f"  {one.log:<14}  {', '.join(filter(None, counts))}")
    lines += [
        "  Where: the checks of the raw assets in `make ui`, or, while no run is on, the",
        "  tables raw.rejected_rows and raw.loads of the warehouse file.",
    ]
    return lines


def _warnings(found: Sequence[concerns.Concern]) -> list[str]:
    if not found:
        return ["Warnings: no check raised one."]
    verb = "warns" if len(found) == 1 else "warn"
    lines = [f"Warnings: {counted(len(found), 'check')} {verb}, and stopped nothing:"]
    for one in found:
        lines += [
            f"  {one.asset}  {one.check}" + ("" if one.count is None else f": {one.count:,}"),
            *textwrap.wrap(one.message, WIDTH, initial_indent="    ", subsequent_indent="    "),
        ]
    return [*lines, "  Rows of each: its check in `make ui`."]


def _places(settings: Settings, publication: manifest.Publication) -> list[str]:
    rows = sum(model.row_count for model in publication.models)
    copied = [
        f"  {shown(settings.published_dir / name / copies.LATEST)}{os.sep}  {what}"
        for name, what in (
            (copies.REPORTS, "the two reports as HTML"),
            (copies.EXPORTS, "the log as CSV and Parquet"),
        )
        if (settings.published_dir / name / copies.LATEST).exists()
    ]
    return [
        f"Published: version {publication.data_version}, {len(publication.models)} tables,"
        f" {number(rows)} rows, {publication.published_at:%d %B %Y %H:%M} UTC",
        f"  {shown(settings.published_file)}",
        f"  {shown(settings.published_dir / 'parquet')}{os.sep}<schema>{os.sep}<table>",
        f"  {shown(settings.published_dir / 'manifest.json')}",
        *copied,
    ]


def _next(settings: Settings) -> list[str]:
    code = (
        f"import duckdb; duckdb.connect({str(shown(settings.published_file))!r}, read_only=True)"
        ".sql('from marts.conversations limit 5').show()"
    )
    # Double quotes read better; they are safe unless the path holds what a shell would expand.
    quoted = shlex.quote(code) if set(code) & set('"$`\\!') else f'"{code}"'
    return [
        "Next:",
        f"  {shown(Path(sys.executable))} -c {quoted}",
        "  make serve   the pages and the REST resource, at http://127.0.0.1:8000",
        "  make ui      Dagster in the browser: assets, checks, schedule",
        "  make test    all tests",
    ]
