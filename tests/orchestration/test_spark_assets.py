"""What Dagster shows when Spark builds the models: the same, with another kind.

Belongs here: loading the definitions under that setting. Does not belong here: a run (tests/spark).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from no_spark import with_empty_spark

from throughline.settings import REPOSITORY, load_settings

LOADING = """
import json
from orchestration.definitions import defs

graph = defs().resolve_asset_graph()
assets = {key.to_user_string(): key for key in graph.get_all_asset_keys()}
print(json.dumps({
    "kinds": {name: sorted(graph.get(key).kinds) for name, key in assets.items()},
    "checks": sorted(key.to_user_string() for key in graph.asset_check_keys),
    "jobs": sorted(job.name for job in defs().resolve_all_job_defs()),
}))
"""


def _loaded(folder: Path, engine: str) -> dict[str, Any]:
    settings = load_settings({"WAREHOUSE_DIR": str(folder / engine), "ENGINE": engine})
    done = subprocess.run(
        [sys.executable, "-c", LOADING],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment(), **with_empty_spark(folder / engine)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_dagster_shows_the_same_assets_checks_and_jobs_whatever_builds_them(
    tmp_path: Path,
) -> None:
    duckdb, spark = _loaded(tmp_path, "duckdb"), _loaded(tmp_path, "spark")
    assert len(duckdb["checks"]) > 100
    assert (duckdb["checks"], duckdb["jobs"]) == (spark["checks"], spark["jobs"])
    assert duckdb["kinds"].keys() == spark["kinds"].keys()
    built = {name for name, kinds in duckdb["kinds"].items() if kinds == ["dbt", "duckdb"]}
    assert "marts/conversations" in built
    for name, kinds in spark["kinds"].items():
        assert kinds == (["dbt", "spark"] if name in built else duckdb["kinds"][name]), name
