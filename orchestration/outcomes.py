"""How the last run ended: a small JSON file beside the warehouse, for whoever asks later.

Belongs here: keeping it, whoever ran: the command, the schedule or the sensor. Does not belong
here: what may be published (throughline.building.state), Dagster's history.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from throughline.engine import files
from throughline.settings import Settings

# How Dagster knows a run of the command, which says itself how it ended, from one that it started.
BY_COMMAND = {"throughline/started_by": "make run"}


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        ended_at: when, ISO 8601 in UTC.
        failed: whether it failed.
        problem: what went wrong and what to do, as the run said it; empty when it went well.
        succeeded_at: when a run last went well, ISO 8601 in UTC; empty when none did.
    """

    ended_at: str
    failed: bool
    problem: str = ""
    succeeded_at: str = ""


def _path(settings: Settings) -> Path:
    return settings.warehouse_dir / "last_run.json"


def read(settings: Settings) -> Outcome | None:
    """How the last run ended; None when none did, or the file is damaged."""
    try:
        return Outcome(**json.loads(_path(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def record(settings: Settings, problem: str | None = None) -> Outcome:
    """Keep how a run ended, and give it.

    A full disk, or a folder that nobody may write, does not change how it ends.

    Args:
        settings: where the file is.
        problem: what went wrong and what to do; None when all went well.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if problem is None:
        outcome = Outcome(now, failed=False, succeeded_at=now)
    else:
        before = read(settings)
        outcome = Outcome(now, True, problem.strip(), before.succeeded_at if before else "")
    if settings.warehouse_dir.is_dir():
        with suppress(OSError):
            files.write(_path(settings), json.dumps(asdict(outcome), indent=2) + "\n")
    return outcome
