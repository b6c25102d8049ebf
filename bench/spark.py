"""`make bench ARGS="--engine spark"`: the same rows built by Spark and by DuckDB, and compared.

Belongs here: both rebuilds, and what Spark's own log says of each model. Does not belong here:
measuring a program (processes), comparing files (refreshes).
"""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import pipeline
from bench.cases import Case, Plan, empty_registry, workspace
from bench.processes import Cost
from bench.refreshes import Difference, differences
from seeds.generator.__main__ import SEED, committed_sample_period
from seeds.generator.volume import Volume, write_volume
from throughline.settings import REPOSITORY, load_settings
from throughline.spark.requirements import require

MASTER = "local[2]"
SHOWN = 12
# How Spark's plan names the folder of the table that a statement writes.
_MAKES = re.compile(r"InsertIntoHadoopFsRelationCommand\s.*?/(\w+)\.db/(\w+),", re.DOTALL)
# Statements that make no table: the checks of the data, and what dbt looks up.
OTHERS = "(checks)"
# The tables of the rounds of a materialization are named after its model.
_ROUND = re.compile(r"__(?:pointers|jumped|settled|edges|labels|links|kept|depths|deeper)(?:_.*)?$")


@dataclass(frozen=True)
class Work:
    """What Spark did for one model: all the statements that made it.

    Attributes:
        model: its schema and name.
        stages, tasks: how many ran.
        cpu_seconds: processor time of the tasks.
        shuffled_bytes: written for other stages to read.
        spilled_bytes: written to disk because memory ran out.
        longest_task: seconds of the longest task of any stage.
        skew: of the stage with that task, the longest over the median one.
    """

    model: str
    stages: int
    tasks: int
    cpu_seconds: float
    shuffled_bytes: int
    spilled_bytes: int
    longest_task: float
    skew: float


@dataclass(frozen=True)
class Result:
    """What a case gave.

    Attributes:
        case: the input; None for the committed sample.
        duckdb, spark: a rebuild of the same raw rows by each.
        task_seconds: processor time of Spark's tasks; the rest of it starts Spark and plans.
        work: by model, the most shuffled first.
        rows: that were compared.
        differences: between what both published.
        same_version: whether both were published under one name.
    """

    case: Case | None
    duckdb: Cost
    spark: Cost
    task_seconds: float
    work: list[Work]
    rows: int
    differences: list[Difference]
    same_version: bool


def measure(case: Case | None, plan: Plan, tell: Callable[[str], None]) -> Result:
    """Load, rebuild with DuckDB, rebuild with Spark, compare.

    Args:
        case: what is loaded; the committed sample without one.
        plan: where, and with how much.
        tell: called with a line now and then.

    Raises:
        ProgramError: a program failed.
        SparkMissingError: Spark cannot be started here.
    """
    require(load_settings({"ENGINE": "spark"}))
    folder = plan.folder / f"spark_{case.slug if case else 'sample'}"
    with workspace(folder, keep=plan.keep):
        log = folder / "output.log"
        landing, registry = REPOSITORY / "seeds/sample_logs", REPOSITORY / "seeds/registry"
        if case is not None:
            landing, registry = folder / "landing", empty_registry(folder / "registry")
            tell("making the logs")
            write_volume(_volume(case, plan), landing, folder / "truth", lambda _: None)
        settings = pipeline.settings_of(
            landing, folder / "warehouse", registry, plan.memory_limit, plan.threads
        )
        tell("loading, and a first build")
        pipeline.refresh(settings, log)
        tell("a rebuild by DuckDB")
        duckdb = pipeline.command(settings, log, "rebuild")
        by_duckdb = folder / "by_duckdb.duckdb"
        shutil.copyfile(settings.published_file, by_duckdb)
        version = _version(settings.published_dir)
        tell("a rebuild by Spark")
        by_spark = settings.replaced(engine="spark", spark_master=MASTER)
        events = folder / "events"
        events.mkdir()
        conf = folder / "conf"
        conf.mkdir()
        (conf / "spark-defaults.conf").write_text(
            f"spark.eventLog.enabled true\nspark.eventLog.dir {events.as_uri()}\n"
            "spark.eventLog.compress false\nspark.eventLog.rolling.enabled false\n",
            encoding="utf-8",
        )
        spark = pipeline.command(by_spark, log, "rebuild", SPARK_CONF_DIR=str(conf))
        tell("comparing")
        _, rows, found = differences(by_duckdb, settings.published_file, plan.memory_limit)
        work = sorted(work_of(events.iterdir()), key=lambda one: -one.shuffled_bytes)
        return Result(
            case=case,
            duckdb=duckdb,
            spark=spark,
            task_seconds=sum(one.cpu_seconds for one in work),
            work=work,
            rows=rows,
            differences=found,
            same_version=version == _version(settings.published_dir),
        )


def _volume(case: Case, plan: Plan) -> Volume:
    return Volume(
        contacts=case.contacts,
        messages_per_contact=case.messages_per_contact,
        period=committed_sample_period(),
        seed=SEED,
        shape=case.shape,
        source="volume",
        threads=plan.threads,
    )


def _version(published: Path) -> str:
    return str(json.loads((published / "manifest.json").read_bytes())["data_version"])


def work_of(logs: Iterable[Path]) -> list[Work]:
    """What Spark's event logs say of each model; statements that make no table are `OTHERS`."""
    made: dict[int, str] = {}
    ran: dict[int, int] = {}
    tasks: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in _events(logs):
        match event["Event"]:
            case "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart":
                made[event["executionId"]] = _made_by(event["physicalPlanDescription"])
            case "SparkListenerJobStart":
                execution = event.get("Properties", {}).get("spark.sql.execution.id")
                for stage in event["Stage IDs"] if execution else []:
                    ran[stage] = int(execution)
            case "SparkListenerTaskEnd" if event.get("Task Metrics"):
                tasks[event["Stage ID"]].append(event)
    by_model: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    for stage, ended in tasks.items():
        by_model[made.get(ran.get(stage, -1), OTHERS)].append(ended)
    return [_work(model, stages) for model, stages in by_model.items()]


def _events(logs: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in logs:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _made_by(plan: str) -> str:
    found = _MAKES.search(plan)
    return f"{found[1]}.{_ROUND.sub('', found[2])}" if found else OTHERS


def _work(model: str, stages: list[list[dict[str, Any]]]) -> Work:
    metrics = [task["Task Metrics"] for stage in stages for task in stage]
    seconds = [
        [max(task["Task Metrics"]["Executor Run Time"], 1) / 1e3 for task in stage]
        for stage in stages
    ]
    longest = max(seconds, key=max)
    return Work(
        model=model,
        stages=len(stages),
        tasks=len(metrics),
        cpu_seconds=sum(one["Executor CPU Time"] for one in metrics) / 1e9,
        shuffled_bytes=sum(
            one["Shuffle Write Metrics"]["Shuffle Bytes Written"] for one in metrics
        ),
        spilled_bytes=sum(one["Disk Bytes Spilled"] for one in metrics),
        longest_task=max(longest),
        skew=max(longest) / median(longest),
    )


def text(result: Result) -> str:
    """A result, for people."""
    duckdb, spark = result.duckdb, result.spark
    lines = [
        result.case.title if result.case else "the committed sample",
        f"  by DuckDB       {duckdb.wall_seconds:8.1f} s, {duckdb.cpu_seconds:8.1f} s of CPU,"
        f" {duckdb.peak_bytes / 1e9:.2f} GB",
        f"  by Spark        {spark.wall_seconds:8.1f} s, {result.task_seconds:8.1f} s of CPU in"
        f" tasks, {spark.peak_bytes / 1e9:.2f} GB ({MASTER})",
        f"  Spark / DuckDB  {spark.wall_seconds / duckdb.wall_seconds:8.2f} of the time",
        f"  {result.rows:,} rows compared, "
        + ("all equal" if not result.differences else "NOT EQUAL")
        + (", one version" if result.same_version else ", ANOTHER VERSION"),
        *(f"  DIFFERENT {one}" for one in result.differences),
        "",
        f"  {'model':42} stages  tasks   CPU s  shuffled MB  spilled MB  longest task s"
        "  over median",
    ]
    lines += [
        f"  {one.model:42} {one.stages:6} {one.tasks:6} {one.cpu_seconds:7.1f}"
        f" {one.shuffled_bytes / 1e6:12.1f} {one.spilled_bytes / 1e6:11.1f}"
        f" {one.longest_task:15.2f} {one.skew:12.1f}"
        for one in result.work[:SHOWN]
    ]
    return "\n".join(lines)
