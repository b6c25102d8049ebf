"""`throughline run --dry-run`: what it says, and its exit status.

Belongs here: words. Does not belong here: the work (throughline.refreshing.rehearsing).
"""

from __future__ import annotations

import sys

from orchestration.narrator import Narrator
from orchestration.wording import counted
from throughline.building.report import BuildError
from throughline.engine import HeldError, locks
from throughline.landing import LandingError
from throughline.landing.registry import RegistryError
from throughline.refreshing import rehearsing
from throughline.settings import SettingError, load_settings

SUCCEEDED, FAILED, CANNOT_START, BUSY = 0, 1, 2, 75


def rehearse() -> int:
    """Build what a run would build, publish nothing, say what would change. Gives the status."""
    narrator = Narrator()
    try:
        settings = load_settings()
        narrator.say("A dry run: new files are loaded, nothing is merged and nothing published")
        with locks.held(settings, "run", wait_seconds=0), locks.warehouse(settings):
            found = rehearsing.rehearse(settings, tell=narrator.paced())
    except (
        BuildError,
        HeldError,
        LandingError,
        RegistryError,
        SettingError,
        locks.LockTimeout,
        rehearsing.NothingPublishedError,
    ) as error:
        Narrator(sys.stderr).say(str(error))
        if isinstance(error, (SettingError, RegistryError, LandingError)):
            return CANNOT_START
        return BUSY if isinstance(error, locks.LockTimeout | HeldError) else FAILED
    narrator.note(found.told)
    if not found.count:
        narrator.say("No published figure of a period that is over would change.")
        return SUCCEEDED
    narrator.say(f"{counted(found.count, 'published figure')} would change:")
    for cell in found.cells:
        narrator.note(_line(cell))
    if found.count > len(found.cells):
        narrator.note(f"and {found.count - len(found.cells):,} more")
    narrator.say("Nothing was published. `throughline run` does it.")
    return SUCCEEDED


def _line(cell: rehearsing.Cell) -> str:
    place = " ".join(
        part
        for part in (
            cell.report.replace("_", " "),
            cell.period_grain,
            "" if cell.period_start is None else cell.period_start.isoformat(),
            "" if cell.dimension == "all" else f"{cell.dimension} {_name(cell)}",
        )
        if part
    )
    moved = ""
    if cell.before is not None and cell.after is not None:
        moved = f" ({cell.after - cell.before:+,.6g})"
    return (
        f"{place}: {cell.measure} {_value(cell.before)} -> {_value(cell.after)}{moved},"
        f" {cell.cause.replace('_', ' ')}, {counted(cell.conversations, 'conversation')}"
    )


def _name(cell: rehearsing.Cell) -> str:
    value = "(not known)" if cell.dimension_value is None else cell.dimension_value
    return f"{cell.source}/{value}" if cell.source and cell.source != value else value


def _value(value: float | None) -> str:
    return "none" if value is None else f"{value:,.6g}"
