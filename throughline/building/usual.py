"""What a usual day of a source is, and whether its last one was one.

Belongs here: the judgement, and the questions to the warehouse behind the checks of volume and
silence. Does not belong here: counting days (landing.days), files that do not come (quality).

Nothing looks at the clock: days are measured against what has been loaded, so the same logs give
the same answer whenever they are asked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

import duckdb

from throughline.building.quality import SAMPLE_ROWS, Finding

WEEKS = 8
# Fewer of the same weekday say nothing of what is usual.
LEAST_WEEKS = 4
# How many spreads a day may be away from the median of its weekday.
FACTOR = 4
# A day has some spread however alike the ones before it were: that of chance, and this share, as
# rows come in bunches (the messages of a contact). So 40 % of the usual, and 160 %, tell.
_LEAST_SPREAD = 0.15
# To a normal distribution's standard deviation from its median absolute deviation.
_FROM_MAD = 1.4826
# Fewer days with rows say nothing of how long a source is usually silent.
LEAST_DAYS = 8

Days = Mapping[date, int]


@dataclass(frozen=True)
class Volume:
    """A day beside what is usual on its weekday.

    Attributes:
        rows: of the day.
        usual: the median of the same weekday in the weeks before.
        spread: how far such a day is usually away from it.
        weeks: how many there were.
    """

    rows: int
    usual: float
    spread: float
    weeks: int

    @property
    def is_unusual(self) -> bool:
        """Whether it is further away than chance explains, above or below."""
        return abs(self.rows - self.usual) > FACTOR * self.spread


def volume(days: Days, day: date) -> Volume | None:
    """Compare a day with the same weekday of the weeks before; None where too few are known.

    Args:
        days: rows by day; a day that is not there had none.
        day: the one to judge.
    """
    first = min(days, default=day)
    before = [day - timedelta(weeks=number) for number in range(1, WEEKS + 1)]
    counts = [days.get(one, 0) for one in before if one >= first]
    if len(counts) < LEAST_WEEKS:
        return None
    usual = median(counts)
    away = median(abs(count - usual) for count in counts) * _FROM_MAD
    spread = max(away, math.sqrt(usual + 1), usual * _LEAST_SPREAD)
    return Volume(days.get(day, 0), usual, spread, len(counts))


def silence(days: Days, until: date) -> tuple[int, int] | None:
    """How many days without a row there are at the end, and at most were in between before.

    Args:
        days: rows by day.
        until: the last day that is over.

    Returns:
        Both, in days; None where too few days are known.
    """
    there = sorted(day for day, rows in days.items() if rows and day <= until)
    if not there:
        return None
    recent = [day for day in there if day > there[-1] - timedelta(weeks=WEEKS)]
    if len(recent) < LEAST_DAYS or there[0] > there[-1] - timedelta(weeks=LEAST_WEEKS):
        return None
    between = itertools.pairwise(recent)
    longest = max((after - before).days - 1 for before, after in between)
    return (until - there[-1]).days, longest


@dataclass(frozen=True)
class _Seen:
    """What is known of a log.

    Attributes:
        days: by source, rows by day.
        over: by source, its last day that is over.
        until: the last day that is over of any source.
    """

    days: Mapping[str, Days]
    over: Mapping[str, date]
    until: date | None


def _seen(connection: duckdb.DuckDBPyConnection, log: str) -> _Seen:
    # A day is over when a later one has rows: the last day of a delivery may be half a day. What
    # lies behind the day of the last load, in any zone, is a fault of some clock.
    over = dict(
        connection.execute(
            """
            with loaded as (
                select source, cast(max(loaded_at) as date) + 1 as latest_day from raw.loads
                where status = 'loaded'
                group by source
            )

            select counts.source, max(counts.day) - 1
            from raw.day_counts as counts
            join loaded on counts.source = loaded.source
            where counts.day <= loaded.latest_day
            group by counts.source
            """
        ).fetchall()
    )
    days: dict[str, dict[date, int]] = {}
    for source, day, rows in connection.execute(
        "select source, day, sum(rows) from raw.day_counts where log = $log group by source, day",
        {"log": log},
    ).fetchall():
        days.setdefault(source, {})[day] = int(rows)
    return _Seen(days, over, max(over.values(), default=None))


def unusual_volume(connection: duckdb.DuckDBPyConnection, log: str) -> Finding:
    """The sources whose last day that is over brought far more or fewer rows of a log than usual.

    Rows count for the day that they tell of, and a repeat or a new version counts too. A log that a
    source never sent is not judged, nor one that it has sent for less than four weeks.
    """
    seen = _seen(connection, log)
    judged, rows = 0, []
    for source, days in sorted(seen.days.items()):
        day = seen.over.get(source)
        found = volume(days, day) if day else None
        if found is None:
            continue
        judged += 1
        if found.is_unusual:
            rows.append((source, day, found.rows, found.usual, round(found.spread, 1), found.weeks))
    message = f"{len(rows)} of {judged} sources had another number of rows than usual on their day"
    header = ("source", "day", "rows", "usual", "spread", "weeks")
    return Finding(len(rows), message, judged, header, rows[:SAMPLE_ROWS])


def unusual_silence(connection: duckdb.DuckDBPyConnection, log: str) -> Finding:
    """The sources that sent no row of a log for more days than at any time in the last weeks.

    Measured to the last day that any source has sent and that is over; a day more is allowed, as
    sources deliver at different hours.
    """
    rows = list(_silent(_seen(connection, log)))
    silent = [row for row in rows if row[2] > row[3] + 1]
    message = f"{len(silent)} of {len(rows)} sources are silent for longer than usual"
    header = ("source", "last_day", "silent_days", "usual_days")
    return Finding(len(silent), message, len(rows), header, silent[:SAMPLE_ROWS])


def _silent(seen: _Seen) -> Iterator[tuple[str, date, int, int]]:
    """Each source that can be judged: its last day, its silence, and what is usual, in days."""
    for source, days in sorted(seen.days.items()):
        found = silence(days, seen.until) if seen.until else None
        if found is not None and seen.until is not None:
            yield source, seen.until - timedelta(days=found[0]), *found
