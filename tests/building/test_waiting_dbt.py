"""A dbt that has read its project waits for a command, and runs it as if it were the caller.

On a project of three models. What a whole run makes of it is test_whole_run's business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from throughline.building import command as dbt_command

PROFILES = """\
tiny:
  target: dev
  outputs:
    dev: {type: duckdb, path: tiny.duckdb, threads: 1}
"""
ENDLESS = """\
{{ config(materialized='table') }}
select max(hash(a.range, b.range)) as n from range(1000000) as a, range(1000000) as b
"""


class Project:
    """A dbt project in a folder, and the dbt that waits in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # No path in a socket's address may be as long.
        self.socket = folder / ("deep" * 20) / ("deeper" * 10) / "waiting"
        self.socket.parent.mkdir(parents=True)
        (folder / "models").mkdir()
        (folder / "profiles.yml").write_text(PROFILES, encoding="utf-8")
        (folder / "dbt_project.yml").write_text("name: tiny\nprofile: tiny\n", encoding="utf-8")
        self.write("one", "select '{{ env_var('SAID', 'nothing') }}' as said")
        self.write("broken", "select no_such_column from {{ ref('one') }}")
        self.write("endless", ENDLESS)
        self.waiting: subprocess.Popen[str] | None = None

    def write(self, model: str, text: str) -> None:
        (self.folder / "models" / f"{model}.sql").write_text(text, encoding="utf-8")

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """dbt with some arguments, started."""
        return subprocess.Popen(
            [sys.executable, "-P", dbt_command.__file__, *arguments],
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if "DBT_" not in name},
                "DBT_PROFILES_DIR": str(self.folder),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                **more,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(self) -> subprocess.Popen[str]:
        """Start the dbt that waits; it has read the project when this returns."""
        self.waiting = self.start("--wait", str(self.socket), "--no-write-json", "parse")
        assert self.waiting.stdout is not None
        said = []
        for line in self.waiting.stdout:
            if line.strip() == dbt_command.READY:
                return self.waiting
            said.append(line)
        raise AssertionError("".join(said))

    def hand_over(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """dbt with some arguments and with the address of the dbt that waits, started."""
        return self.start(*arguments, **{dbt_command.WAITING: str(self.socket), **more})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path)
    yield found
    if found.waiting is not None:
        found.waiting.kill()
        found.waiting.wait()


def _said(folder: Path) -> object:
    """What model `one` holds; reading it needs a file that nobody has open."""
    with duckdb.connect(str(folder / "tiny.duckdb")) as connection:
        return connection.execute("select said from main.one").fetchall()


def _wait_until(text: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"ended without a word of {text!r}")


def test_a_command_runs_where_dbt_waits_with_its_own_environment_and_output(
    project: Project,
) -> None:
    waiting = project.wait()
    command = project.hand_over("build", "--select", "one", SAID="hello")
    output, _ = command.communicate(timeout=60)
    assert command.returncode == 0, output
    assert "PASS=1" in output
    assert _said(project.folder) == [("hello",)]
    # It ends with its command, says nothing of it on its own, and leaves nothing behind.
    rest, _ = waiting.communicate(timeout=10)
    assert waiting.returncode == 0
    assert "PASS=1" not in rest
    assert not project.socket.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["build", "--select", "one", "broken"], dbt_command.HANDLED, "no_such_column"),
        (["build", "--no-such-option"], dbt_command.UNHANDLED, "No such option"),
    ],
)
def test_a_command_that_fails_ends_as_it_would_without_waiting(
    project: Project, arguments: list[str], status: int, said: str
) -> None:
    project.wait()
    for command in (project.hand_over(*arguments), project.start(*arguments)):
        output, _ = command.communicate(timeout=60)
        assert command.returncode == status, output
        assert said in output


def test_a_command_does_its_own_work_where_nobody_waits(project: Project) -> None:
    waiting = project.wait()
    waiting.kill()
    waiting.wait()
    assert project.socket.exists(), "as a killed process leaves it"
    command = project.hand_over("build", "--select", "one", SAID="alone")
    output, _ = command.communicate(timeout=60)
    assert command.returncode == 0, output
    assert _said(project.folder) == [("alone",)]


def test_dbt_that_cannot_read_its_project_does_not_wait(project: Project) -> None:
    project.write("one", "{{ not_closed(")
    waiting = project.start("--wait", str(project.socket), "--no-write-json", "parse")
    output, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == dbt_command.UNHANDLED
    assert "one.sql" in output


def test_an_interruption_of_the_command_reaches_the_dbt_that_waited(project: Project) -> None:
    waiting = project.wait()
    command = project.hand_over("build", "--select", "endless")
    _wait_until("START", command)
    time.sleep(0.5)
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=60)
    assert command.returncode != 0
    assert waiting.wait(timeout=10) != 0


def test_dbt_does_not_outlive_a_command_that_was_killed(project: Project) -> None:
    waiting = project.wait()
    command = project.hand_over("build", "--select", "endless")
    _wait_until("START", command)
    command.kill()
    command.wait()
    assert waiting.wait(timeout=10) == -signal.SIGKILL
