"""The commands that people type, and what is said about them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from throughline import landing
from throughline.building import tables
from throughline.settings import REPOSITORY, load_settings

COMMANDS = ("run", "test", "ui", "check", "bench", "rebuild", "sample", "snapshot", "lock", "clean")


def _read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_every_command_is_a_target_and_stands_in_the_readme() -> None:
    makefile, readme = _read("Makefile"), _read("README.md")
    for command in COMMANDS:
        assert re.search(rf"^{command}:", makefile, re.M), command
        assert f"make {command}" in readme, command


def test_the_readme_names_no_target_that_does_not_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.M))
    assert set(re.findall(r"`make ([a-z-]+)", _read("README.md"))) <= targets


def test_the_two_commands_come_first_in_the_readme() -> None:
    commands = re.findall(r"^make ([a-z]+)", _read("README.md"), re.M)
    assert commands[:2] == ["run", "test"]


def test_continuous_integration_calls_make_test_last() -> None:
    lines = [line for line in _read(".ci/run").splitlines() if line.strip()]
    assert lines[-1] == "make test"
    assert "set -euo pipefail" in lines


LOCKS = ("requirements.lock", "requirements-dev.lock")
SPARK = "requirements-spark.lock"


def _pins(lock: str) -> dict[str, str]:
    """What a lock pins: each line that names a package, with all its hashes."""
    entries = re.split(r"\n(?=\S)", re.sub(r"\n    #.*", "", _read(lock)))
    return {entry.splitlines()[0]: entry for entry in entries if re.match(r"[a-z0-9]", entry)}


@pytest.mark.parametrize("lock", [*LOCKS, SPARK])
def test_a_lock_has_a_hash_for_every_package_and_names_no_index(lock: str) -> None:
    text = _read(lock)
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert "dbt-core-experimental-parser==" not in text
    for name, entry in _pins(lock).items():
        assert "--hash=sha256:" in entry, name


def test_what_develops_the_product_holds_the_very_versions_that_run_it() -> None:
    run, dev = (_pins(lock) for lock in LOCKS)
    assert run
    assert {name: dev.get(name) for name in run} == run
    # What a test compiles for Spark with is what builds by it.
    both = _pins(SPARK).keys() & dev.keys()
    assert {name.split("==")[0] for name in both} == {"dbt-spark", "sqlparams"}
    assert not any(name.startswith("pyspark") for name in [*run, *dev])


def test_what_only_tests_need_is_not_installed_to_run_the_product() -> None:
    run = {name.split("==")[0] for name in _pins("requirements.lock")}
    groups = tomllib.loads(_read("pyproject.toml"))["dependency-groups"]
    asked = {
        group: {re.split(r"[<>=\[]", name)[0] for name in groups[group] if isinstance(name, str)}
        for group in ("run", "dev")
    }
    assert asked["run"] <= run
    # These three the product's own tools bring too.
    assert asked["dev"] & run <= {"jsonschema", "networkx", "sqlalchemy"}


def test_the_build_system_is_locked_with_what_runs_the_product() -> None:
    wanted = tomllib.loads(_read("pyproject.toml"))["build-system"]["requires"]
    pins = [name.split()[0] for name in _pins("requirements.lock")]
    assert wanted == [pin for pin in pins if pin.startswith("setuptools==")]


def test_only_what_develops_the_product_asks_for_the_larger_lock() -> None:
    needs = dict(re.findall(r"^([a-z]+): (setup(?:-dev)?) ##", _read("Makefile"), re.M))
    assert {target for target, lock in needs.items() if lock == "setup"} == {
        *("run", "rebuild", "verify", "status", "ui", "serve")
    }
    assert {target for target, lock in needs.items() if lock == "setup-dev"} >= {
        *("test", "check", "bench", "lock")
    }


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
    with tables.connect_read_only(settings) as connection:
        told.append(connection.execute(query).fetchone())
    assert told == [("2.7 GiB", "2.7 GiB", 0)] * 2
    profile = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]["warehouse"]
    options = profile["config_options"]
    assert options["block_allocator_memory"] == options["memory_limit"]
    assert options["max_vacuum_tasks"] == 0


def test_the_profile_of_dbt_says_the_options_of_every_other_engine(tmp_path: Path) -> None:
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path), "DUCKDB_THREADS": "3"})
    profile = yaml.safe_load(_read("profiles.yml"))["throughline"]["outputs"]
    said = dict(profile["warehouse"]["config_options"])
    assert said.pop("preserve_insertion_order") is True
    assert "THROUGHLINE_SCRATCH_DIR" in said.pop("temp_directory")
    assert profile["warehouse"]["settings"]["TimeZone"] == "UTC"
    assert said.keys() == settings.engine_options.keys()
    environment = settings.environment()
    for name, value in settings.engine_options.items():
        # What a machine decides comes out of a variable, which the settings give.
        variable = re.search(r"env_var\('(\w+)'", str(said[name]))
        assert str(value) == (environment[variable[1]] if variable else str(said[name])), name


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
