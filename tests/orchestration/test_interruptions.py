"""What ends `make run` from outside: a closed terminal and a polite kill end it as Ctrl-C does.

The run itself is replaced by one that sleeps; a kill that asks nobody is test_kills' business.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from orchestration import instance as dagster_instance
from orchestration import run
from throughline.settings import REPOSITORY, Settings

SLEEPING = """
import sys, time
from orchestration import run

def sleep(settings, *, narrator, **_):
    try:
        narrator.say("asleep")
        time.sleep(120)
    finally:
        narrator.say("woken")

run.run = sleep
sys.exit(run.main())
"""
SLEEPING_STEP = """
import sys, time
import dagster as dg
from orchestration import interruptions
from throughline.engine import locks
from orchestration.instance import open_instance
from throughline.settings import load_settings

interruptions.heed()
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
    ).execute_in_process(instance=instance, run_id=run_id, raise_on_error=False)
"""


def _heed_signals() -> None:
    """As in a terminal, whoever started the tests: `nohup` and a shell's `&` are handed down."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _start(
    code: str, settings: Settings, *arguments: str, first: Callable[[], object] = _heed_signals
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=first,
    )


def _wait_until_asleep(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "asleep"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_end_says_so_and_ends_with_the_status_of_an_interruption(
    settings: Settings, number: signal.Signals
) -> None:
    process = _start(SLEEPING, settings)
    _wait_until_asleep(process)
    process.send_signal(number)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == run.INTERRUPTED
    assert "woken" in said
    assert "Interrupted. The next run takes up" in errors
    assert "Traceback" not in errors


def test_a_run_whose_terminal_is_closed_ends_as_an_interrupted_one(settings: Settings) -> None:
    ours, its = pty.openpty()

    def take_terminal() -> None:
        _heed_signals()
        os.setsid()
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPING],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment()},
        stdin=its,
        stdout=its,
        stderr=its,
        preexec_fn=take_terminal,
    )
    os.close(its)
    try:
        said = b""
        while b"asleep" not in said:
            said += os.read(ours, 1000)
    finally:
        os.close(ours)
    assert process.wait(timeout=60) == run.INTERRUPTED


def test_a_run_that_was_started_with_nohup_outlives_the_terminal(settings: Settings) -> None:
    def with_nohup() -> None:
        _heed_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = _start(SLEEPING, settings, first=with_nohup)
    _wait_until_asleep(process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == run.INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_end_while_a_step_works_is_not_left_as_one_that_is_on(
    settings: Settings, number: signal.Signals
) -> None:
    run_id = "11111111-2222-3333-4444-555555555555"
    process = _start(SLEEPING_STEP, settings, run_id)
    _wait_until_asleep(process)
    process.send_signal(number)
    process.communicate(timeout=60)
    with dagster_instance.open_instance(settings) as instance:
        ended = instance.get_run_by_id(run_id)
        assert ended is not None
        assert ended.is_finished
        assert ended.status != dg.DagsterRunStatus.SUCCESS
        claims = instance.event_log_storage.get_concurrency_info("duckdb")
        assert claims.active_slot_count == 0


def test_the_statuses_that_the_readme_promises_are_those_of_the_command_and_not_of_make(
    tmp_path: Path,
) -> None:
    for status in (run.FAILED, run.BUSY, run.INTERRUPTED):
        command = tmp_path / f"ends-with-{status}"
        command.write_text(f"#!/bin/sh\nexit {status}\n", encoding="utf-8")
        command.chmod(0o755)
        # The lock stands for itself as installed, so that nothing is set up.
        done = subprocess.run(
            ["make", "run", f"PYTHON={command}", "INSTALLED=requirements.lock"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, "what GNU make gives for every failure"
        assert f"Error {status}" in done.stderr
    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    assert "`make` itself ends with 2 whatever failed" in readme
    assert "`.venv/bin/throughline run`" in readme
    for status in (run.FAILED, run.CANNOT_START, run.BUSY, run.INTERRUPTED):
        assert f"{status} when" in readme
