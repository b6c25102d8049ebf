"""`make run` as a user has it: the command itself, with Dagster, on many golden scenarios."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
from harness import REPOSITORY, Pipeline
from scenarios import REPORTS, all_scenarios, differences

SCENARIOS = [one for one in all_scenarios() if len(one.stages) == 1]


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration", "run"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _published(settings: Any, table: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        relation = connection.table(table)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_the_run_command_publishes_the_golden_figures_then_nothing_new(
    tmp_path: Path,
) -> None:
    pipeline = Pipeline(
        tmp_path,
        sources=[{"source": one.source, **one.registry} for one in SCENARIOS if one.registry],
        projects=[{"source": one.source, **row} for one in SCENARIOS for row in one.projects],
    )
    for scenario in SCENARIOS:
        for (source, log), loaded in scenario.stages[0].load.items():
            pipeline.write(source, log, loaded)
    settings = pipeline.settings

    first = _run(settings.environment())
    assert first.returncode == 0, first.stdout + first.stderr
    assert str(settings.published_file) in first.stdout.replace("\n", "")
    manifest = (settings.published_dir / "manifest.json").read_bytes()

    problems = []
    for scenario in SCENARIOS:
        for block, rows in scenario.stages[0].expect.items():
            table = block.partition("(")[0]
            if table == "id_merges":
                continue
            schema = "reports" if table in {*REPORTS, "reconciliation"} else "marts"
            actual = [
                row
                for row in _published(settings, f"{schema}.{table}")
                if table in REPORTS or row["source"] in scenario.sources
            ]
            problems += [
                f"{scenario.source}: {problem}"
                for problem in differences(block, rows, actual, scenario.source)
            ]
    assert not problems, "\n".join(problems)

    begun = time.monotonic()
    second = _run(settings.environment())
    assert second.returncode == 0, second.stdout + second.stderr
    assert time.monotonic() - begun < 15
    assert (settings.published_dir / "manifest.json").read_bytes() == manifest
    assert json.loads(manifest)
