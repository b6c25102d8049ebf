"""What Spark builds is what DuckDB builds: rows, checks, files, version; on a cluster as on one
machine, and when a machine of it is lost.

Belongs here: comparing the two. Does not belong here: whether what both build is right.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from spark_cluster import Cluster
from spark_worlds import VIEWS_ABOVE, Built, Manifest, manifest

from throughline.settings import REPOSITORY

# What asks for the models that may be views: nothing here needs a browser, and reports are tables.
SUITES = ("api_conversations", "api_versions", "detail", "export", "transfers")

# Each warehouse is built twice or three times, by engines that start a JVM.
pytestmark = pytest.mark.timeout(1800)


def _checks(built: Built) -> dict[str, str]:
    """How each check of the last build ended."""
    target = built.settings.dbt_target_dir
    newest = max(target.rglob("run_results.json"), key=lambda file: file.stat().st_mtime)
    found = json.loads(newest.read_bytes())["results"]
    return {
        result["unique_id"]: result["status"]
        for result in found
        if result["unique_id"].startswith("test.")
    }


@pytest.mark.parametrize("world", ["sample", "golden"])
def test_every_public_model_is_equal(request: pytest.FixtureRequest, world: str) -> None:
    built: Built = request.getfixturevalue(world)
    assert "by Spark" in built.said
    assert built.differences() == []
    assert {model["row_count"] > 0 for model in built.by_spark["models"]} >= {True}


@pytest.mark.parametrize("world", ["sample", "golden"])
def test_the_version_and_every_file_are_the_same(
    request: pytest.FixtureRequest, world: str
) -> None:
    built: Built = request.getfixturevalue(world)

    def files(told: Manifest) -> dict[str, str]:
        return {
            file["path"].partition("/parquet/")[2]: file["sha256"]
            for model in told["models"]
            for file in model["parquet"]["files"]
        }

    assert files(built.by_spark) == files(built.by_duckdb)
    assert built.by_spark["data_version"] == built.by_duckdb["data_version"]


@pytest.mark.parametrize("world", ["sample", "golden"])
def test_every_check_ran_and_passed(request: pytest.FixtureRequest, world: str) -> None:
    built: Built = request.getfixturevalue(world)
    nodes = json.loads((built.settings.dbt_target_dir / "manifest.json").read_bytes())["nodes"]
    declared = {name for name, node in nodes.items() if node["resource_type"] == "test"}
    ended = _checks(built)
    assert declared == ended.keys()
    warned = {name for name, node in nodes.items() if node["config"].get("severity") == "warn"}
    assert {name for name, status in ended.items() if status != "pass"} <= warned


def test_what_is_too_large_for_the_snapshot_is_a_view_over_its_files(sample: Built) -> None:
    large = {
        f"{model['schema']}.{model['name']}"
        for model in sample.by_spark["models"]
        if model["row_count"] > VIEWS_ABOVE
    }
    assert "marts.messages" in large
    asked = f"""
import duckdb
connection = duckdb.connect({str(sample.settings.published_file)!r}, read_only=True)
print(sorted(f"{{schema}}.{{view}}" for schema, view in connection.execute(
    "select schema_name, view_name from duckdb_views() where not internal").fetchall()))
print(connection.execute("select count(*), count(distinct message_id) from marts.messages"
    ).fetchone()[0])
"""
    # As a reader does: from another folder, with nothing of ours.
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd="/", capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[0] == repr(sorted(large))
    rows = {model["name"]: model["row_count"] for model in sample.by_spark["models"]}
    assert int(said[1]) == rows["messages"]
    with duckdb.connect(str(sample.other / "published" / "throughline.duckdb")) as connection:
        views = connection.execute("select count(*) from duckdb_views() where not internal")
        assert views.fetchone() == (0,)


def test_pages_rest_and_exports_work_on_it(sample: Built, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"),
            *("-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"),
            *(f"tests/serving/test_{suite}.py" for suite in SUITES),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PUBLISHED_SAMPLE": str(sample.folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout


def test_a_worker_that_is_killed_changes_nothing(sample: Built, cluster: Cluster) -> None:
    """In the middle of the build: what it had made is made again by the other."""
    before = sample.by_spark["data_version"]
    killed = []

    def look(line: str) -> None:
        done = re.search(r"^\s*(\d+) of \d+: ", line)
        # Behind the components and before the marts.
        if not killed and done is not None and int(done[1]) >= 55:
            cluster.kill_a_worker()
            killed.append(line)

    said = sample.rebuild(cluster.address, look)
    assert killed, said
    assert "got disassociated, removing it" in cluster.said("Master")
    after = manifest(sample.folder)
    assert after["data_version"] == before
    assert after["models"] == sample.by_spark["models"]


def test_its_loads_are_exported_once(sample: Built) -> None:
    raw = sample.settings.spark_dir / "raw" / "contacts"
    ledger = json.loads((raw / "_exported.json").read_bytes())
    files = {path.name for path in raw.glob("load_no=*.parquet")}
    assert files == {f"load_no={number}.parquet" for number in ledger["loads"]}
    with duckdb.connect(str(sample.settings.warehouse_file), read_only=True) as connection:
        wanted = connection.execute("select count(*) from raw.contacts").fetchone()
        found = connection.execute(f"select count(*) from '{raw}/*.parquet'").fetchone()
    assert wanted == found
