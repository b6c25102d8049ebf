"""Landed files go when they were loaded whole, are published and old; and no other file does."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from landing_zone import LandingZone

from throughline.keeping import retention
from throughline.landing import arrivals, ledger
from throughline.settings import REPOSITORY, Settings

HEAD = "contact_id,started_at\n"
GOOD = HEAD + "c1,2026-03-01T10:00:00Z\n"
LOADED = datetime(2026, 3, 2)


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LandingZone:
    """A landing zone whose files are kept for ten days; what is loaded at first is of one day."""
    monkeypatch.setattr(ledger, "now", lambda: LOADED)
    # A file that was written just now is hashed once more, later: here at once.
    monkeypatch.setattr("throughline.landing.opening.FRESH_NS", 0)
    return LandingZone(tmp_path, LANDING_RETENTION_DAYS="10")


def _later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    monkeypatch.setattr(ledger, "now", lambda: LOADED + timedelta(days=days))


def _left(settings: Settings) -> set[str]:
    found = settings.landing_dir.rglob("*")
    return {path.relative_to(settings.landing_dir).as_posix() for path in found if path.is_file()}


def test_what_is_loaded_whole_published_and_old_goes(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.write("shop/contacts/day=1/a.csv", GOOD)
    zone.write("shop/contacts/same.csv", GOOD)
    zone.write("shop/messages/b.jsonl.gz", "damaged")
    zone.write("shop/contacts/half.csv", HEAD + "c2,2026-03-01T11:00:00Z\nc3,soon\n")
    zone.write("shop/nothing/c.csv", GOOD)
    zone.land()
    zone.write("shop/contacts/unpublished.csv", GOOD.replace("c1", "c4"))
    newest = len(zone.loads())
    zone.land()
    zone.write("shop/contacts/waits.csv", GOOD.replace("c1", "c5"))

    assert retention.remove_expired(zone.settings, newest) is None
    _later(monkeypatch, 9)
    assert retention.remove_expired(zone.settings, newest) is None
    _later(monkeypatch, 11)
    told = retention.remove_expired(zone.settings, newest)

    assert told is not None
    assert told.startswith("Removed 2 files of the landing zone, loaded more than 10 days ago")
    assert _left(zone.settings) == {
        "shop/messages/b.jsonl.gz",
        "shop/contacts/half.csv",
        "shop/nothing/c.csv",
        "shop/contacts/unpublished.csv",
        "shop/contacts/waits.csv",
    }
    # Nor is anything lost or loaded again.
    rows = len(zone.rows("from raw.contacts"))
    zone.land()
    assert len(zone.rows("from raw.contacts")) == rows + 1
    zone.write("shop/contacts/once_more.csv", GOOD)
    zone.land()
    assert len(zone.rows("from raw.contacts")) == rows + 1


def test_a_file_that_was_changed_after_it_was_read_stays(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("shop/contacts/a.csv", GOOD)
    zone.land()
    path.write_text(GOOD.replace("c1", "c2"), encoding="utf-8")
    _later(monkeypatch, 11)
    assert retention.remove_expired(zone.settings, 1) is None
    assert path.exists()


def test_a_landing_zone_that_became_empty_by_it_is_not_taken_for_a_lost_disk(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("shop/contacts/a.csv", GOOD)
    zone.land()
    _later(monkeypatch, 11)
    assert retention.remove_expired(zone.settings, 1) is not None
    assert not path.exists()
    assert arrivals.emptied(zone.settings) is None
    assert not arrivals.anything_new(zone.settings)
    # One that somebody else emptied is.
    zone.write("shop/contacts/b.csv", GOOD.replace("c1", "c2"))
    zone.land()
    (zone.settings.landing_dir / "shop/contacts/b.csv").unlink()
    assert arrivals.emptied(zone.settings) is not None


def test_files_stay_without_the_setting_and_those_of_the_sample_always(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zone.write("shop/contacts/a.csv", GOOD)
    zone.land()
    _later(monkeypatch, 999)
    silent = zone.settings.replaced(landing_retention_days=None)
    assert retention.remove_expired(silent, 1) is None
    sample = zone.settings.replaced(landing_dir=REPOSITORY / "seeds" / "sample_logs")
    monkeypatch.setattr(retention, "expired", lambda *_: pytest.fail("they were looked at"))
    assert retention.remove_expired(sample, 1) is None
    assert path.exists()
