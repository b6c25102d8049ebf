"""What the dbt project declares beside its models: sources, exposures, saved queries; and that dbt
of the second version reads it.

Belongs here: that a declaration is true. Does not belong here: keys (test_constraints), names
(test_naming), metrics (tests/metrics).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from project_files import DBT_PROJECT, Project

from throughline import landing
from throughline.building.manifest import ensure_manifest
from throughline.settings import Settings, load_settings

# An engine of dbt's second version, where somebody has installed one.
V2 = next(filter(None, map(shutil.which, ("dbtf", "dbt-fusion"))), None)


@pytest.fixture(scope="module")
def manifest(settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(ensure_manifest(settings).read_bytes())
    return content


def _raw(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in manifest["sources"].values() if one["source_name"] == "raw"]


@pytest.mark.skipif(V2 is None, reason="no engine of dbt's second version is installed")
def test_dbt_of_the_second_version_reads_the_project(tmp_path: Path) -> None:
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    done = subprocess.run(
        [str(V2), "parse"],
        cwd=DBT_PROJECT,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_sources_declare_the_columns_of_the_raw_tables_as_landing_makes_them(
    manifest: dict[str, Any], tmp_path: Path
) -> None:
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    with landing.connect(settings) as connection:
        landing.prepare(connection)
        rows = connection.execute(
            "select table_name, column_name, lower(data_type) from duckdb_columns()"
            " where schema_name = 'raw' order by column_index"
        ).fetchall()
    made: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        made.setdefault(table, []).append((column, kind))
    for source in _raw(manifest):
        declared = [(one["name"], one["data_type"]) for one in source["columns"].values()]
        assert declared == made[source["name"]], source["name"]


def test_sources_say_of_each_column_of_a_log_what_landing_says(manifest: dict[str, Any]) -> None:
    for source in _raw(manifest):
        told = {name: one["description"] for name, one in source["columns"].items()}
        assert all(told.values()), source["name"]
        if source["name"] in landing.LOGS:
            log = landing.LOGS[source["name"]]
            assert {column.name: told[column.name] for column in log.columns} == {
                column.name: column.about for column in log.columns
            }


def test_every_log_is_late_after_the_hours_of_the_setting(manifest: dict[str, Any]) -> None:
    for source in _raw(manifest):
        if source["name"] in landing.LOGS:
            assert source["freshness"]["warn_after"] == {"count": 30, "period": "hour"}
            assert f"log = '{source['name']}'" in source["loaded_at_query"]


def test_what_readers_use_stands_on_public_models_alone(
    manifest: dict[str, Any], project: Project
) -> None:
    public = {model["unique_id"] for model in project.public.values()}
    exposures = {one["name"]: one for one in manifest["exposures"].values()}
    assert set(exposures) == {"pages", "rest", "copies"}
    for exposure in exposures.values():
        assert set(exposure["depends_on"]["nodes"]) <= public, exposure["name"]
        assert exposure["description"]


def test_saved_queries_ask_for_metrics_that_there_are(manifest: dict[str, Any]) -> None:
    metrics = {metric["name"] for metric in manifest["metrics"].values()}
    assert manifest["saved_queries"]
    for query in manifest["saved_queries"].values():
        assert set(query["query_params"]["metrics"]) <= metrics
