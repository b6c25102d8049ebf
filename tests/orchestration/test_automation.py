"""The sensor on new files, and the schedule."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb
import pytest
from folders import write_log

from orchestration import landing, locks
from orchestration.settings import Settings

CONTACTS = "contact_id,started_at\n1,2026-11-01T10:00:00Z\n"


@pytest.fixture
def sensor() -> dg.SensorDefinition:
    from orchestration.defs.automation import automation

    [found] = automation().sensors or []
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


def test_files_that_are_loaded_start_nothing(
    sensor: dg.SensorDefinition, settings: Settings
) -> None:
    write_log(settings, "shop", "contacts", "a.csv", CONTACTS)
    _load(settings)
    found = _look(sensor, settings)
    assert isinstance(found, dg.SkipReason)
    assert "loaded" in str(found.skip_message)


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
    [sensor] = found.sensors or []
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert isinstance(sensor, dg.SensorDefinition)
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert schedule.job_name == sensor.job_name == "refresh"
    assert schedule.cron_schedule == "15 4 * * *"
