"""When the daemon starts a run: on new files, and again while what is loaded is not published.

Belongs here: what a look at the landing zone and the warehouse gives, and what follows from it and
from the tries before. Does not belong here: anything of Dagster, loading, building.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from throughline import engine
from throughline.engine import locks
from throughline.landing import arrivals
from throughline.publishing import gate
from throughline.settings import Settings

MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 120


@dataclass(frozen=True)
class Look:
    """What there is to do.

    Attributes:
        seen: the signature of the landing zone.
        has_new: whether a file waits to be loaded.
        is_published: whether all that is loaded is published as it should be.
        emptied: what to say of a landing zone that held files and holds none.
    """

    seen: str
    has_new: bool
    is_published: bool
    emptied: str | None = None


@dataclass(frozen=True)
class Memory:
    """What the sensor knows of its own tries, kept in its cursor.

    Attributes:
        seen: the landing zone that the last try was for, or that was found in order.
        tries: how often a run was started for what is still to do.
        tried_at: when the last was started, in seconds since 1970.
    """

    seen: str = ""
    tries: int = 0
    tried_at: int = 0

    @classmethod
    def of(cls, cursor: str | None) -> Memory:
        """Read a cursor; one of an older version held the signature alone."""
        seen, _, rest = (cursor or "").partition(":")
        tries, _, tried_at = rest.partition(":")
        return cls(seen, int(tries or 0), int(tried_at or 0))

    @property
    def cursor(self) -> str:
        """As text."""
        return f"{self.seen}:{self.tries}:{self.tried_at}"


def look(settings: Settings) -> Look:
    """Look at the landing zone and the warehouse, without getting in a run's way.

    Raises:
        LockTimeout: a run is on.
        duckdb.IOException: another program has the warehouse open.
    """
    seen = arrivals.signature(settings)
    with (
        locks.held(settings, "run", wait_seconds=0),
        locks.warehouse(settings, wait_seconds=0),
    ):
        try:
            has_new = arrivals.anything_new(settings)
            if not has_new and not arrivals.last_load_no(settings):
                # Nothing was ever loaded, so there is nothing to publish.
                return Look(seen, has_new=False, is_published=True)
            is_published = gate.is_up_to_date(settings, waits=has_new)
            return Look(seen, has_new, is_published, arrivals.emptied(settings))
        except duckdb.Error as error:
            if engine.is_held(error):
                raise
            # A damaged file: the run mends what can be mended, and says what to do about the rest.
            return Look(seen, has_new=False, is_published=False)


def decide(
    memory: Memory, found: Look, *, now: float, last_run_ended: float = 0, last_run: str = ""
) -> tuple[Memory, str]:
    """Whether a run is to be started.

    Args:
        memory: of the tries before.
        found: what there is to do.
        now: seconds since 1970.
        last_run_ended: when the last run of the job ended; 0 when that is not known.
        last_run: what to call that run when it is said that it did not help.

    Returns:
        What to remember, and why no run is started (empty when one is).
    """
    if found.is_published and not found.has_new:
        in_order = "every file is loaded, and what is loaded is published"
        return Memory(found.seen), found.emptied or in_order
    if (found.has_new and found.seen != memory.seen) or not memory.tries:
        return Memory(found.seen, 1, int(now)), ""
    to_do = "a file is not loaded" if found.has_new else "what is loaded is not published"
    blamed = f" (the last one: {last_run})" if last_run else ""
    if memory.tries >= MAX_TRIES:
        return memory, (
            f"{to_do}, and {memory.tries} runs did not change that{blamed}: no more are started"
            " for it. Mend what the run names and start the refresh by hand; a new file and the"
            " daily schedule start it too"
        )
    pause = FIRST_PAUSE_SECONDS * 2 ** (memory.tries - 1)
    remaining = max(memory.tried_at, last_run_ended) + pause - now
    if remaining > 0:
        return memory, (
            f"{to_do}{blamed}: try {memory.tries + 1} of {MAX_TRIES} comes in"
            f" {max(1, round(remaining / 60))} min"
        )
    return Memory(memory.seen, memory.tries + 1, int(now)), ""
