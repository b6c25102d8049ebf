"""The asset graph as text, for reviews. `make snapshot` writes it beside this file.

Belongs here: how the graph is written down. Does not belong here: what it should be.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

SNAPSHOT = Path(__file__).with_suffix(".txt")


def load() -> dg.Definitions:
    """The definitions, as Dagster loads them."""
    from orchestration.definitions import defs

    return defs()


def render(definitions: dg.Definitions) -> str:
    """Every asset with what a review wants to see, then what starts runs."""
    return "\n".join(_lines(definitions)) + "\n"


def _lines(definitions: dg.Definitions) -> Iterator[str]:
    graph = definitions.resolve_asset_graph()
    checks: dict[dg.AssetKey, list[str]] = {}
    steps: dict[dg.AssetKey, str] = {}
    for step in graph.assets_defs:
        if not step.is_executable:
            continue
        for key in step.keys:
            steps[key] = f"step {step.op.name}, pool {' '.join(sorted(step.op.pools)) or 'none'}"
        for check in step.check_specs:
            mark = " (blocks)" if check.blocking else ""
            checks.setdefault(check.asset_key, []).append(check.name + mark)
    for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda one: one.key.path):
        yield spec.key.to_user_string()
        yield f"    group {spec.group_name}, kinds {' '.join(sorted(spec.kinds))}"
        yield f"    owners {' '.join(spec.owners)}, {steps.get(spec.key, 'kept beside')}"
        late = ", late by its policy" if spec.freshness_policy else ""
        yield f"    access {spec.tags['access']}{late}"
        for parent in sorted(dep.asset_key.to_user_string() for dep in spec.deps):
            yield f"    from {parent}"
        for name in sorted(checks.get(spec.key, [])):
            yield f"    check {name}"
        yield ""
    for schedule in definitions.schedules or []:
        yield f"schedule {schedule.name}: {schedule.cron_schedule} {schedule.execution_timezone}"
    for sensor in definitions.sensors or []:
        yield f"sensor {sensor.name}: every {sensor.minimum_interval_seconds} s"
    for job in definitions.jobs or []:
        yield f"job {job.name}: {job.description}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WAREHOUSE_DIR"] = folder
        SNAPSHOT.write_text(render(load()), encoding="utf-8")
