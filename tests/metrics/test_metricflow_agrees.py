"""MetricFlow and the reports, asked for the same figures.

Belongs here: agreement of the two, and the command that asks MetricFlow. Does not belong here:
whether a figure is right (the golden scenarios, test_metric_rules.py).
"""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from harness import REPOSITORY, Pipeline

from orchestration import mf
from throughline.building.manifest import read_manifest
from throughline.published.metrics import Metric, metrics
from throughline.settings import load_settings

Row = Mapping[str, Any]
Key = tuple[Any, ...]

# What each report is split by, and how MetricFlow is asked for it. The statistical report's agent
# and group rows are missing: they count a conversation several times, which MetricFlow never does.
SPLITS: dict[str, dict[str, list[str]]] = {
    "statistical_report": {
        "all": [],
        "source": ["conversation__source"],
        "project": ["conversation__source", "conversation__project_id"],
        "channel": ["conversation__channel"],
        "automation_level": ["conversation__automation_level"],
    },
    "contacts_report": {
        "all": [],
        "source": ["contact__source"],
        "project": ["contact__source", "contact__project_id"],
        "channel": ["contact__channel"],
        "agent": ["contact__source", "contact__agent_id"],
        "agent_kind": ["contact__agent_kind"],
        "group": ["contact__source", "contact__group_id"],
    },
}
GRAINS = ("day", "week", "month")
CASES = [
    (report, grain, split) for report in SPLITS for grain in GRAINS for split in SPLITS[report]
]


@pytest.fixture(scope="module")
def shown(built: Pipeline) -> dict[str, dict[str, str]]:
    """The metric behind each column: {report: {column: metric}}."""
    found: dict[str, dict[str, str]] = {}
    for metric in _metrics(built):
        model, _, column = metric.column.partition(".")
        found.setdefault(model, {})[column] = metric.name
    return found


@pytest.fixture(scope="module")
def answers(
    built: Pipeline, shown: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """MetricFlow's rows for every case, all metrics of the report at once."""
    queries = [
        {
            "metrics": list(shown[report].values()),
            "group_by": [f"metric_time__{grain}", *SPLITS[report][split]],
        }
        for report, grain, split in CASES
    ]
    folder = mf.prepare(built.settings)
    log = tmp_path_factory.mktemp("metricflow") / "log"
    finished = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("metricflow_server.py")), str(log)],
        cwd=folder,
        env={**os.environ, **mf.environment(built.settings)},
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, log.read_text(encoding="utf-8")[-4000:]
    return dict(zip(CASES, json.loads(finished.stdout), strict=True))


def _metrics(built: Pipeline) -> list[Metric]:
    return metrics(read_manifest(built.settings))


def _report(built: Pipeline, report: str, grain: str, split: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(built.settings.published_file), read_only=True) as connection:
        found = connection.execute(
            f"select * from reports.{report} where period_grain = ? and dimension = ?",  # noqa: S608
            [grain, split],
        )
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _by_key(rows: Sequence[Row], period: str, values: Sequence[str]) -> dict[Key, Row]:
    return {(str(row[period]), *(row[value] for value in values)): row for row in rows}


def _agree(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    return math.isclose(float(left), float(right), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize(("report", "grain", "split"), CASES)
def test_metricflow_and_the_report_agree_on_every_figure(
    built: Pipeline,
    shown: dict[str, dict[str, str]],
    answers: dict[tuple[str, str, str], list[dict[str, Any]]],
    report: str,
    grain: str,
    split: str,
) -> None:
    groups = SPLITS[report][split]
    columns = ["source", "dimension_value"] if len(groups) == 2 else ["dimension_value"]
    expected = _by_key(
        _report(built, report, grain, split), "period_start", columns if groups else []
    )
    actual = _by_key(answers[report, grain, split], f"metric_time__{grain}", groups)

    assert expected, "the sample has rows for every split"
    assert sorted(map(str, actual)) == sorted(map(str, expected))
    differences = [
        f"{key} {column}: report {row[column]}, metricflow {actual[key][metric]}"
        for key, row in expected.items()
        for column, metric in shown[report].items()
        if not _agree(row[column], actual[key][metric])
    ]
    assert not differences, "\n".join(differences[:20])


def test_the_comparison_sees_every_figure_at_work_and_revenue_with_and_without_a_sum(
    built: Pipeline, shown: dict[str, dict[str, str]]
) -> None:
    for report, splits in SPLITS.items():
        rows = [row for split in splits for row in _report(built, report, "week", split)]
        idle = [column for column in shown[report] if not any(row[column] for row in rows)]
        assert not idle, f"always zero or null in {report}"
        assert any(row["revenue"] is None for row in rows)


def test_every_split_of_the_reports_is_compared_but_the_statistical_ones_by_participant(
    built: Pipeline,
) -> None:
    with duckdb.connect(str(built.settings.published_file), read_only=True) as connection:
        for report, left_out in (
            ("statistical_report", {"agent", "group"}),
            ("contacts_report", set[str]()),
        ):
            found = connection.execute(
                f"select distinct dimension from reports.{report}"  # noqa: S608
            ).fetchall()
            assert {dimension for (dimension,) in found} - left_out == set(SPLITS[report])


def test_the_documented_command_answers_while_a_run_holds_the_warehouse(
    built: Pipeline, tmp_path: Path
) -> None:
    target = tmp_path / "answer.csv"
    names = ["conversations", "transfer_rate", "contacts"]
    with duckdb.connect(str(built.settings.warehouse_file)):
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "orchestration", "mf", "query"),
                *("--metrics", ",".join(names), "--group-by", "metric_time__month"),
                *("--order", "metric_time__month", "--csv", "answer.csv"),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                **built.settings.environment(),
                "PYTHONPATH": str(REPOSITORY),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    with target.open(encoding="utf-8", newline="") as stream:
        rows = {row["metric_time__month"][:10]: row for row in csv.DictReader(stream)}
    conversations = {
        str(row["period_start"]): row
        for row in _report(built, "statistical_report", "month", "all")
    }
    contacts = {
        str(row["period_start"]): row for row in _report(built, "contacts_report", "month", "all")
    }
    assert set(rows) == set(conversations) | set(contacts)
    for month, row in rows.items():
        assert int(row["conversations"]) == conversations[month]["conversations"]
        assert _agree(row["transfer_rate"], conversations[month]["transfer_rate"])
        assert int(row["contacts"]) == contacts[month]["contacts"]


def test_without_a_publication_the_command_says_what_to_do(tmp_path: Path) -> None:
    settings = load_settings({"WAREHOUSE_DIR": str(tmp_path)})
    with pytest.raises(mf.NothingPublishedError, match="make run"):
        mf.prepare(settings)
