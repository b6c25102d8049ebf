"""One clock: whoever asks from the newest `created_at` that it has, gets everything.

Belongs here: the clock, and walks over publications that add. Does not belong here: what else a
filter selects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api import conversations
from serving.api.clock import Clock, clock_of
from serving.api.envelope import RefusedError
from serving.api.parameters import Parameters, period
from serving.parameters import Moment
from serving.scopes import EVERYTHING, Scope

AUTUMN = datetime(2026, 10, 25, 1)
SPRING = datetime(2026, 3, 29, 1)
ZONES = ("UTC", "Europe/Paris", "America/Toronto", "Asia/Kathmandu", "Australia/Lord_Howe")


class _Version:
    """A version that has a table of conversations and nothing else."""

    def __init__(self, rows: Sequence[tuple[datetime, str]], published_at: datetime) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("create schema marts")
        self._connection.execute(
            "create table marts.conversations as select unnest(cast($moments as timestamp[]))"
            " as started_at, unnest(cast($ids as varchar[])) as conversation_id",
            {"moments": [at for at, _ in rows], "ids": [id for _, id in rows]},
        )
        self.published_at = published_at.replace(tzinfo=UTC)
        self.opened = {id: at for at, id in rows}

    def rows(self, sql: str, values: Any = None) -> list[dict[str, Any]]:
        found = self._connection.execute(sql, values or {})
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def close(self) -> None:
        self._connection.close()


def _walk(version: _Version, clock: Clock, limit: int, since: str) -> list[str]:
    """What the loop of the platform's client gets: every page from a moment on."""
    found: list[str] = []
    page = 1
    while True:
        pairs = [("page", str(page)), ("limit", str(limit)), ("filters[from]", since)]
        parameters = Parameters(pairs, conversations.LIST)
        answer = conversations.many(version, clock, parameters)  # type: ignore[arg-type]
        found += [item["id"] for item in answer.items]
        if answer.pagination["page"] == answer.pagination["pages"]:
            assert len(found) == answer.pagination["count"]
            return found
        page += 1


NEWEST: dict[str, Callable[[list[str]], str]] = {
    "the latest": max,
    "the first": lambda all_: all_[0],
}


@given(
    seconds=st.lists(
        st.one_of(
            st.integers(-7200, 7200),
            st.floats(-7200, 7200, allow_nan=False, width=32),
            st.sampled_from([-3600, -1, 0, 1, 1799, 1800, 3599, 3600]),
        ),
        min_size=1,
        max_size=14,
    ),
    around=st.sampled_from([AUTUMN, SPRING, AUTUMN + timedelta(days=7, hours=5)]),
    batches=st.integers(1, 6),
    limit=st.integers(1, 4),
    zone=st.sampled_from(ZONES),
    newest=st.sampled_from(sorted(NEWEST)),
)
def test_a_client_that_asks_from_its_newest_gets_everything(
    seconds: list[float], around: datetime, batches: int, limit: int, zone: str, newest: str
) -> None:
    """Whatever the size of pages and batches, equal instants at an edge and a repeated hour too."""
    clock = Clock(zone)
    rows = sorted(
        (around + timedelta(seconds=second), f"c{number}") for number, second in enumerate(seconds)
    )
    got: set[str] = set()
    since = ""
    size = -(-len(rows) // batches)
    for end in range(size, len(rows) + size, size):
        version = _Version(rows[:end], around + timedelta(days=1))
        found = _walk(version, clock, limit, since)
        assert len(found) == len(set(found))
        shown = [clock.shown(version.opened[id]) for id in found]
        since = NEWEST[newest](shown)
        got |= set(found)
        version.close()
        assert got == {id for _, id in rows[:end]}


@given(
    second=st.integers(-90_000, 90_000),
    around=st.sampled_from([AUTUMN, SPRING]),
    zone=st.sampled_from(ZONES),
)
def test_a_bound_is_no_later_and_an_end_no_earlier_than_what_is_shown(
    second: int, around: datetime, zone: str
) -> None:
    at = around + timedelta(seconds=second)
    clock = Clock(zone)
    shown = clock.local(at)
    assert clock.first(Moment(shown, is_day=False)) <= at < clock.end(Moment(shown, is_day=False))
    day = Moment(datetime.combine(shown.date(), datetime.min.time()), is_day=True)
    assert clock.first(day) <= at < clock.end(day)


def test_an_hour_that_is_repeated_is_read_so_that_nothing_is_missed() -> None:
    clock = Clock("Europe/Paris")
    bound = Moment(datetime(2026, 10, 25, 2, 30), is_day=False)
    assert clock.first(bound) == datetime(2026, 10, 25, 0, 30)
    assert clock.end(bound) == datetime(2026, 10, 25, 1, 30, 1)


def test_a_window_that_ends_in_the_second_pass_of_a_repeated_hour_is_taken() -> None:
    """An hourly client asks up to now, and now reads as earlier than its newest."""
    pairs = [("filters[from]", "2026-10-25 02:50:00"), ("filters[to]", "2026-10-25 02:10:00")]
    parameters, today = Parameters(pairs, conversations.LIST), date(2026, 10, 25)
    clock = Clock("Europe/Paris")
    condition = period(parameters, today, clock).within("at", clock)
    assert condition.values == {
        "period_start": datetime(2026, 10, 25, 0, 50),
        "period_stop": datetime(2026, 10, 25, 1, 10, 1),
    }
    with pytest.raises(RefusedError, match="lies before 'from'"):
        period(parameters, today, Clock())


def test_a_time_that_is_left_out_is_the_moment_of_the_change() -> None:
    clock = Clock("Europe/Paris")
    bound = Moment(datetime(2026, 3, 29, 2, 30), is_day=False)
    assert clock.first(bound) == clock.end(bound) == datetime(2026, 3, 29, 1)


def test_a_day_is_as_long_as_the_clock_has_it() -> None:
    clock = Clock("Europe/Paris")
    for day, hours in ((date(2026, 10, 25), 25), (date(2026, 3, 29), 23), (date(2026, 6, 1), 24)):
        bound = Moment(datetime.combine(day, datetime.min.time()), is_day=True)
        assert clock.end(bound) - clock.first(bound) == timedelta(hours=hours)


def test_the_last_three_months_are_counted_on_the_clock() -> None:
    published = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)
    days = {zone: Clock(zone).day(published) for zone in ("UTC", "Europe/Paris")}
    first = {
        zone: period(Parameters([], conversations.LIST), day).first.at.date()
        for zone, day in days.items()
    }
    assert first == {"UTC": date(2026, 8, 27), "Europe/Paris": date(2026, 8, 28)}


@pytest.mark.parametrize(
    ("scope", "zone"),
    [
        (EVERYTHING, "UTC"),
        (Scope(sources=("brand",)), "Europe/Paris"),
        (Scope(projects=("brand/uk",)), "Europe/London"),
        (Scope(projects=("brand/fr", "brand/be")), "Europe/Paris"),
        (Scope(projects=("brand/fr", "brand/uk")), "UTC"),
        (Scope(sources=("brand", "bank")), "UTC"),
        (Scope(sources=("unheard_of",)), "UTC"),
        (Scope(projects=("brand/unheard of",)), "UTC"),
    ],
    ids=str,
)
def test_a_key_that_is_bound_has_the_clock_of_what_it_reads(scope: Scope, zone: str) -> None:
    def rows(sql: str) -> list[dict[str, str]]:
        if "marts.sources" in sql:
            return [
                {"source": "brand", "time_zone": "Europe/Paris"},
                {"source": "bank", "time_zone": "UTC"},
            ]
        return [
            {"source": "brand", "project_id": id, "time_zone": zone}
            for id, zone in (
                ("fr", "Europe/Paris"),
                ("be", "Europe/Paris"),
                ("uk", "Europe/London"),
            )
        ]

    snapshot: Any = SimpleNamespace(scope=scope, rows=rows, once=lambda make: make(snapshot))
    assert clock_of(snapshot) == Clock(zone)
    assert clock_of(snapshot, "Asia/Tokyo") == Clock("Asia/Tokyo")
