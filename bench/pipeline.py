"""The pipeline as `make run` runs it, in a warehouse of its own.

Belongs here: starting it, and reading from what it left behind how long its parts took. Does not
belong here: any number of its own making.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb

from bench.processes import Cost, run
from orchestration.instance import open_instance
from throughline.settings import REPOSITORY, Settings, load_settings

ATTACH = "attach $file as warehouse (read_only)"
COMPONENTS_MODEL = "model.throughline.int_components__connected"


def settings_of(
    landing: Path,
    warehouse: Path,
    registry: Path,
    memory_limit: str,
    threads: int,
    versions_kept: int = 1,
) -> Settings:
    """The settings of a benchmarked run."""
    return load_settings(
        {
            "LANDING_DIR": str(landing),
            "WAREHOUSE_DIR": str(warehouse),
            "REGISTRY_DIR": str(registry),
            "MEMORY_LIMIT": memory_limit,
            "DUCKDB_THREADS": str(threads),
            "PUBLISHED_VERSIONS": str(versions_kept),
        }
    )


def refresh(settings: Settings, log: Path) -> Cost:
    """What `make run` does, with its output in a file.

    Raises:
        ProgramError: it failed.
    """
    return command(settings, log, "run")


def command(settings: Settings, log: Path, *words: str, **more: str) -> Cost:
    """A command of the product, with its output in a file.

    Args:
        settings: of the run.
        log: the file.
        words: the command and its arguments.
        more: further variables.

    Raises:
        ProgramError: it failed.
    """
    return run(
        [sys.executable, "-m", "orchestration", *words],
        log=log,
        cwd=REPOSITORY,
        # The yardstick makes no copies of the log as CSV and Parquet either.
        environment={
            **settings.environment(),
            "PUBLISHED_VERSIONS": str(settings.versions_kept),
            "SCHEDULED_EXPORTS": "off",
            **more,
        },
    )


def step_seconds(settings: Settings) -> dict[str, float]:
    """Seconds of the last run's Dagster steps by name; dbt's part split into models and checks."""
    with open_instance(settings) as instance:
        runs = instance.get_runs(limit=1)
        stats = instance.get_run_step_stats(runs[0].run_id) if runs else []
    seconds = {
        stat.step_key: stat.end_time - stat.start_time
        for stat in stats
        if stat.end_time is not None and stat.start_time is not None
    }
    checks = models = 0.0
    for result in _dbt_results(settings):
        if result["unique_id"].partition(".")[0] in {"test", "unit_test"}:
            checks += result["execution_time"]
        else:
            models += result["execution_time"]
    return {**seconds, "dbt models": models, "dbt checks": checks}


def model_seconds(settings: Settings) -> dict[str, float]:
    """Seconds of each dbt node of the last build, by unique id."""
    return {result["unique_id"]: result["execution_time"] for result in _dbt_results(settings)}


def copy_edges(settings: Settings, target: Path) -> int:
    """Copy the edges that the component step read into a table `edges` of a new DuckDB file.

    Returns:
        How many there are.
    """
    with duckdb.connect(str(target)) as connection:
        connection.execute(ATTACH, {"file": str(settings.warehouse_file)})
        connection.execute(
            "create table edges as select from_key as node_a, to_key as node_b"
            " from warehouse.intermediate.int_links__accepted"
        )
        row = connection.execute("select count(*) from edges").fetchone()
    assert row is not None
    return int(row[0])


def labels_agree(settings: Settings, labelled: Path) -> bool:
    """Whether a table `labels` is the same partition as the pipeline's components."""
    with duckdb.connect(str(labelled), read_only=True) as connection:
        connection.execute(ATTACH, {"file": str(settings.warehouse_file)})
        row = connection.execute(
            """
            select
                count(*) filter (here.node is null or there.node is null) = 0
                and count(distinct here.component) = count(distinct there.component)
                and count(distinct here.component)
                = count(distinct (here.component, there.component))
            from warehouse.intermediate.int_components__connected as here
            full join labels as there on here.node = there.node
            """
        ).fetchone()
    return row is not None and bool(row[0])


def bytes_written(settings: Settings) -> int:
    """The size of everything that the run left in its folder."""
    return sum(path.stat().st_size for path in settings.warehouse_dir.rglob("*") if path.is_file())


def _dbt_results(settings: Settings) -> list[dict[str, Any]]:
    found = sorted(
        settings.dbt_target_dir.rglob("run_results.json"), key=lambda path: path.stat().st_mtime
    )
    if not found:
        return []
    results: list[dict[str, Any]] = json.loads(found[-1].read_bytes())["results"]
    return results
