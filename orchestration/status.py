"""`throughline status`: how things stand and what to do, on one screen and as JSON.

Belongs here: the look, and its wording. Does not belong here: mending anything.

It works while a run is on and never gets in its way: it reads the published manifest and the
records beside the warehouse, and opens the warehouse file, for an instant and for reading, only
while nobody holds the warehouse lock.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration import alerts, headline, outcomes, wording
from orchestration.headline import Rejection
from throughline import engine
from throughline.building import concerns, state
from throughline.engine import files, locks, remedies
from throughline.landing import watching
from throughline.landing.errors import LandingError
from throughline.published import manifest as versions
from throughline.publishing import space, verification
from throughline.settings import Settings

_LABEL, _SHOWN, _LINES = 15, 5, 8


@dataclass(frozen=True)
class Version:
    """The published version: its name, its place in the order, when it came, and what is in it."""

    data_version: str
    publication_no: int
    published_at: datetime
    conversations: int
    contacts: int


@dataclass
class Status:
    """How things stand.

    Attributes:
        warehouse: WAREHOUSE_DIR.
        looked_at: when, in UTC.
        attention: what somebody should look at, most urgent first, each with its remedy.
        version: what is published; None when nothing is, or its manifest is damaged.
        run_is_on: whether a run or another step of the pipeline has the warehouse now.
        waiting: the files that a run would look at; None when that is not known.
        last_run: how the last run ended; None when none did.
        rejected: what landing rejected, per log; None when that is not known.
        warnings: what the checks of the last run warn of.
        free_bytes: room on the warehouse's disk.
        warehouse_bytes: what WAREHOUSE_DIR takes.
        unknown_because: why something is not known; empty when all is.
    """

    warehouse: Path
    looked_at: datetime
    attention: list[str] = field(default_factory=list)
    version: Version | None = None
    run_is_on: bool = False
    waiting: list[str] | None = None
    last_run: outcomes.Outcome | None = None
    rejected: list[Rejection] | None = None
    warnings: list[concerns.Concern] = field(default_factory=list)
    free_bytes: int = 0
    warehouse_bytes: int = 0
    unknown_because: str = ""


def look(settings: Settings) -> Status:
    """Look at everything; nothing is written, and nobody is made to wait for longer than a look."""
    found = Status(settings.warehouse_dir, datetime.now(UTC))
    found.run_is_on = locks.is_held(settings, "run") or locks.is_held(settings, "warehouse")
    found.last_run = outcomes.read(settings)
    found.warnings = concerns.read(settings)
    found.attention += _published(settings, found)
    found.attention += _warehouse(settings, found)
    found.attention += _unfinished(settings, found)
    found.attention += _disk(settings, found)
    return found


def _published(settings: Settings, found: Status) -> Iterator[str]:
    try:
        publication = versions.current(settings)
    except versions.PublishError as error:
        yield str(error)
        return
    if publication is None:
        if not found.run_is_on:
            yield "Nothing is published yet: `throughline run` loads, builds and publishes."
        return
    rows = {model.name: model.row_count for model in publication.models if model.schema == "marts"}
    found.version = Version(
        publication.data_version,
        publication.publication_no,
        publication.published_at,
        rows.get("conversations", 0),
        rows.get("contacts", 0),
    )
    # While a run is on, a version may be in the middle of taking its place.
    if not found.run_is_on and not verification.look_right(settings, publication):
        yield (
            "Published files are not as they were written: changed, missing, or restored."
            " `throughline verify` says which differ, `throughline run` writes them again."
        )


def _warehouse(settings: Settings, found: Status) -> Iterator[str]:
    """What the ledger of loads says, where the warehouse can be opened without disturbing."""
    try:
        if not settings.warehouse_file.exists():
            found.waiting, found.rejected = watching.waiting(None, settings), []
            return
        with (
            locks.warehouse(settings, wait_seconds=0),
            engine.connect(settings, settings.warehouse_file, read_only=True) as connection,
        ):
            found.waiting = watching.waiting(connection, settings)
            try:
                found.rejected = headline.rejections_in(connection)
            except duckdb.CatalogException:
                # A run was cut off before it had made the ledger.
                found.rejected = []
    except locks.LockTimeout:
        found.run_is_on = True
        found.unknown_because = "a run has the warehouse open"
    except engine.HeldError as error:
        found.unknown_because = "another program has the warehouse open"
        yield str(error)
    except LandingError as error:
        found.unknown_because = "the landing zone cannot be read"
        yield str(error)
    except (duckdb.Error, OSError) as error:
        found.unknown_because = "the warehouse cannot be read"
        damaged = isinstance(error, duckdb.Error) and remedies.is_damage(error)
        yield remedies.damaged(settings) if damaged else str(error)


def _unfinished(settings: Settings, found: Status) -> Iterator[str]:
    """The last failure, and what is loaded and not published."""
    if found.run_is_on:
        return
    if found.last_run is not None and found.last_run.failed:
        # The failure itself has its place below.
        yield "The last run failed: see below, mend it, and run `throughline run`."
        return
    stale_after = timedelta(hours=settings.freshness_hours)
    if overdue := alerts.trouble(found.last_run, now=found.looked_at, stale_after=stale_after):
        yield overdue.problem
    built = state.read(settings)
    if built is not None and built.building:
        yield "A build was cut off: `throughline run` takes up where it stopped."
    elif built is not None and not built.published:
        yield "What is loaded is not published: `throughline run` builds, checks and publishes it."


def _disk(settings: Settings, found: Status) -> Iterator[str]:
    folders = (found.warehouse, *found.warehouse.parents)
    there = next(folder for folder in folders if folder.exists())
    found.free_bytes = shutil.disk_usage(there).free
    found.warehouse_bytes = files.size(found.warehouse)
    if found.warehouse.exists() and (warning := space.warning(settings)):
        yield warning.replace("this run may fail", "the next run may fail")


def as_json(found: Status) -> str:
    """Everything, for programs: instants in ISO 8601, sizes in bytes, null where not known."""
    content = {"needs_attention": bool(found.attention), **asdict(found)}
    return json.dumps(content, indent=2, default=_plain, ensure_ascii=False)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def render(found: Status) -> str:
    """One screen of 80 columns: the verdict, what to do, then the facts."""
    if found.attention:
        verdict = "NEEDS ATTENTION"
    else:
        verdict = "A run is on." if found.run_is_on else "All is well."
    lines = [f"{verdict}  {found.warehouse}"]
    for problem in found.attention:
        lines += textwrap.wrap(
            problem, wording.WIDTH, initial_indent="  - ", subsequent_indent="    "
        )
    lines.append("")
    for label, told in _facts(found):
        lines += _row(label, told)
    if found.last_run is not None and found.last_run.failed:
        lines += ["", f"The last failure, {_ago(found, found.last_run.ended_at)}:"]
        told = found.last_run.problem.splitlines()
        lines += [f"  {line}" for line in told[:_LINES]]
        if len(told) > _LINES:
            lines.append(f"  … {len(told) - _LINES} more lines: --json has all")
    return "\n".join(lines)


def _facts(found: Status) -> Iterator[tuple[str, str | Sequence[str]]]:
    version = found.version
    if version is None:
        yield "Published", "nothing"
    else:
        yield (
            "Published",
            (
                _ago(found, version.published_at),
                f"version {version.data_version}, no. {version.publication_no}",
                f"{version.conversations:,} conversations, {version.contacts:,} contacts",
            ),
        )
    yield "A run", "is on" if found.run_is_on else "is not on"
    succeeded = found.last_run.succeeded_at if found.last_run else ""
    yield "Last success", _ago(found, succeeded) if succeeded else "not on record"
    unknown = f"not known: {found.unknown_because}"
    if found.waiting is None:
        yield "To be loaded", unknown
    else:
        yield "To be loaded", _listed(found.waiting, "file") or "nothing waits"
    if found.rejected is None:
        yield "Rejected", unknown
    else:
        yield "Rejected", [_rejection(one) for one in found.rejected] or "nothing"
    yield (
        "Warnings",
        _most([f"{one.asset}: {one.message}" for one in found.warnings], "warnings") or "none",
    )
    yield (
        "Disk",
        f"{wording.size(found.free_bytes)} free; all this takes"
        f" {wording.size(found.warehouse_bytes)}",
    )


def _row(label: str, told: str | Sequence[str]) -> Iterable[str]:
    texts = [told] if isinstance(told, str) else told
    for number, text in enumerate(texts):
        head = f"{label if number == 0 else '':<{_LABEL}}"
        yield from textwrap.wrap(
            text, wording.WIDTH, initial_indent=head, subsequent_indent=" " * (_LABEL + 2)
        )


def _listed(names: Sequence[str], noun: str) -> list[str]:
    if not names:
        return []
    return [wording.counted(len(names), noun), *_most(names, f"{noun}s")]


def _most(texts: Sequence[str], what: str) -> list[str]:
    more = len(texts) - _SHOWN
    return [*texts[:_SHOWN], *([f"… {more:,} more {what}: --json has all"] if more > 0 else [])]


def _rejection(one: Rejection) -> str:
    rows = wording.counted(one.rows, "row") if one.rows else ""
    files = wording.counted(one.files, "whole file") if one.files else ""
    return f"{one.log}: {' and '.join(filter(None, (rows, files)))}, since the beginning"


def _ago(found: Status, instant: datetime | str) -> str:
    """`2 h 05 min ago (2026-11-28 20:17 UTC)`."""
    when = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    passed = wording.duration(max(0.0, (found.looked_at - when).total_seconds()))
    return f"{passed} ago ({when.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
