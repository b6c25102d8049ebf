"""The sensor on new files, and the schedule."""

from __future__ import annotations

import re
import time
from typing import Any

import dagster as dg
import duckdb
import pytest
from folders import write_log

from orchestration import attempts
from orchestration.defs import automation as automation_module
from throughline import landing
from throughline.engine import locks
from throughline.publishing import gate
from throughline.settings import Settings

CONTACTS = "contact_id,started_at\n1,2026-11-01T10:00:00Z\n"


@pytest.fixture
def sensor() -> dg.SensorDefinition:
    from orchestration.defs.automation import automation

    found = next(one for one in automation().sensors or [] if one.name == "new_files")
    assert isinstance(found, dg.SensorDefinition)
    return found


def _look(sensor: dg.SensorDefinition, settings: Settings, cursor: str | None = None) -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"settings": settings}
        )
        return sensor(context)


def _load(settings: Settings) -> None:
    with landing.connect(settings) as connection:
        landing.prepare(connection)
        for log in landing.LOGS:
            landing.land_log(connection, settings, log, run_id="test")


def test_a_new_file_starts_one_run(sensor: dg.SensorDefinition, settings: Settings) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    found = _look(sensor, settings)
    assert isinstance(found, dg.SensorResult)
    [request] = found.run_requests or []
    assert request.run_key == found.cursor

    again = _look(sensor, settings, found.cursor)
    assert isinstance(again, dg.SkipReason)

    write_log(settings, "shop", "contacts", "b.csv", CONTACTS.replace("1,", "2,"))
    assert isinstance(_look(sensor, settings, found.cursor), dg.SensorResult)


def test_an_empty_landing_zone_starts_nothing(
    sensor: dg.SensorDefinition, settings: Settings
) -> None:
    assert isinstance(_look(sensor, settings), dg.SkipReason)


def test_files_that_are_loaded_and_published_start_nothing(
    sensor: dg.SensorDefinition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    _load(settings)
    monkeypatch.setattr(gate, "is_up_to_date", lambda settings, *, waits: not waits)
    found = _look(sensor, settings)
    assert isinstance(found, dg.SkipReason)
    assert "every file is loaded, and what is loaded is published" in str(found.skip_message)


def test_a_landing_zone_that_was_emptied_is_said_at_each_look(
    sensor: dg.SensorDefinition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    _load(settings)
    path.unlink()
    monkeypatch.setattr(gate, "is_up_to_date", lambda settings, *, waits: not waits)
    found = _look(sensor, settings)
    assert isinstance(found, dg.SkipReason)
    assert "is empty, and files were loaded from it before" in str(found.skip_message)


def _failed_refresh(instance: dg.DagsterInstance) -> str:
    """A run of the refresh that has just failed."""

    @dg.op
    def fail() -> None:
        raise ValueError("a fault that stays")

    @dg.job(name="refresh")
    def refresh() -> None:
        fail()

    return refresh.execute_in_process(instance=instance, raise_on_error=False).run_id


def test_what_is_loaded_and_not_published_is_tried_again_less_and_less_often_and_not_for_ever(
    sensor: dg.SensorDefinition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    with dg.DagsterInstance.ephemeral() as instance:
        clock = time.time
        now, cursor = clock(), None
        monkeypatch.setattr(automation_module.time, "time", lambda: now)

        def look() -> Any:
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"settings": settings}
            )
            found = sensor(context)
            return found, getattr(found, "cursor", None) or context.cursor

        first, cursor = look()
        assert isinstance(first, dg.SensorResult)
        # The run loads the file and fails; from now on no file waits.
        _load(settings)
        failed = _failed_refresh(instance)
        now = clock() + 1
        keys = {request.run_key for request in first.run_requests or []}
        pauses = []
        for _ in range(attempts.MAX_TRIES - 1):
            began = now
            while True:
                now += 60
                found, cursor = look()
                if isinstance(found, dg.SensorResult):
                    break
                assert f"run {failed[:8]}, failure" in str(found.skip_message)
                assert re.search(r"try \d of 6 comes in \d+ min", str(found.skip_message))
            pauses.append(round((now - began) / 60))
            keys |= {request.run_key for request in found.run_requests or []}
        assert pauses == [2, 4, 8, 16, 32]
        assert len(keys) == attempts.MAX_TRIES, "Dagster passes over a key that it has seen"

        now += 7 * 86_400
        found, cursor = look()
        assert isinstance(found, dg.SkipReason)
        assert "6 runs did not change that" in str(found.skip_message)
        assert "start the refresh by hand" in str(found.skip_message)

        # A new file is a new beginning.
        write_log(settings, "shop", "contacts", "b.csv", CONTACTS.replace("1,", "2,"))
        found, cursor = look()
        assert isinstance(found, dg.SensorResult)
        assert attempts.Memory.of(cursor).tries == 1


def test_a_pause_begins_when_the_run_that_failed_has_ended() -> None:
    unpublished = attempts.Look("seen", has_new=False, is_published=False)
    tried = attempts.Memory("seen", 1, 1000)
    long_run_ended = 1000 + 3600
    _, reason = attempts.decide(
        tried, unpublished, now=long_run_ended + 60, last_run_ended=long_run_ended
    )
    assert "try 2 of 6 comes in 1 min" in reason
    again, reason = attempts.decide(
        tried, unpublished, now=long_run_ended + 120, last_run_ended=long_run_ended
    )
    assert not reason
    assert again.tries == 2


def test_a_run_that_published_ends_the_tries() -> None:
    done = attempts.Look("seen", has_new=False, is_published=True)
    memory, reason = attempts.decide(attempts.Memory("seen", 6, 1000), done, now=2000)
    assert memory.tries == 0
    assert reason


def test_a_cursor_of_an_older_version_is_read() -> None:
    assert attempts.Memory.of("0a1b") == attempts.Memory("0a1b", 0, 0)
    assert attempts.Memory.of(None) == attempts.Memory()
    memory = attempts.Memory("0a1b", 3, 1700000000)
    assert attempts.Memory.of(memory.cursor) == memory


def test_a_file_that_no_run_manages_to_load_is_tried_again_too(
    sensor: dg.SensorDefinition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    found = _look(sensor, settings)
    assert isinstance(found, dg.SensorResult)
    later = time.time() + attempts.FIRST_PAUSE_SECONDS
    monkeypatch.setattr(automation_module.time, "time", lambda: later)
    again = _look(sensor, settings, found.cursor)
    assert isinstance(again, dg.SensorResult)
    assert attempts.Memory.of(again.cursor).tries == 2


def test_a_warehouse_that_cannot_be_read_is_left_to_a_run_which_says_what_to_do(
    sensor: dg.SensorDefinition, settings: Settings
) -> None:
    settings.warehouse_dir.mkdir()
    settings.warehouse_file.write_bytes(b"no database at all" * 1000)
    assert isinstance(_look(sensor, settings), dg.SensorResult)


def test_no_run_is_started_beside_a_make_run_that_has_not_come_to_its_steps(
    sensor: dg.SensorDefinition, settings: Settings
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    with locks.held(settings, "run", wait_seconds=0):
        assert isinstance(_look(sensor, settings), dg.SkipReason)


def test_the_sensor_does_not_wait_for_a_run(
    sensor: dg.SensorDefinition, settings: Settings
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    with locks.warehouse(settings, wait_seconds=0):
        found = _look(sensor, settings)
    assert isinstance(found, dg.SkipReason)
    assert "in use" in str(found.skip_message)


def test_the_sensor_leaves_the_warehouse_free(
    sensor: dg.SensorDefinition, settings: Settings
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    _load(settings)
    _look(sensor, settings)
    duckdb.connect(str(settings.warehouse_file)).close()


def test_the_schedule_and_the_sensor_are_on_and_start_the_whole_refresh() -> None:
    from orchestration.defs.automation import automation

    found = automation()
    [schedule] = found.schedules or []
    sensor = next(one for one in found.sensors or [] if one.name == "new_files")
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert isinstance(sensor, dg.SensorDefinition)
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert schedule.job_name == sensor.job_name == "refresh"
    assert schedule.cron_schedule == "15 4 * * *"
