"""The one clock of a request: what `created_at` shows, and what `from` and `to` are read on.

Belongs here: which zone that is, and the way between its clock and UTC. Does not belong here: what
a period is compared with, the periods of the platform (`parameters`).

A client asks for what is new with the newest `created_at` that it has. That works only where one
clock tells everything that it gets, in the order in which it gets it. Two times of a clock need
care. An hour that an autumn repeats is read so that nothing can be missed: as a first bound at its
first pass, as a last bound at its second. A time that a spring leaves out is the moment of the
change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from serving.i18n import mark
from serving.parameters import Moment, Parameter, Type, UnreadableError
from serving.snapshot import Snapshot

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Clock:
    """The clock of a zone.

    Attributes:
        zone: its IANA name.
    """

    zone: str = "UTC"

    def local(self, at: datetime) -> datetime:
        """A UTC moment without a zone, as the clock shows it."""
        return at.replace(tzinfo=UTC).astimezone(_zone(self.zone)).replace(tzinfo=None)

    def shown(self, at: datetime) -> str:
        """A UTC moment in the platform's form, to the second."""
        return self.local(at).isoformat(" ", "seconds")

    def day(self, at: datetime) -> date:
        """The day of a moment that has a zone."""
        return at.astimezone(_zone(self.zone)).date()

    def first(self, bound: Moment) -> datetime:
        """The first UTC moment at which the clock shows a bound, or is past it."""
        return self._moment(bound.at)

    def end(self, bound: Moment) -> datetime:
        """The first UTC moment at which the clock is past a bound for good."""
        if bound.is_day:
            return self._moment(bound.at + timedelta(days=1))
        found = self._moment(bound.at, is_second_pass=True)
        # A time that is left out has no second of its own.
        return found + _SECOND if self.local(found) == bound.at else found

    def _moment(self, shown: datetime, *, is_second_pass: bool = False) -> datetime:
        early, late = sorted(
            shown.replace(tzinfo=_zone(self.zone), fold=fold).astimezone(UTC).replace(tzinfo=None)
            for fold in (0, 1)
        )
        if self.local(early) == shown:
            return late if is_second_pass else early
        seconds = range((late - early) // _SECOND + 1)
        return early + _SECOND * bisect_left(
            seconds, shown, key=lambda second: self.local(early + _SECOND * second)
        )


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def _read(value: str) -> str:
    if value not in _known():
        raise UnreadableError(mark("an IANA time zone such as Europe/Paris"))
    return value


ZONE = Parameter(
    "zone",
    Type(_read, {"type": "string", "maxLength": 60}),
    "The clock of the answer and of `from` and `to`; the key's own when left out: the zone of the"
    " projects or sources that the key is bound to, where they have one, else UTC.",
    example="Europe/Paris",
)


def clock_of(snapshot: Snapshot, zone: str = "") -> Clock:
    """The clock that a request names, or that of what its key reads."""
    return Clock(zone) if zone else snapshot.once(_of_scope)


def _of_scope(snapshot: Snapshot) -> Clock:
    units = snapshot.scope.units
    if not units:
        return Clock()
    projects = {
        (row["source"], row["project_id"]): row["time_zone"]
        for row in snapshot.rows("select source, project_id, time_zone from marts.projects")
    }
    zones = {
        projects.get((source, project)) if project else _source_zones(snapshot).get(source)
        for source, project in units
    }
    [zone] = zones if len(zones) == 1 else [None]
    return Clock(zone) if zone else Clock()


def _source_zones(snapshot: Snapshot) -> Mapping[str, str]:
    return {
        row["source"]: row["time_zone"]
        for row in snapshot.rows("select source, time_zone from marts.sources")
    }
