"""`throughline status`: what it says when nothing is there, while a run is on, and when all is bad.

A run that went well, and its status, are test_whole_run's.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from folders import make_settings, write_log

from orchestration import outcomes, status
from orchestration.defs import automation
from throughline import engine, landing
from throughline.engine import locks
from throughline.published.manifest import MANIFEST_NAME
from throughline.settings import Settings

CONTACTS = "contact_id,started_at\n1,2026-11-01T10:00:00Z\n2,soon\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = make_settings(tmp_path)
    write_log(found, "shop", "contacts", "a.csv", CONTACTS)
    return found


def _load(settings: Settings) -> None:
    """What the first step of a run leaves."""
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    with landing.connect(settings) as connection:
        landing.prepare(connection)
        landing.land_log(connection, settings, "contacts")


def test_where_nothing_is_yet_it_says_how_to_begin_and_leaves_nothing(settings: Settings) -> None:
    found = status.look(settings)
    assert len(found.attention) == 1
    assert "`throughline run`" in found.attention[0]
    assert found.waiting == ["shop/contacts/a.csv"]
    assert not settings.warehouse_dir.exists()
    told = status.render(found)
    assert told.startswith("NEEDS ATTENTION")
    assert "1 file\n" in told


def test_it_says_what_waits_and_what_was_rejected(settings: Settings) -> None:
    _load(settings)
    write_log(settings, "shop", "contacts", "b.csv", CONTACTS)
    found = status.look(settings)
    assert found.waiting == ["shop/contacts/b.csv"]
    assert found.rejected is not None
    assert [(one.log, one.rows, one.files) for one in found.rejected] == [("contacts", 1, 0)]
    assert "contacts: 1 row, since the beginning" in status.render(found)


def test_while_a_run_is_on_it_neither_waits_nor_opens_the_warehouse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(settings)
    monkeypatch.setattr(engine, "connect", lambda *_, **__: pytest.fail("it was opened"))
    with locks.held(settings, "run", wait_seconds=0), locks.warehouse(settings, wait_seconds=0):
        found = status.look(settings)
    assert found.run_is_on
    assert (found.waiting, found.rejected, found.attention) == (None, None, [])
    told = status.render(found)
    assert told.startswith("A run is on.")
    assert told.count("not known: a run has the warehouse open") == 2
    assert json.loads(status.as_json(found))["waiting"] is None


def test_another_program_that_has_the_warehouse_open_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(settings)

    def held(*_: object, **__: object) -> None:
        raise engine.HeldError("Another program has it open: close it.")

    monkeypatch.setattr(engine, "connect", held)
    found = status.look(settings)
    assert "Another program has it open: close it." in found.attention
    assert found.waiting is None


def test_a_damaged_manifest_and_a_damaged_warehouse_are_told_with_their_remedies(
    settings: Settings,
) -> None:
    settings.published_dir.mkdir(parents=True)
    (settings.published_dir / MANIFEST_NAME).write_text("{half", encoding="utf-8")
    settings.warehouse_file.write_bytes(b"no database at all" * 1000)
    found = status.look(settings)
    assert found.version is None
    assert any("remove it, and the next publish writes it anew" in one for one in found.attention)
    assert any("Restore" in one and "backup" in one for one in found.attention)
    assert "not known: the warehouse cannot be read" in status.render(found)


def test_a_landing_zone_that_is_not_there_is_told(settings: Settings) -> None:
    away = settings.replaced(landing_dir=settings.landing_dir / "nowhere")
    assert any(str(away.landing_dir) in one for one in status.look(away).attention)


def test_the_last_failure_is_told_with_its_remedy_until_a_run_goes_well(
    settings: Settings,
) -> None:
    _load(settings)
    outcomes.record(settings)
    went_well = outcomes.read(settings)
    outcomes.record(settings, "Step raw__contacts failed:\n    the disk is full. Make room.")
    found = status.look(settings)
    assert found.last_run is not None
    assert found.last_run.succeeded_at == (went_well and went_well.ended_at)
    assert "see below" in found.attention[-1]
    assert "    the disk is full. Make room." in status.render(found)
    outcomes.record(settings)
    assert "The last failure" not in status.render(status.look(settings))


def test_a_good_run_that_is_long_ago_is_told(settings: Settings) -> None:
    _load(settings)
    old = (datetime.now(UTC) - timedelta(hours=31)).isoformat()
    kept = outcomes.Outcome(old, failed=False, succeeded_at=old)
    record = settings.warehouse_dir / "last_run.json"
    record.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    assert "No run has ended well for 1 d 7 h" in " ".join(status.look(settings).attention)
    patient = status.look(settings.replaced(freshness_hours=48))
    assert "No run has ended well" not in " ".join(patient.attention)


def test_a_record_that_cannot_be_kept_does_not_change_how_a_run_ends(settings: Settings) -> None:
    settings.warehouse_dir.mkdir(parents=True)
    (settings.warehouse_dir / "last_run.json").mkdir()
    outcomes.record(settings, "failed")
    assert outcomes.read(settings) is None


def test_what_fails_under_the_daemon_is_kept_too(settings: Settings) -> None:
    assert automation.refresh.hooks == {automation.keep_failure}
    settings.warehouse_dir.mkdir(parents=True)

    @dg.op
    def step() -> None: ...

    for error, told in (
        (dg.Failure("One check does not hold."), "One check does not hold."),
        (duckdb.Error("a fault"), "Error: a fault"),
    ):
        context = dg.build_hook_context(
            resources={"settings": settings}, op=step, op_exception=error
        )
        automation.keep_failure(context)
        kept = outcomes.read(settings)
        assert kept is not None
        assert kept.failed
        assert kept.problem.endswith(told)


def test_it_fits_a_screen(settings: Settings) -> None:
    _load(settings)
    for number in range(20):
        write_log(settings, "shop", "contacts", f"b{number}.csv", CONTACTS)
    outcomes.record(settings, "\n".join(f"line {number}" for number in range(40)))
    lines = status.render(status.look(settings)).splitlines()
    assert len(lines) <= 40
    home = str(settings.warehouse_dir)
    assert [line for line in lines if len(line) > 80 and home not in line] == []
