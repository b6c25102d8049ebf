"""The commands that people type, and what is said about them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from orchestration import landing, transform
from orchestration.settings import REPOSITORY, load_settings

COMMANDS = ("run", "test", "ui", "check", "bench", "rebuild", "sample", "snapshot", "lock", "clean")


def _read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_every_command_is_a_target_and_stands_in_the_readme() -> None:
    makefile, readme = _read("Makefile"), _read("README.md")
    for command in COMMANDS:
        assert re.search(rf"^{command}:", makefile, re.M), command
        assert f"make {command}" in readme, command


def test_the_readme_names_no_target_that_does_not_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", _read("Makefile"), re.M))
    assert set(re.findall(r"`make ([a-z]+)", _read("README.md"))) <= targets


def test_the_readme_names_every_setting_and_no_other() -> None:
    source = _read("orchestration/settings.py")
    settings = set(re.findall(r'read\.\w+\(\s*"([A-Z_]+)"', source))
    # A row of the table names one setting, or several that belong together.
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", _read("README.md"), re.M)
    assert set(re.findall(r"[A-Z_]+", " ".join(rows))) == settings


def test_the_two_commands_come_first_in_the_readme() -> None:
    commands = re.findall(r"^make ([a-z]+)", _read("README.md"), re.M)
    assert commands[:2] == ["run", "test"]


def test_continuous_integration_calls_make_test_last() -> None:
    lines = [line for line in _read(".ci/run").splitlines() if line.strip()]
    assert lines[-1] == "make test"
    assert "set -euo pipefail" in lines


def test_the_lock_has_a_hash_for_every_package_and_names_no_index() -> None:
    lock = _read("requirements.lock")
    assert "://" not in lock
    assert "--index-url" not in lock
    assert "dbt-core-experimental-parser==" not in lock
    for entry in re.split(r"\n(?=\S)", lock):
        if re.match(r"[a-z0-9]", entry):
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_a_fresh_machine_is_told_which_python_is_missing() -> None:
    done = subprocess.run(
        ["make", "install", "PATH=/nonexistent"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr


def test_telemetry_is_off_wherever_it_could_be_on() -> None:
    variables = load_settings({}).environment()
    assert variables["DAGSTER_DISABLE_TELEMETRY"] == "1"
    assert variables["DO_NOT_TRACK"] == "1"
    assert variables["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert yaml.safe_load(_read("orchestration/dagster.yaml"))["telemetry"] == {"enabled": False}
    project = yaml.safe_load(_read("dbt_project/dbt_project.yml"))
    assert project["flags"]["send_anonymous_usage_stats"] is False
    profile = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]["warehouse"]
    options = profile["config_options"]
    assert options["autoinstall_known_extensions"] is False
    assert options["autoload_known_extensions"] is False


def test_dbt_does_not_repeat_the_database_options_for_every_model() -> None:
    # DuckDB refuses a second `set temp_directory` once it has spilled: the build of ten million
    # contacts failed on it while every small one passed.
    profile = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]["warehouse"]
    assert set(profile["settings"]) == {"TimeZone"}
    assert {"memory_limit", "temp_directory", "threads"} <= set(profile["config_options"])


def test_duckdb_is_told_what_the_others_leave_of_the_memory_limit() -> None:
    assert load_settings({"MEMORY_LIMIT": "4GB"}).duckdb_memory_limit == "2916666KB"
    assert load_settings({"MEMORY_LIMIT": "2 GiB"}).duckdb_memory_limit == "1372903KB"
    assert load_settings({"MEMORY_LIMIT": "1GB"}).duckdb_memory_limit == "600000KB"
    options = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]["warehouse"]
    assert "env_var('THROUGHLINE_DUCKDB_MEMORY'" in options["config_options"]["memory_limit"]


def test_dbt_builds_one_model_at_a_time() -> None:
    profile = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]["warehouse"]
    assert profile["threads"] == 1


def test_every_engine_of_a_run_keeps_its_blocks_and_rewrites_no_table(tmp_path: Path) -> None:
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    names = ("memory_limit", "block_allocator_memory", "max_vacuum_tasks")
    query = "select " + ", ".join(f"current_setting('{name}')" for name in names)
    told = []
    with landing.connect(settings) as connection:
        told.append(connection.execute(query).fetchone())
    with transform.connect_read_only(settings) as connection:
        told.append(connection.execute(query).fetchone())
    assert told == [("2.7 GiB", "2.7 GiB", 0)] * 2
    profile = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]["warehouse"]
    options = profile["config_options"]
    assert options["block_allocator_memory"] == options["memory_limit"]
    assert options["max_vacuum_tasks"] == 0


def test_a_checkpoint_leaves_the_row_groups_of_raw_tables_as_they_were_loaded(
    tmp_path: Path,
) -> None:
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    groups = (
        "select row_group_id, sum(count) from pragma_storage_info('t')"
        " where segment_type <> 'VALIDITY' group by all order by all"
    )
    with landing.connect(settings) as connection:
        # As a log leaves them whose own cut is a little above DuckDB's: six row groups for four.
        connection.execute("create table t (i bigint)")
        for _ in range(3):
            connection.execute("insert into t from range(600)")
            connection.execute("insert into t from range(122880)")
        loaded = connection.execute(groups).fetchall()
        connection.execute("checkpoint")
        assert connection.execute(groups).fetchall() == loaded
        assert len(loaded) == 6
        connection.execute("set max_vacuum_tasks = 100")
        connection.execute("insert into t values (1)")
        connection.execute("checkpoint")
        assert connection.execute(groups).fetchall()[:5] != loaded[:5]
