"""Days, weeks and months: their ends, their neighbours, and which of them are complete.

Belongs here: the calendar of the reports. Does not belong here: the wall clock. Whether a period is
complete is asked of the data: the same version answers the same on any day.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from serving.snapshot import Snapshot

GRAINS = ("day", "week", "month")
# How many periods a trend shows when nothing else is asked for: the last one included.
USUAL_SPAN = {"day": 31, "week": 13, "month": 12}
# A longer span shows the last so many.
LONGEST_SPAN = 400


def start_of(grain: str, day: date) -> date:
    """The first day of the period that a day belongs to; weeks start on Monday."""
    if grain == "month":
        return day.replace(day=1)
    if grain == "week":
        return _moved(day, -day.weekday())
    return day


def last_day(grain: str, start: date) -> date:
    """The last day of the period that starts on a day."""
    if grain == "month":
        return start.replace(day=calendar.monthrange(start.year, start.month)[1])
    return _moved(start, 6) if grain == "week" else start


def moved(grain: str, start: date, steps: int) -> date:
    """The start of the period so many periods later; the calendar's end where it ends."""
    if grain == "month":
        months = start.year * 12 + start.month - 1 + steps
        if not 12 <= months < 10000 * 12:
            return date.min if steps < 0 else date.max.replace(day=1)
        return date(months // 12, months % 12 + 1, 1)
    return _moved(start, steps * (7 if grain == "week" else 1))


def between(grain: str, first: date, last: date) -> Iterator[date]:
    """The starts of the periods from one to another, both included."""
    while first <= last:
        yield first
        following = moved(grain, first, 1)
        if following <= first:
            return
        first = following


def _moved(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.min if days < 0 else date.max


@dataclass(frozen=True)
class Extent:
    """The days that the data cover.

    Attributes:
        first: the first day with a contact or a closed conversation.
        newest: the newest such day that is not after the day of publication (UTC). A day further
            on is a clock that goes wrong, or one that has just begun in the east.
    """

    first: date
    newest: date

    def is_complete(self, grain: str, start: date) -> bool:
        """Whether a later day has data already, so that the period is over for everyone."""
        return last_day(grain, start) < self.newest

    def last_complete(self, grain: str) -> date | None:
        """The start of the last complete period; None when there is none yet."""
        start = start_of(grain, self.newest)
        if not self.is_complete(grain, start):
            start = moved(grain, start, -1)
        return start if last_day(grain, start) >= self.first else None


def extent(snapshot: Snapshot) -> Extent | None:
    """The days that both reports cover; None when they are empty."""
    row = snapshot.row(
        """
        with days as (
            select period_start from reports.statistical_report
            where dimension in ('all', 'source', 'project') and period_grain = 'day'
            union
            select period_start from reports.contacts_report
            where dimension in ('all', 'source', 'project') and period_grain = 'day'
        )

        select
            min(period_start) as first,
            coalesce(
                max(period_start) filter (period_start <= $published_on),
                min(period_start)
            ) as newest
        from days
        """,
        {"published_on": snapshot.published_at.date()},
    )
    if row is None or row["first"] is None:
        return None
    return Extent(row["first"], row["newest"])
