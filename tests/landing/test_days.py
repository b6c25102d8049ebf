"""Rows are counted by their day when they are loaded, each load once."""

from __future__ import annotations

from pathlib import Path

from landing_zone import LandingZone

from throughline import landing
from throughline.landing import days

HEAD = "contact_id,started_at\n"


def _counts(zone: LandingZone) -> list[tuple[object, ...]]:
    found = zone.rows(
        "select source, log, load_no, cast(day as varchar) as day, rows from raw.day_counts"
        " order by all"
    )
    return [tuple(row.values()) for row in found]


def test_each_load_is_counted_once_by_the_day_that_its_rows_tell_of(zone: LandingZone) -> None:
    zone.write(
        "shop/contacts/a.csv",
        HEAD + "c1,2026-03-01T23:59:59Z\nc2,2026-03-01T23:30:00-01:00\nc3,2026-03-01\nc4,soon\n",
    )
    zone.write("shop/agents/a.csv", "agent_id\na1\n")
    zone.land()
    first = [("shop", "contacts", 1, "2026-03-01", 2), ("shop", "contacts", 1, "2026-03-02", 1)]
    assert _counts(zone) == first
    zone.land()
    assert _counts(zone) == first
    zone.write("cafe/contacts/b.csv", HEAD + "c1,2026-03-01T10:00:00Z\n")
    zone.land()
    assert _counts(zone) == [("cafe", "contacts", 3, "2026-03-01", 1), *first]


def test_a_day_is_one_of_the_source(zone: LandingZone, tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    registry.mkdir()
    text = "source,time_zone\nshop,Asia/Kathmandu\n"
    (registry / "sources.csv").write_text(text, encoding="utf-8")
    zone.settings = zone.settings.replaced(registry_dir=registry)
    # Midnight there is a quarter past six in the evening.
    zone.write(
        "shop/contacts/a.csv",
        HEAD + "c1,2026-03-01T18:14:59Z\nc2,2026-03-01T18:15:00Z\nc3,2026-03-01T18:29:59Z\n",
    )
    zone.land()
    assert [row[3:] for row in _counts(zone)] == [("2026-03-01", 1), ("2026-03-02", 2)]


def test_what_a_killed_run_loaded_and_an_older_version_kept_is_counted_by_the_next(
    zone: LandingZone,
) -> None:
    zone.write("shop/contacts/a.csv", HEAD + "c1,2026-03-01T10:00:00Z\n")
    zone.land()
    with zone.connected() as connection:
        connection.execute("drop table raw.day_counts")
    zone.land()
    assert len(_counts(zone)) == 1


def test_every_log_but_the_agents_has_days() -> None:
    without = [name for name, log in landing.LOGS.items() if days.instant(log) is None]
    assert without == ["agents"]
