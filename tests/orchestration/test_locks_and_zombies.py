"""Two runs never write at once, and a killed run blocks nobody."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration import history, run, ui
from orchestration import instance as dagster_instance
from orchestration.defs import shared
from orchestration.defs.automation import automation
from orchestration.narrator import Narrator
from throughline.engine import locks
from throughline.settings import REPOSITORY, Settings

OPENING = """
import sys, time
import duckdb

connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(120)
"""
SLEEPING_RUN = """
import sys, time
import dagster as dg
from throughline.engine import locks
from orchestration.instance import open_instance
from throughline.settings import load_settings

settings = load_settings()
run_id = sys.argv[1]
locks.claim_life(settings, run_id)

@dg.asset(pool="duckdb")
def sleeper():
    print("asleep", flush=True)
    time.sleep(120)

with open_instance(settings) as instance:
    dg.Definitions(assets=[sleeper], jobs=[dg.define_asset_job("refresh", "*")]).resolve_job_def(
        "refresh"
    ).execute_in_process(instance=instance, run_id=run_id)
"""

# What `make ui` takes out of the hands of the shell that started it.
ENDING = (signal.SIGINT, signal.SIGTERM)

HOLDING = """
import sys, time
from throughline.engine import locks
from throughline.settings import load_settings

with locks.warehouse(load_settings(), wait_seconds=0):
    print("held", flush=True)
    time.sleep(120)
"""


def _start(code: str, settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_run_that_was_killed_gives_its_place_to_the_next_one(settings: Settings) -> None:
    run_id = "11111111-2222-3333-4444-555555555555"
    process = _start(SLEEPING_RUN, settings, run_id)
    with dagster_instance.open_instance(settings) as instance:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "asleep"
            claims = instance.event_log_storage.get_concurrency_info("duckdb")
            assert claims.active_slot_count == 1
            assert not dagster_instance.end_dead_runs(settings, instance), "it is alive"
        finally:
            _kill(process)

        claims = instance.event_log_storage.get_concurrency_info("duckdb")
        assert claims.active_slot_count == 1, "the leak that this is about"

        assert dagster_instance.end_dead_runs(settings, instance) == [run_id]
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.CANCELED
        claims = instance.event_log_storage.get_concurrency_info("duckdb")
        assert claims.active_slot_count == 0

        @dg.asset(pool="duckdb")
        def next_one() -> None: ...

        begun = time.monotonic()
        assert dg.materialize([next_one], instance=instance).success
        assert time.monotonic() - begun < 30
    assert not list((settings.warehouse_dir / "locks").glob("run-*"))


@pytest.mark.parametrize("name", ["warehouse.duckdb", "outgoing.duckdb"])
def test_a_run_names_the_file_that_another_program_has_open(settings: Settings, name: str) -> None:
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    narrator = Narrator(io.StringIO())
    process = _start(OPENING, settings, str(settings.warehouse_dir / name))
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "open"
        with pytest.raises(run.RunError, match=rf"{name} open: .*\n.*Close it there"):
            run._wait_for_file(settings, narrator, seconds=0)
    finally:
        _kill(process)

    run._wait_for_file(settings, narrator, seconds=0)


def test_a_step_tries_again_when_another_program_has_the_file_open_and_not_otherwise(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(shared, "RETRY_SECONDS", 0)
    process = _start(OPENING, settings, str(settings.warehouse_file))
    tried: list[str] = []

    def open_the(path: Path) -> None:
        tried.append(path.name)
        with shared.sole_user(settings, "a-run"):
            duckdb.connect(str(path)).close()

    @dg.asset
    def held() -> None:
        if tried:
            _kill(process)
        open_the(settings.warehouse_file)

    @dg.asset
    def impossible() -> None:
        open_the(settings.warehouse_dir / "no folder" / "file")

    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "open"
        assert dg.materialize([held]).success
        assert tried == ["warehouse.duckdb", "warehouse.duckdb"]
    finally:
        _kill(process)

    tried.clear()
    assert not dg.materialize([impossible], raise_on_error=False).success
    assert tried == ["file"]


QUEUED_RUN = """
import sys
import dagster as dg
from orchestration import instance as dagster_instance
from orchestration.defs.resources import carried
from throughline.settings import load_settings

settings = load_settings()

@dg.asset(pool="duckdb")
def step(settings: dg.ResourceParam[object]):
    print("the step began", flush=True)

with dagster_instance.open_instance(settings) as instance:
    dg.Definitions(
        assets=[step],
        jobs=[dg.define_asset_job("refresh", "*")],
        resources={"settings": carried(settings)},
        executor=dg.in_process_executor,
    ).resolve_job_def("refresh").execute_in_process(instance=instance, run_id=sys.argv[1])
"""


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_a_run_that_is_killed_while_it_waits_for_its_place_is_ended_too(settings: Settings) -> None:
    run_id = "22222222-2222-3333-4444-555555555555"
    with dagster_instance.open_instance(settings) as instance:
        # Another run has the only place: no step of this one ever begins.
        another = instance.create_run_for_job(dg.GraphDefinition(name="another").to_job())
        instance.event_log_storage.claim_concurrency_slot("duckdb", another.run_id, "step")
        process = _start(QUEUED_RUN, settings, run_id)
        try:
            _wait_for(lambda: locks.is_claimed(settings, run_id), "the run shows no life")
            started = dg.DagsterRunStatus.STARTED
            _wait_for(lambda: _status(instance, run_id) == started, "the run does not start")
            assert dagster_instance.end_dead_runs(settings, instance) == []
        finally:
            _kill(process)
        assert dagster_instance.end_dead_runs(settings, instance) == [run_id]
        assert _status(instance, run_id) == dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("is_known", [True, False], ids=["a run that failed", "an unknown run"])
def test_a_place_that_a_run_could_not_give_back_is_free_again(
    settings: Settings, is_known: bool
) -> None:
    with dagster_instance.open_instance(settings) as instance:
        events = instance.event_log_storage
        run_id = "44444444-2222-3333-4444-555555555555"
        if is_known:
            run = instance.create_run_for_job(dg.GraphDefinition(name="failed").to_job())
            run_id = run.run_id
        events.initialize_concurrency_limit_to_default("duckdb")
        events.claim_concurrency_slot("duckdb", run_id, "step")
        if is_known:
            # A full disk: the run ends, and its place cannot be given back.
            instance.report_run_failed(run)
        assert events.get_concurrency_info("duckdb").active_slot_count == 1
        assert dagster_instance.end_dead_runs(settings, instance) == []
        assert events.get_concurrency_info("duckdb").active_slot_count == 0


def test_a_run_that_waits_for_the_place_of_a_killed_one_gets_it(settings: Settings) -> None:
    run_id = "55555555-2222-3333-4444-555555555555"
    process = _start(SLEEPING_RUN, settings, run_id)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "asleep"
    with dagster_instance.open_instance(settings) as instance:
        events = instance.event_log_storage
        events.claim_concurrency_slot("duckdb", run_id, "step")
        with dagster_instance.ending_dead_runs(settings, instance, seconds=0.1):
            time.sleep(0.5)
            assert events.get_concurrency_info("duckdb").active_slot_count == 1
            _kill(process)
            _wait_for(
                lambda: events.get_concurrency_info("duckdb").active_slot_count == 0,
                "the place stays taken",
            )


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus | None:
    found = instance.get_run_by_id(run_id)
    return found.status if found else None


def test_a_run_that_started_long_ago_and_never_showed_life_is_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dagster_instance.open_instance(settings) as instance:
        run = instance.create_run_for_job(dg.GraphDefinition(name="lost").to_job())
        instance.report_engine_event("starting", run)
        instance.report_dagster_event(
            dg.DagsterEvent("PIPELINE_START", job_name=run.job_name), run.run_id
        )
        assert _status(instance, run.run_id) == dg.DagsterRunStatus.STARTED
        assert dagster_instance.end_dead_runs(settings, instance) == []
        monkeypatch.setattr(dagster_instance, "CLAIMED_WITHIN_SECONDS", 0)
        assert dagster_instance.end_dead_runs(settings, instance) == [run.run_id]
        assert _status(instance, run.run_id) == dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("who", ["the tick of the sensor", "the schedule", "make ui"])
def test_a_killed_run_does_not_block_the_queue_of_the_daemon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    run_id = "33333333-2222-3333-4444-555555555555"
    process = _start(SLEEPING_RUN, settings, run_id)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "asleep"
    _kill(process)
    with dagster_instance.open_instance(settings) as instance:
        assert _status(instance, run_id) == dg.DagsterRunStatus.STARTED
        if who == "make ui":
            became: list[Any] = []
            asked: list[Settings] = []
            monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))
            monkeypatch.setattr(ui, "ensure_manifest", asked.append)
            for name, value in settings.environment().items():
                monkeypatch.setenv(name, value)
            handlers = {number: signal.getsignal(number) for number in ENDING}
            try:
                ui.main()
            finally:
                os.chdir(REPOSITORY)
                for number, handler in handlers.items():
                    signal.signal(number, handler)
            assert became
            assert asked, "Dagster finds the project read"
        else:
            found = automation()
            starters = (found.sensors if who != "the schedule" else found.schedules) or []
            # The sensor of alerts starts no run.
            starter = next(one for one in starters if one.name != "alerts")
            context = (
                dg.build_sensor_context(instance=instance, resources={"settings": settings})
                if who != "the schedule"
                else dg.build_schedule_context(instance=instance, resources={"settings": settings})
            )
            assert callable(starter)
            starter(context)
        assert _status(instance, run_id) == dg.DagsterRunStatus.CANCELED
        assert dagster_instance.end_dead_runs(settings, instance) == []
    # A daemon's runs leave their lock files too; none stays.
    assert not list((settings.warehouse_dir / "locks").glob("run-*"))


def test_the_ui_is_announced_at_the_list_of_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Dagster's timeline leaves out what `make run` ran, and said that there are no runs.
    asked: list[Settings] = []
    monkeypatch.setattr(os, "execve", lambda *_: None)
    monkeypatch.setattr(ui, "ensure_manifest", asked.append)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    handlers = {number: signal.getsignal(number) for number in ENDING}
    try:
        ui.main(3999)
    finally:
        os.chdir(REPOSITORY)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "http://127.0.0.1:3999/runs" in capsys.readouterr().out
    assert asked, "Dagster finds the project read"


def test_whoever_looks_for_the_dead_never_takes_a_run_that_is_just_starting_for_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead: list[str] = []
    flock, looks = fcntl.flock, iter([True])

    def look_first(descriptor: int, operation: int) -> None:
        # The moment before the lock is taken, in which another process may look.
        if next(looks, False):
            dead.extend(locks.dead_runs(settings))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", look_first)
    locks.claim_life(settings, "starting")
    locks.release_life(settings, "starting")
    assert next(looks, "looked") == "looked"
    assert dead == []


def test_the_warehouse_has_one_writer_and_the_kernel_frees_it(settings: Settings) -> None:
    process = _start(HOLDING, settings)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        told = []
        with (
            pytest.raises(locks.LockTimeout, match="another run has kept"),
            locks.held(
                settings, "warehouse", wait_seconds=0.5, on_wait=lambda: told.append("waiting")
            ),
        ):
            pytest.fail("two writers")
        assert told == ["waiting"]
    finally:
        _kill(process)
    with locks.warehouse(settings, wait_seconds=5):
        pass


def test_a_run_without_a_lock_file_is_not_taken_for_dead(settings: Settings) -> None:
    with dagster_instance.open_instance(settings) as instance:
        run = instance.create_run_for_job(
            dg.GraphDefinition(name="waiting").to_job(), status=dg.DagsterRunStatus.STARTED
        )
        assert dagster_instance.end_dead_runs(settings, instance) == []
        kept = instance.get_run_by_id(run.run_id)
        assert kept is not None
        assert kept.status == dg.DagsterRunStatus.STARTED


def test_the_home_of_dagster_is_prepared_with_telemetry_off(settings: Settings) -> None:
    with dagster_instance.open_instance(settings) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled


def test_a_damaged_history_is_put_aside(settings: Settings) -> None:
    with dagster_instance.open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
    for path in settings.dagster_home.rglob("runs.db*"):
        path.write_bytes(b"no database at all" * 1000)
    with dagster_instance.open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
    assert len(list(settings.warehouse_dir.glob("dagster-damaged-*"))) == 1


def _damage(path: Path) -> None:
    """As a loss of power leaves a file whose blocks had not come to the disk."""
    path.write_bytes(bytes(path.stat().st_size or 4096))


def test_a_run_finds_what_a_loss_of_power_has_damaged(settings: Settings) -> None:
    """The events of a run go alone; the index takes the whole history with it, put aside."""
    with dagster_instance.open_instance(settings) as instance, history.written(settings) as told:
        assert told == []
        lost = instance.create_run_for_job(
            dg.GraphDefinition(name="killed").to_job(), status=dg.DagsterRunStatus.STARTED
        )
        instance.report_engine_event("working", lost)
        shard = Path(instance.event_log_storage.path_for_shard(lost.run_id))
    assert (settings.dagster_home / history.MARK).exists()
    with history.written(settings) as told:
        assert told == []
        # Killed here: there is no mark.
        assert not (settings.dagster_home / history.MARK).exists()
        for path in shard.parent.glob(f"{shard.name}-*"):
            path.unlink()
        _damage(shard)
    (settings.dagster_home / history.MARK).unlink()
    with history.written(settings) as told:
        assert [lost.run_id[:8] in line for line in told] == [True]
        assert not shard.exists()
        with dagster_instance.open_instance(settings) as instance:
            instance.report_run_canceled(instance.get_run_by_id(lost.run_id), message="gone")
            assert _status(instance, lost.run_id) == dg.DagsterRunStatus.CANCELED
    (settings.dagster_home / history.MARK).unlink()
    for path in shard.parent.glob("index.db-*"):
        path.unlink()
    _damage(shard.with_name("index.db"))
    with history.written(settings) as told:
        assert ["is put aside as" in line for line in told] == [True]
    assert len(list(settings.warehouse_dir.glob("dagster-damaged-*"))) == 1
    with dagster_instance.open_instance(settings) as instance:
        assert instance.get_runs_count() == 0


def test_dbt_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel of this system does not offer it")
    child = (
        "import os, subprocess, sys, time\n"
        "code = 'from throughline.building.command import _end_with_parent as e; e();'\n"
        'code += \'print(__import__("os").getpid(), flush=True); __import__("time").sleep(120)\'\n'
        "process = subprocess.Popen([sys.executable, '-c', code])\n"
        "time.sleep(120)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", child], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    _kill(parent)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{grandchild}").exists() and time.monotonic() < deadline:
        if "State:\tZ" in Path(f"/proc/{grandchild}/status").read_text(encoding="utf-8"):
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{grandchild}").exists()
