"""dbt, sqlfluff, Dagster and dg as people type them: in a fresh clone, with an empty environment.

One clone and one warehouse for all, built by one run; each test leaves both as good as it found
them.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import fresh_clone
import pytest
from fresh_clone import Clone

from orchestration import terminal
from throughline.building import state
from throughline.engine import locks
from throughline.settings import REPOSITORY, Settings, load_settings

FOLDERS = (".", "dbt_project")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    root = tmp_path_factory.mktemp("terminal") / "clone"
    found = fresh_clone.make(
        root, {"contacts": fresh_clone.CONTACTS, "transfers": fresh_clone.TRANSFERS}
    )
    told = found.run("dbt", "build", "--select", "agents")
    assert told.returncode != 0
    assert "Nothing has been loaded into" in told.stdout
    assert "run `make run`" in told.stdout
    done = found.run("python", "-m", "orchestration", "run", SCHEDULED_EXPORTS="off")
    assert done.returncode == 0, done.stdout + done.stderr
    return found


@pytest.fixture
def put_back(clone: Clone, tmp_path: Path) -> Iterator[None]:
    """The warehouse as it is before the test, once more after it."""
    kept = tmp_path / "kept"
    shutil.copytree(clone.warehouse_dir, kept, symlinks=True)
    yield
    shutil.rmtree(clone.warehouse_dir)
    shutil.copytree(kept, clone.warehouse_dir, symlinks=True)


@pytest.fixture
def settings(clone: Clone) -> Settings:
    return load_settings({"WAREHOUSE_DIR": str(clone.warehouse_dir)})


def _good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _lacks(clone: Clone) -> list[str]:
    """What a publication of the clone's warehouse lacks, asked in the clone itself."""
    script = (
        "import json; from throughline.building import quality; from throughline.publishing import"
        " gate; from throughline.settings import load_settings;"
        " print(json.dumps(gate.lacks(load_settings(), quality.BLOCKING)))"
    )
    found: list[str] = json.loads(_good(clone.run("python", "-c", script)))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_dbt_build_of_a_part_is_recorded_and_leaves_the_version_as_published(
    clone: Clone, settings: Settings, folder: str
) -> None:
    before = state.read(settings)
    assert before is not None
    told = _good(clone.run("dbt", "build", "--select", "conversations+", folder=folder))
    assert "Completed successfully" in told
    built = state.read(settings)
    assert built is not None
    assert built.number == before.number + 1
    assert built.run_id.startswith("dbt ")
    assert built.published
    assert not _lacks(clone)


def test_dbt_show_needs_no_setting_and_leaves_the_record_alone(
    clone: Clone, settings: Settings
) -> None:
    before = state.read(settings)
    query = "select count(*) as n from {{ ref('conversations') }}"
    told = _good(clone.run("dbt", "show", "--inline", query, folder="dbt_project"))
    assert "| 2 |" in told
    assert state.read(settings) == before


def test_dbt_docs_are_generated_where_dbt_serves_them(clone: Clone, settings: Settings) -> None:
    before = state.read(settings)
    _good(clone.run("dbt", "docs", "generate"))
    assert (clone.root / "dbt_project" / "target" / "catalog.json").exists()
    assert state.read(settings) == before


@pytest.mark.parametrize("folder", FOLDERS)
def test_sqlfluff_lints_one_file(clone: Clone, folder: str) -> None:
    model = clone.root / "dbt_project" / "models" / "marts" / "agents.sql"
    before = model.read_text(encoding="utf-8")
    model.write_text(before.replace("select", "SELECT"), encoding="utf-8")
    try:
        told = clone.run(
            "sqlfluff", "lint", str(model.relative_to(clone.root / folder)), folder=folder
        )
    finally:
        model.write_text(before, encoding="utf-8")
    assert told.returncode == 1
    assert "CP01" in told.stdout
    assert "TMP" not in told.stdout


def test_a_build_that_failed_is_retried_and_nothing_of_it_is_published(
    clone: Clone, put_back: None
) -> None:
    model = clone.root / "dbt_project" / "models" / "marts" / "agents.sql"
    before = model.read_text(encoding="utf-8")
    model.write_text("select 1 as nothing\n", encoding="utf-8")
    try:
        assert clone.run("dbt", "build", "--select", "agents").returncode == 1
        assert _lacks(clone)
    finally:
        model.write_text(before, encoding="utf-8")
    # The code is the old one again, and what it was published from is not.
    assert _lacks(clone)
    assert "ERROR=0" in _good(clone.run("dbt", "retry"))
    assert _lacks(clone)


def test_a_build_without_rows_proves_nothing(clone: Clone) -> None:
    _good(clone.run("dbt", "build", "--empty", "--select", "agents"))
    assert "model agents has not passed" in _lacks(clone)
    _good(clone.run("dbt", "build", "--select", "agents"))
    assert not _lacks(clone)


def test_a_dbt_that_was_killed_proves_nothing(clone: Clone, settings: Settings) -> None:
    with subprocess.Popen(
        clone.command(["dbt", "build"]), cwd=clone.root, env=clone.environment,
        stdout=subprocess.PIPE, text=True,
    ) as dbt:  # fmt: skip
        assert dbt.stdout is not None
        for line in dbt.stdout:
            if "START" in line:
                break
        dbt.kill()
    assert _lacks(clone) == ["a build has begun and not ended"]
    # What a run asks first, here as after a build that failed.
    told = _good(clone.run("python", "-m", "orchestration", "run", SCHEDULED_EXPORTS="off"))
    assert "Nothing new has landed" not in told
    assert not _lacks(clone)


def test_a_dbt_beside_a_run_says_that_it_waits_and_then_does_its_work(
    clone: Clone, settings: Settings
) -> None:
    words = ["dbt", "show", "--inline", "select 42 as n"]
    with locks.warehouse(settings, wait_seconds=5):
        dbt = subprocess.Popen(
            clone.command(words), cwd=clone.root, env=clone.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert dbt.stderr is not None
        said = dbt.stderr.readline()
        assert dbt.poll() is None
    told, _ = dbt.communicate(timeout=120)
    assert "Another run has the warehouse" in said
    assert dbt.returncode == 0
    assert "| 42 |" in told


def test_another_warehouse_than_the_settings_say_is_not_opened(clone: Clone) -> None:
    told = clone.run("dbt", "show", "--inline", "select 1 as n", THROUGHLINE_WAREHOUSE_FILE="x.db")
    assert told.returncode != 0
    assert "and the warehouse is" in told.stdout
    assert not list(clone.root.rglob("x.db"))


def test_an_editor_reads_the_project_without_any_variable_and_without_the_hook(
    clone: Clone,
) -> None:
    # An editor's plug-in imports dbt in a Python of its own, in the project's folder.
    script = (
        "from dbt.cli.main import dbtRunner; import sys;"
        " done = [dbtRunner().invoke(words) for words in"
        " (['parse'], ['compile', '--select', 'agents'])];"
        " sys.exit(not all(one.success for one in done))"
    )
    _good(clone.run("python", "-c", script, folder="dbt_project"))


def _runs(settings: Settings) -> list[Any]:
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        return [record.dagster_run for record in instance.get_run_records()]


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (("dagster", "asset", "materialize", "--select", "key:raw/contacts"), "dbt_project"),
        (("dg", "launch", "--assets", "key:raw/contacts"), "."),
    ],
    ids=["dagster asset materialize", "dg launch"],
)
def test_what_dagster_runs_is_in_the_one_history(
    clone: Clone, settings: Settings, words: tuple[str, ...], folder: str
) -> None:
    before = {run.run_id for run in _runs(settings)}
    _good(clone.run(*words, folder=folder))
    [new] = [run for run in _runs(settings) if run.run_id not in before]
    assert new.is_success
    assert not (clone.root.parent / "home" / ".dagster").exists()
    assert not list(clone.root.rglob(".tmp_dagster_home_*"))


@pytest.mark.parametrize(
    ("words", "folder"),
    [(("dagster", "dev"), "dbt_project"), (("dg", "dev"), ".")],
    ids=["dagster dev", "dg dev"],
)
def test_the_interface_shows_the_one_history_with_telemetry_off(
    clone: Clone, settings: Settings, words: tuple[str, ...], folder: str, port: int
) -> None:
    query = (
        "{ instance { info } runsOrError { ... on Runs { results { runId } } }"
        " repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }"
    )
    # Its daemon may start a run of its own between the answer and a look at the history.
    before = {run.run_id for run in _runs(settings)}
    with subprocess.Popen(
        clone.command([*words, "--port", str(port)]),
        cwd=clone.root / folder, env=clone.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            content = _asked(port, query)
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()
    assert re.search(r"telemetry:\s+enabled: false", content["instance"]["info"])
    shown = {run["runId"] for run in content["runsOrError"]["results"]}
    assert before
    assert before <= shown
    [repository] = content["repositoriesOrError"]["nodes"]
    assert repository["location"]["name"] == "throughline"


@pytest.fixture
def port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
    return found


def _asked(port: int, query: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                content: dict[str, Any] = json.loads(answer.read())["data"]
            if content["repositoriesOrError"].get("nodes"):
                return content
        except OSError:
            pass
        assert time.monotonic() < deadline, "the interface did not come up"
        time.sleep(0.5)


# --- which commands are helped, without a process


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((sys.executable, "/x/.venv/bin/dbt", "build"), "dbt"),
        ((sys.executable, "-m", "dagster", "dev"), "dagster"),
        ((sys.executable, "-m", "dbt.cli.main", "parse"), "dbt"),
        ((sys.executable, "-I", "/x/bin/sqlfluff", "lint", "a.sql"), "sqlfluff"),
        ((sys.executable, "-m", "pytest", "tests/dbt"), "pytest"),
        ((sys.executable, "-c", "pass"), "pass"),
        ((sys.executable,), ""),
    ],
)
def test_a_command_is_known_by_its_script_or_module(words: tuple[str, ...], name: str) -> None:
    assert terminal.command(words) == name


def test_only_what_is_not_set_is_given(tmp_path: Path) -> None:
    words = ("python", "/x/bin/dbt", "build")
    own = {"WAREHOUSE_DIR": str(tmp_path), "DBT_PROFILES_DIR": "/elsewhere"}
    found = terminal.variables(words, REPOSITORY, own)
    assert found["THROUGHLINE_WAREHOUSE_FILE"] == str(tmp_path / "warehouse.duckdb")
    assert "DBT_PROFILES_DIR" not in found
    assert "DBT_TARGET_PATH" not in found, "what is typed writes where dbt and editors do"


def test_other_projects_and_other_commands_are_left_alone(tmp_path: Path) -> None:
    words = ("python", "/x/bin/dbt", "build")
    assert terminal.variables(words, tmp_path, {}) == {}
    assert terminal.variables(("python", "/x/bin/ruff"), REPOSITORY, {}) == {}
    (tmp_path / "dbt_project.yml").touch()
    assert terminal.variables(words, tmp_path, {}) == {}


def test_dagster_is_told_of_the_definitions_unless_it_is_told_of_others(tmp_path: Path) -> None:
    own = {"WAREHOUSE_DIR": str(tmp_path)}
    listed = terminal.variables(("python", "/x/bin/dagster", "asset", "list"), REPOSITORY, own)
    assert listed["DAGSTER_MODULE_NAME"] == "orchestration.definitions"
    assert listed["DAGSTER_HOME"] == str(tmp_path / "dagster")
    assert (tmp_path / "dagster" / "dagster.yaml").exists()
    dev = terminal.variables(("python", "/x/bin/dagster", "dev"), REPOSITORY, own)
    assert Path(dev["DAGSTER_CLI_DEV_WORKSPACE"]).exists()
    assert "DAGSTER_MODULE_NAME" not in dev
    other = terminal.variables(("python", "dagster", "dev", "-f", "x.py"), REPOSITORY, own)
    assert not {"DAGSTER_CLI_DEV_WORKSPACE", "DAGSTER_MODULE_NAME"} & set(other)


# --- a user's own Dagster


OWN = """\
storage:
  sqlite:
    base_dir: {folder}
run_launcher:
  module: dagster
  class: DefaultRunLauncher
"""


def test_a_users_own_dagster_yaml_stays_as_it_is_and_is_used(tmp_path: Path) -> None:
    from orchestration import home
    from orchestration.instance import forget_old_runs, open_instance

    own = tmp_path / "own"
    own.mkdir()
    content = OWN.format(folder=tmp_path / "elsewhere")
    (own / "dagster.yaml").write_text(content, encoding="utf-8")
    settings = load_settings(
        {"WAREHOUSE_DIR": str(tmp_path / "w"), "DAGSTER_HOME": str(own), "RUNS_KEPT": "1"}
    )
    with open_instance(settings) as instance:
        for _ in range(3):
            run = instance.create_run_for_job(dg.GraphDefinition(name="one").to_job())
            instance.report_run_canceled(run)
        assert len(forget_old_runs(settings, instance)) == 2
    assert home.is_own(settings)
    assert (own / "dagster.yaml").read_text(encoding="utf-8") == content
    assert (tmp_path / "elsewhere").is_dir()
    assert not (tmp_path / "w" / "dagster").exists()
    assert settings.environment()["DAGSTER_HOME"] == str(own)
    # Its upload asks for this one; the file says nothing of telemetry.
    assert settings.environment()["DAGSTER_DISABLE_TELEMETRY"] == "1"


def test_our_own_dagster_yaml_is_renewed(tmp_path: Path) -> None:
    from orchestration import home

    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    file = home.prepare(settings) / "dagster.yaml"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace("enabled: false", "enabled: true"), encoding="utf-8")
    home.prepare(settings)
    assert file.read_text(encoding="utf-8") == whole
    assert not home.is_own(settings)


def test_every_recorded_command_is_one_that_dbt_knows() -> None:
    from dbt.cli.main import cli

    from orchestration.bare_dbt import CHANGED_BY, RECORDED

    assert set(cli.commands) >= RECORDED
    options = {option.name for option in cli.commands["build"].params}
    assert set(CHANGED_BY) <= options
