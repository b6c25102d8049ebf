"""`throughline`: what it is called, how quickly it answers, and that it passes on what it must."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration import cli, run
from throughline.settings import REPOSITORY, load_settings

COMMANDS = {
    *(
        "run",
        "rebuild",
        "status",
        "verify",
        "check-files",
        "settings",
        "backup",
        "restore",
        "replay",
    ),
    *("ui", "serve", "keys", "dbt", "mf"),
}


def _throughline(
    *arguments: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The command of this checkout, typed in some folder."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _readme() -> str:
    return (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_every_command_says_what_it_does_and_stands_in_the_readme() -> None:
    told = CliRunner().invoke(cli.app, ["--help"]).output
    listed = dict(re.findall(r"^  ([a-z-]+)  +(\S.*)$", told.split("Commands:")[1], re.M))
    assert set(listed) == COMMANDS
    assert [text for text in listed.values() if text.endswith("...")] == []
    readme = _readme()
    assert [name for name in COMMANDS if f"`throughline {name}" not in readme] == []
    assert [line for line in told.splitlines() if len(line) > 80] == []


def test_the_exit_statuses_of_the_help_are_those_that_the_command_gives() -> None:
    told = " ".join(CliRunner().invoke(cli.app, ["--help"]).output.split())
    for status, what in (
        (run.SUCCEEDED, "all went well"),
        (run.FAILED, "a step"),
        (run.CANNOT_START, "a setting"),
        (run.BUSY, "another run"),
        (run.INTERRUPTED, "interrupted"),
    ):
        assert f"{status} {what}" in told


def test_help_waits_for_none_of_the_large_libraries() -> None:
    code = (
        "import sys; from orchestration.cli import app; from typer.testing import CliRunner;"
        " assert not CliRunner().invoke(app, ['--help']).exit_code;"
        " print(sorted({'dagster', 'dbt', 'duckdb', 'fastapi', 'rich.console'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_package_installs_the_command() -> None:
    found = importlib.metadata.entry_points(group="console_scripts", name="throughline")
    assert [entry.load() for entry in found] == [cli.main]
    assert Path(sys.executable).with_name("throughline").exists()


def test_settings_are_told_from_any_folder(tmp_path: Path) -> None:
    done = _throughline("settings", folder=tmp_path, RUNS_KEPT="7")
    assert done.returncode == 0, done.stderr
    assert "RUNS_KEPT = 7  (environment)" in done.stdout


@pytest.mark.parametrize("command", ["run", "status", "settings", "verify", "serve", "dbt", "mf"])
def test_a_setting_that_cannot_be_used_is_status_2_of_every_command(
    command: str, tmp_path: Path
) -> None:
    done = _throughline(
        command, folder=tmp_path, MEMORY_LIMIT="plenty", SERVE_MEMORY_LIMIT="plenty"
    )
    assert done.returncode == 2, done.stdout
    assert "MEMORY_LIMIT='plenty' is not a size" in done.stderr


def test_keys_are_made_by_the_server_s_own_command_which_keeps_its_status(tmp_path: Path) -> None:
    places = {"WAREHOUSE_DIR": str(tmp_path / "warehouse")}
    made = _throughline("keys", "add", "dashboard", folder=tmp_path, **places)
    assert made.returncode == 0, made.stderr
    listed = _throughline("keys", "list", folder=tmp_path, **places)
    assert listed.stdout.startswith("dashboard ")
    assert _throughline("keys", "add", "dashboard", folder=tmp_path, **places).returncode == 1
    assert _throughline("keys", "--help", folder=tmp_path).stdout.startswith(
        "usage: throughline keys"
    )


def test_dbt_gets_its_arguments_the_project_and_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda *told: became.append(told))
    # What other tests of this process have set would count first.
    derived = load_settings({}).environment()
    bare = {name: value for name, value in os.environ.items() if name not in derived}
    monkeypatch.setattr(os, "environ", {**bare, "WAREHOUSE_DIR": str(tmp_path / "w")})
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli.app, ["dbt", "build", "--select", "conversations+", "--help"])
    [(program, words)] = became
    assert program == words[0] == str(Path(sys.executable).with_name("dbt"))
    assert words[1:] == ["build", "--select", "conversations+", "--help"]
    assert Path.cwd() == REPOSITORY / "dbt_project"
    assert os.environ["THROUGHLINE_WAREHOUSE_FILE"] == str(tmp_path / "w" / "warehouse.duckdb")
    assert os.environ["DO_NOT_TRACK"] == "1"


def test_make_calls_the_command() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    called = set(re.findall(r"\$\(THROUGHLINE\) ([a-z-]+)", makefile))
    assert called == {"run", "rebuild", "status", "verify", "ui", "serve"}
    assert called <= COMMANDS
