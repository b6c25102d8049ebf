"""A failed or stale pipeline is told once, and once more when all is well again.

Belongs here: what an incident is, the record of the open one beside the warehouse, and who has been
told of it. Does not belong here: how they are told (hooks), how a run ended (outcomes).

An incident begins with a run that fails, or when none has gone well for `FRESHNESS_HOURS`, and ends
with the next that goes well; whatever else fails meanwhile belongs to it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration import hooks, outcomes, wording
from throughline.engine import files, locks
from throughline.settings import Settings

FAILED, STALE = "failed", "stale"
# Who could not be told is tried again, and not at each look of the sensor.
AGAIN_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Incident:
    """What is wrong, since when, and who knows.

    Attributes:
        kind: `failed` or `stale`.
        since: when the run failed, or when a good one was due; ISO 8601 in UTC.
        problem: what is wrong and what to do, as the run said it.
        told: the settings of those who know of it.
        over_at: when a run went well again, ISO 8601 in UTC; empty while it is open.
        tried_at: when somebody was last tried to be told, ISO 8601 in UTC; empty when never.
    """

    kind: str
    since: str
    problem: str
    told: tuple[str, ...] = ()
    over_at: str = ""
    tried_at: str = ""


def trouble(
    outcome: outcomes.Outcome | None, *, now: datetime, stale_after: timedelta
) -> Incident | None:
    """What is wrong, by how the last run ended; None when nothing is.

    Args:
        outcome: of the last run; None when there was none, of which nothing can be said.
        now: an aware instant.
        stale_after: how long a good run may be away.
    """
    if outcome is None:
        return None
    if outcome.failed:
        return Incident(FAILED, outcome.ended_at, outcome.problem)
    last = datetime.fromisoformat(outcome.succeeded_at)
    if now - last <= stale_after:
        return None
    problem = (
        f"No run has ended well for {wording.duration((now - last).total_seconds())}, since"
        f" {last:%Y-%m-%d %H:%M} UTC (FRESHNESS_HOURS={stale_after // timedelta(hours=1)}):"
        " see that whatever starts the runs is on, or run `throughline run`."
    )
    return Incident(STALE, (last + stale_after).isoformat(timespec="seconds"), problem)


def after(incident: Incident | None, found: Incident | None, *, now: datetime) -> Incident | None:
    """The incident that is on record now: the open one goes on, until nothing is wrong."""
    if found is not None:
        return incident if incident and not incident.over_at else found
    if incident is None or incident.over_at:
        return incident
    return replace(incident, over_at=now.isoformat(timespec="seconds"), tried_at="")


def heed(
    settings: Settings,
    outcome: outcomes.Outcome | None = None,
    *,
    now: datetime | None = None,
    ways: Mapping[str, hooks.Hook] | None = None,
) -> list[str]:
    """Tell whoever the settings name what they do not know yet.

    Whatever goes wrong with that changes nothing about a run: it is only said.

    Args:
        settings: where the record is, and whom to tell.
        outcome: how the last run ended; what is on record when not given.
        now: an aware instant; the clock's when not given.
        ways: how to tell whom; those of the settings when not given.

    Returns:
        What was told, and what could not be, in lines; nothing when there was nothing to tell.
    """
    ways = hooks.configured(settings) if ways is None else ways
    if not ways or not settings.warehouse_dir.is_dir():
        return []
    now = now or datetime.now(UTC)
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.held(settings, "alerts", wait_seconds=0))
        except locks.LockTimeout:
            return []  # Another process is telling.
        except OSError:
            pass  # A full disk is just what has to be told.
        before = _read(settings)
        outcome = outcome or outcomes.read(settings)
        stale_after = timedelta(hours=settings.freshness_hours)
        found = after(before, trouble(outcome, now=now, stale_after=stale_after), now=now)
        if outcome is None or found is None:
            return []
        lines, known = _tell(settings, found, ways, now)
        lines += _keep(settings, before, known)
    return lines


def _tell(
    settings: Settings, found: Incident, ways: Mapping[str, hooks.Hook], now: datetime
) -> tuple[list[str], Incident | None]:
    """Tell who does not know. Gives what to say, and what stays on record."""
    if found.over_at:
        # Who never heard of it need not hear that it is over.
        waiting = [name for name in ways if name in found.told]
    else:
        waiting = [name for name in ways if name not in found.told]
    if waiting and found.tried_at and now - datetime.fromisoformat(found.tried_at) < AGAIN_AFTER:
        return [], found
    message = _message(settings, found, now)
    reached, lines = [], []
    for name in waiting:
        try:
            ways[name](settings, message)
            reached.append(name)
        except hooks.HookError as error:
            lines.append(f"{name} could not be told: {error}")
        except Exception as error:
            # Nothing about it may change how a run ends.
            lines.append(f"{name} could not be told: {type(error).__name__}: {error}")
    if reached:
        lines.insert(0, f"Told {', '.join(reached)}: {message['text']}")
    left = [name for name in waiting if name not in reached]
    if found.over_at:
        if not left:
            return lines, None
        return lines, replace(found, told=tuple(left), tried_at=now.isoformat())
    tried_at = now.isoformat() if left else ""
    return lines, replace(found, told=(*found.told, *reached), tried_at=tried_at)


def _message(settings: Settings, found: Incident, now: datetime) -> dict[str, str]:
    """What is told; `text` is one line, which chat programs show as it is."""
    host = socket.gethostname()
    where = f"{settings.warehouse_dir} on {host}"
    first = next(iter(found.problem.splitlines()), "")
    if found.over_at:
        text = f"Throughline: all is well again, {where}"
    elif found.kind == FAILED:
        text = f"Throughline: a run failed, {where}: {first}"
    else:
        text = f"Throughline: no run has ended well in time, {where}"
    return {
        "text": text,
        "event": "over" if found.over_at else "incident",
        "kind": found.kind,
        "since": found.since,
        "at": now.isoformat(timespec="seconds"),
        "over_at": found.over_at,
        "host": host,
        "warehouse": str(settings.warehouse_dir),
        "problem": found.problem,
    }


def _path(settings: Settings) -> Path:
    return settings.warehouse_dir / "incident.json"


def _read(settings: Settings) -> Incident | None:
    try:
        content = json.loads(_path(settings).read_text(encoding="utf-8"))
        return Incident(**{**content, "told": tuple(content["told"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(settings: Settings, before: Incident | None, known: Incident | None) -> Iterator[str]:
    """Put an incident on record; says that it cannot be."""
    if known == before:
        return
    try:
        if known is None:
            _path(settings).unlink(missing_ok=True)
        else:
            files.write(_path(settings), json.dumps(asdict(known), indent=2) + "\n")
    except OSError as error:
        yield (
            f"{_path(settings)} cannot be written ({error.strerror}), so the same may be told once"
            " more"
        )


def say(settings: Settings, outcome: outcomes.Outcome | None, tell: Callable[[str], None]) -> None:
    """`heed`, each line told as it is meant for people; nothing that it meets ends anything."""
    try:
        lines = heed(settings, outcome)
    except Exception as error:
        lines = [f"Nobody could be told: {type(error).__name__}: {error}"]
    for line in lines:
        tell(line)
