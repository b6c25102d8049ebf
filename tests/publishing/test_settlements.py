"""When the rows of the reports settle, from one delivery to the next.

Belongs here: that a row is provisional until its source's lateness says otherwise, and that a run
which brings nothing for a period settles it all the same. Does not belong here: the rule by itself
(the unit tests of `settlements` and `lateness`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from harness import Pipeline, Row

DAYS = """
    select period_start, is_provisional, settles_at
    from reports.{report}
    where period_grain = 'day' and dimension = 'source'
    order by period_start
"""
REPORTS = ("contacts_report", "statistical_report")


class Deliveries:
    """Three of them: a history, a day of 120 contacts half a day later, and the day after."""

    def __init__(self, home: Path) -> None:
        self.pipeline = Pipeline(home, sources=[{"source": "shop", "time_zone": "UTC"}])
        self.days: list[dict[str, list[Row]]] = []
        with pytest.MonkeyPatch.context() as patched:
            for day, count in ((1, 3), (2, 120), (3, 1)):
                self._write(day, count)
                loaded_at = datetime(2026, 3, day + 1)
                patched.setattr("throughline.landing.ledger.now", lambda at=loaded_at: at)
                self.pipeline.run()
                self.days.append(self._read())
        self.was_refreshed = self.pipeline.is_refresh
        self.lateness = self.pipeline.query("select * from metrics.lateness")
        self.refreshed = self._all()
        self.pipeline.rebuild()
        self.rebuilt = self._all()

    def _write(self, day: int, count: int) -> None:
        at = f"2026-03-0{day}T12:00:00Z"
        self.pipeline.write(
            "shop",
            "contacts",
            [
                {
                    "contact_id": f"c{day}-{number}",
                    "started_at": at,
                    "ended_at": at,
                    "end_reason": "close",
                }
                for number in range(count)
            ],
        )

    def _read(self) -> dict[str, list[Row]]:
        return {report: self.pipeline.query(DAYS.format(report=report)) for report in REPORTS}

    def _all(self) -> dict[str, list[Row]]:
        names = [f"reports.{name}" for name in REPORTS]
        names += ["metrics.settlements", "metrics.lateness", "marts.arrivals"]
        return {name: self.pipeline.query(f"from {name} order by all") for name in names}


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Deliveries:
    return Deliveries(tmp_path_factory.mktemp("deliveries"))


def test_lateness_is_that_of_the_deliveries_after_the_first(deliveries: Deliveries) -> None:
    [contacts] = deliveries.lateness
    assert (contacts["record_count"], contacts["backfilled_count"]) == (121, 3)
    assert (contacts["within_hour_count"], contacts["within_day_count"]) == (0, 121)
    assert contacts["settled_seconds"] == 12 * 3600


@pytest.mark.parametrize("report", REPORTS)
def test_a_period_settles_when_its_time_has_come_whatever_the_run_brings(
    deliveries: Deliveries, report: str
) -> None:
    told = [
        [(row["is_provisional"], row["settles_at"]) for row in days[report]]
        for days in deliveries.days
    ]
    noons = [datetime(2026, 3, day, 12) for day in (2, 3, 4)]
    assert told == [
        # Nothing is known, and the day is over.
        [(False, None)],
        [(False, noons[0]), (True, noons[1])],
        [(False, noons[0]), (False, noons[1]), (True, noons[2])],
    ]


def test_what_a_refresh_settles_is_what_a_rebuild_does(deliveries: Deliveries) -> None:
    assert deliveries.was_refreshed
    assert deliveries.refreshed == deliveries.rebuilt
