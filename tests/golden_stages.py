"""The landing zone of the golden scenarios: all of them in one warehouse, a stage at a time.

Belongs here: the registry and the files. Does not belong here: what is expected (scenarios).
"""

from __future__ import annotations

from pathlib import Path

from harness import Pipeline
from scenarios import all_scenarios

SCENARIOS = all_scenarios()
STAGES = max(len(scenario.stages) for scenario in SCENARIOS)


def golden_pipeline(home: Path) -> Pipeline:
    """A pipeline with the registry of all scenarios, each a source of its own."""
    return Pipeline(
        home,
        sources=[{"source": one.source, **one.registry} for one in SCENARIOS if one.registry],
        projects=[{"source": one.source, **row} for one in SCENARIOS for row in one.projects],
    )


def write_stage(
    pipeline: Pipeline, stage: int, *, name: str, fmt: str, backwards: bool = False
) -> int:
    """Write the files of a stage of every scenario that has one. Gives the number of rows."""
    count = 0
    for scenario in SCENARIOS:
        if stage < len(scenario.stages):
            for (source, log), rows in scenario.stages[stage].load.items():
                ordered = rows[::-1] if backwards else rows
                pipeline.write(source, log, ordered, name=name, fmt=fmt)
                count += len(rows)
    return count
