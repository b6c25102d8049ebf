"""Two runs never write at once, and a killed run blocks nobody."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import sqlalchemy

from orchestration import instance as dagster_instance
from orchestration import locks, run
from orchestration.defs import shared
from orchestration.narrator import Narrator
from orchestration.settings import REPOSITORY, Settings

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
from orchestration import locks
from orchestration.instance import open_instance
from orchestration.settings import load_settings

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

HOLDING = """
import sys, time
from orchestration import locks
from orchestration.settings import load_settings

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
    home = dagster_instance.prepare_home(settings)
    with dagster_instance.open_instance(settings) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: true\n", encoding="utf-8")
    dagster_instance.prepare_home(settings)
    with dagster_instance.open_instance(settings) as instance:
        assert not instance.telemetry_enabled


def test_a_damaged_history_is_put_aside(settings: Settings) -> None:
    with dagster_instance.open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
    for path in settings.dagster_home.rglob("runs.db*"):
        path.write_bytes(b"no database at all" * 1000)
    with dagster_instance.open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
    assert len(list(settings.warehouse_dir.glob("dagster-damaged-*"))) == 1


def test_the_history_is_written_by_one_engine_for_each_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    create_engine = sqlalchemy.create_engine

    def count(url: str, **options: Any) -> sqlalchemy.Engine:
        made.append(url)
        return create_engine(url, **options)

    monkeypatch.setattr(sqlalchemy, "create_engine", count)
    with dagster_instance.open_instance(settings) as instance:
        for _ in range(2):
            run = instance.create_run_for_job(dg.GraphDefinition(name="one").to_job())
            for _ in range(5):
                instance.report_engine_event("said", run)
        assert len(instance.all_logs(run.run_id)) >= 5
    assert len(made) == len(set(made))
    # The index, the runs, and the events of each of two runs.
    assert {Path(url).name for url in made} >= {"index.db", "runs.db", f"{run.run_id}.db"}


def test_dbt_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel of this system does not offer it")
    child = (
        "import os, subprocess, sys, time\n"
        "code = 'from orchestration.dbt_command import _end_with_parent as e; e();'\n"
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
