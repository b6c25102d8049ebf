"""What a usual day is: by weekday, by spread, and never by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from throughline.building import usual
from throughline.landing import days as counting
from throughline.landing.database import _LEDGERS

SUNDAY = date(2026, 3, 29)


def _days(until: date, number: int, rows: int = 100) -> dict[date, int]:
    """So many days up to one, fewer rows at weekends, never quite the same."""
    found = {}
    for back in range(number):
        day = until - timedelta(days=back)
        found[day] = (rows // 10 if day.weekday() > 4 else rows) + back % 3
    return found


def test_a_day_is_compared_with_its_own_weekday() -> None:
    days = _days(SUNDAY, 70)
    found = usual.volume(days, SUNDAY)
    assert found is not None
    assert (found.weeks, found.is_unusual) == (8, False)
    assert 10 <= found.usual <= 12
    # As many rows as on a Sunday are few on a Friday.
    friday = SUNDAY - timedelta(days=2)
    assert not usual.volume(days, friday).is_unusual  # type: ignore[union-attr]
    assert usual.volume({**days, friday: 11}, friday).is_unusual  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rows", "is_unusual"), [(0, True), (35, True), (45, False), (155, False), (200, True)]
)
def test_far_fewer_and_far_more_rows_are_unusual(rows: int, is_unusual: bool) -> None:
    days = dict.fromkeys((SUNDAY - timedelta(days=back) for back in range(70)), 100)
    found = usual.volume({**days, SUNDAY: rows}, SUNDAY)
    assert found is not None
    assert found.is_unusual is is_unusual


def test_what_varies_much_by_itself_may_vary_and_a_holiday_does_not_spoil_the_rule() -> None:
    days = {SUNDAY - timedelta(weeks=week): 100 + 60 * (-1) ** week for week in range(1, 9)}
    assert not usual.volume({**days, SUNDAY: 250}, SUNDAY).is_unusual  # type: ignore[union-attr]
    steady = {SUNDAY - timedelta(weeks=week): 1000 for week in range(1, 9)}
    steady[SUNDAY - timedelta(weeks=2)] = 0
    assert usual.volume({**steady, SUNDAY: 300}, SUNDAY).is_unusual  # type: ignore[union-attr]


def test_who_is_known_for_less_than_four_weeks_is_not_judged() -> None:
    assert usual.volume({}, SUNDAY) is None
    assert usual.volume(_days(SUNDAY, 28), SUNDAY) is None
    assert usual.volume(_days(SUNDAY, 29), SUNDAY) is not None
    assert usual.silence(_days(SUNDAY, 28), SUNDAY) is None
    assert usual.silence({}, SUNDAY) is None


def test_silence_is_measured_by_the_longest_one_of_the_last_weeks() -> None:
    working = {day: rows for day, rows in _days(SUNDAY, 70).items() if day.weekday() < 5}
    assert usual.silence(working, SUNDAY) == (2, 2)
    assert usual.silence(working, SUNDAY + timedelta(days=1)) == (3, 2)
    # A break of a year ago is not usual any more.
    old = SUNDAY - timedelta(days=365)
    assert usual.silence({**working, old: 1}, SUNDAY) == (2, 2)


# --- the questions to the warehouse


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        connection.execute(_LEDGERS)
        connection.execute(counting.TABLE)
        yield connection


def _load(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    log: str,
    days: dict[date, int],
    loaded_at: datetime,
) -> None:
    [(load_no,)] = connection.execute("select count(*) + 1 from raw.loads").fetchall()
    connection.execute(
        "insert into raw.loads by name select $load_no as load_no, $source as source, $log as log,"
        " 'p' as path, $load_no::varchar as content_sha256, 1 as bytes, 'loaded' as status,"
        " 1 as rows_read, 1 as rows_loaded, 0 as rows_rejected, 0 as rows_local_time,"
        " $loaded_at as loaded_at, 1 as seconds, 'r' as run_id",
        {"load_no": load_no, "source": source, "log": log, "loaded_at": loaded_at},
    )
    connection.executemany(
        "insert into raw.day_counts values ($load_no, $source, $log, $day, $rows)",
        [
            {"load_no": load_no, "source": source, "log": log, "day": day, "rows": rows}
            for day, rows in days.items()
        ],
    )


def test_the_last_day_that_is_over_is_judged_whenever_it_is_asked(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    monday = SUNDAY + timedelta(days=1)
    # Of the Monday there is half: it may not be over. Of the Sunday there is a tenth.
    days = {**_days(SUNDAY, 70, rows=1000), SUNDAY: 10, monday: 200}
    _load(warehouse, "shop", "messages", days, datetime(2026, 6, 1))
    found = usual.unusual_volume(warehouse, "messages")
    assert (found.count, found.total) == (1, 1)
    [(source, day, rows, median, _, weeks)] = found.rows
    assert (source, day, rows, weeks) == ("shop", SUNDAY, 10, 8)
    assert 100 <= median <= 102
    # Then it is over, and it is the Monday that lacks rows.
    later = {monday: 1, monday + timedelta(days=1): 7}
    _load(warehouse, "shop", "messages", later, datetime(2026, 6, 2))
    [(_, day, rows, *_)] = usual.unusual_volume(warehouse, "messages").rows
    assert (day, rows) == (monday, 201)


def test_a_log_that_stops_while_the_others_go_on_is_silent_and_lacks_its_rows(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    at, monday, thursday = (
        datetime(2026, 6, 1),
        SUNDAY + timedelta(days=1),
        SUNDAY - timedelta(days=3),
    )
    _load(warehouse, "shop", "contacts", _days(monday, 70), at)
    _load(warehouse, "shop", "messages", _days(thursday, 70, rows=1000), at)
    _load(warehouse, "cafe", "contacts", _days(monday - timedelta(days=1), 70), at)
    # A source that delivers a day later is not silent for that.
    assert usual.unusual_silence(warehouse, "contacts").count == 0
    assert usual.unusual_silence(warehouse, "messages").rows == [("shop", thursday, 3, 0)]
    assert usual.unusual_volume(warehouse, "contacts").count == 0
    assert usual.unusual_volume(warehouse, "messages").rows[0][2] == 0
    # Who never sent a log is not missed.
    assert usual.unusual_silence(warehouse, "ratings").total == 0


def test_a_day_of_the_future_is_a_fault_of_a_clock(warehouse: duckdb.DuckDBPyConnection) -> None:
    days = {**_days(SUNDAY, 70), date(2199, 1, 1): 1}
    _load(warehouse, "shop", "contacts", days, datetime(2026, 3, 30, 1))
    assert usual.unusual_silence(warehouse, "contacts").count == 0
    assert usual.unusual_volume(warehouse, "contacts").count == 0


def test_a_few_rows_where_there_are_usually_none_are_chance() -> None:
    days = dict.fromkeys((SUNDAY - timedelta(weeks=week) for week in range(9)), 0)
    assert not usual.volume({**days, SUNDAY: 3}, SUNDAY).is_unusual  # type: ignore[union-attr]
    assert usual.volume({**days, SUNDAY: 30}, SUNDAY).is_unusual  # type: ignore[union-attr]
