"""Each metric is defined once, whole, and everything that speaks of it takes it from there.

Belongs here: claims about the YAML and what is written from it. Does not belong here: figures.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from typing import Any

import pytest
import yaml
from harness import REPOSITORY

from orchestration import metrics_page
from throughline.building import process
from throughline.building.manifest import public_models
from throughline.published.metrics import Metric, metrics
from throughline.settings import Settings, load_settings

REPORTS = {"statistical_report": "conversation", "contacts_report": "contact"}
# Columns of the reports that are no figures.
LABELS = {
    "settles_at",
    "period_grain",
    "period_start",
    "dimension",
    "dimension_value",
    "source",
    "is_additive",
    "is_provisional",
    "currency",
}
ANCHORS = {"conversation": "closed_on", "contact": "started_on"}
# What the metric models hold is what the reports are made of.
MADE_FROM = {
    "conversation_metrics": "statistical_report",
    "conversation_percentiles": "statistical_report",
    "contact_metrics": "contacts_report",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"WAREHOUSE_DIR": str(tmp_path_factory.mktemp("definitions"))})


@pytest.fixture(scope="module")
def parsed(settings: Settings) -> list[dict[str, Any]]:
    """The events of a parse from nothing, every deprecation shown."""
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    finished = subprocess.run(
        [
            str(process.executable(settings)),
            *("--log-format", "json", "--show-all-deprecations", "--no-partial-parse", "parse"),
        ],
        cwd=settings.dbt_project_dir,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-4000:]
    return [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def manifest(settings: Settings, parsed: list[dict[str, Any]]) -> dict[str, Any]:
    assert parsed
    content: dict[str, Any] = json.loads((settings.dbt_target_dir / "manifest.json").read_bytes())
    return content


@pytest.fixture(scope="module")
def defined(manifest: dict[str, Any]) -> list[Metric]:
    return metrics(manifest)


def _columns(manifest: dict[str, Any], model: str) -> dict[str, str]:
    node = manifest["nodes"][f"model.throughline.{model}"]
    return {name: column["description"] for name, column in node["columns"].items()}


def test_dbt_parses_the_project_without_a_deprecation_or_a_warning(
    parsed: list[dict[str, Any]],
) -> None:
    loud = [
        event["info"]["msg"]
        for event in parsed
        if event["info"]["level"] in {"warn", "error"} or "Deprecation" in event["info"]["name"]
    ]
    assert loud == []


def test_only_simple_metrics_stand_under_a_model_so_that_a_changed_file_parses_again() -> None:
    found = 0
    for path in (REPOSITORY / "dbt_project" / "models" / "marts").glob("*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            for metric in model.get("metrics", []):
                found += 1
                assert metric["type"] == "simple", metric["name"]
    assert found


def test_every_figure_of_the_reports_has_exactly_one_metric(
    manifest: dict[str, Any], defined: list[Metric]
) -> None:
    shown = Counter(metric.column for metric in defined)
    assert set(shown.values()) == {1}
    figures = {
        f"{report}.{column}"
        for report in REPORTS
        for column in _columns(manifest, report)
        if column not in LABELS
    }
    assert figures <= set(shown)
    # The rest are the parts that revenue is made of, columns of the metric models.
    for column in set(shown) - figures:
        model, _, name = column.partition(".")
        assert model in MADE_FROM
        assert name in _columns(manifest, model)


def test_the_columns_that_show_a_metric_are_described_by_it(
    manifest: dict[str, Any], defined: list[Metric]
) -> None:
    words = {node["name"]: node["description"] for node in manifest["metrics"].values()}
    description = {metric.column: words[metric.name] for metric in defined}
    for model in (*REPORTS, *MADE_FROM):
        for column, text in _columns(manifest, model).items():
            own = f"{model}.{column}"
            name = own if own in description else f"{MADE_FROM.get(model)}.{column}"
            if name in description:
                assert text == description[name], own


def test_every_metric_is_defined_whole_and_as_its_formula_says(
    manifest: dict[str, Any], defined: list[Metric]
) -> None:
    nodes = {node["name"]: node for node in manifest["metrics"].values()}
    grain = {metric.name: metric.grain for metric in defined}
    for metric in defined:
        assert all((metric.description, metric.label, metric.formula, metric.unit, metric.source))
        assert re.match(r"this project$|(platform|peers), .", metric.source), metric.name
        assert metric.anchor == ANCHORS[metric.grain], metric.name
        node = nodes[metric.name]
        simple = node["type_params"]["metric_aggregation_params"]
        if simple:
            assert simple["semantic_model"] == f"{metric.grain}s", metric.name
            assert simple["agg_time_dimension"] == metric.anchor, metric.name
            # Exact, never approximate.
            assert not simple["agg_params"]["use_approximate_percentile"], metric.name
            closed_only = metric.grain == "conversation"
            assert ("conversation__is_closed" in str(node["filter"])) == closed_only, metric.name
        inputs = [part["name"] for part in node["type_params"]["metrics"]]
        inputs += [name for name in (metric.numerator, metric.denominator) if name]
        assert bool(inputs) == (not simple), metric.name
        assert {grain[name] for name in inputs} <= {metric.grain}, metric.name


def test_a_rate_or_mean_of_a_report_is_a_ratio_of_columns_beside_it(
    manifest: dict[str, Any], defined: list[Metric]
) -> None:
    by_name = {metric.name: metric for metric in defined}
    for metric in defined:
        report = metric.column.partition(".")[0]
        if metric.numerator:
            for part in (metric.numerator, metric.denominator):
                assert by_name[part].column.startswith(f"{report}."), metric.name
        if re.search(r"_rate$|_share$|_mean|_per_|^average_", metric.name):
            assert metric.numerator, metric.name


def test_a_metric_is_named_as_the_column_that_shows_it(defined: list[Metric]) -> None:
    apart = {
        "contacts_report.contacts": "contacts",
        "statistical_report.contacts": "conversation_contacts",
    }
    for metric in defined:
        model, _, column = metric.column.partition(".")
        if model not in REPORTS:
            continue
        prefix = "contact_" if REPORTS[model] == "contact" else ""
        assert metric.name == apart.get(metric.column, prefix + column)


def test_the_metrics_page_is_what_the_yaml_says(manifest: dict[str, Any]) -> None:
    page = metrics_page.PAGE.read_text(encoding="utf-8")
    assert metrics_page.updated(page, manifest) == page, (
        "run `python -m orchestration.metrics_page` and commit docs/metrics.md"
    )


def test_the_time_spine_and_the_semantic_models_publish_nothing_more(
    manifest: dict[str, Any],
) -> None:
    spines = [node for node in manifest["nodes"].values() if node.get("time_spine")]
    assert [(spine["name"], spine["access"]) for spine in spines] == [
        ("int_days__spanned", "private")
    ]
    public = [table for _, table in public_models(manifest)]
    assert not [table for table in public if "__" in table]
    for model in manifest["semantic_models"].values():
        assert model["node_relation"]["alias"] in public


def test_the_decision_names_only_tests_that_exist() -> None:
    decision = (REPOSITORY / "docs" / "decisions" / "0005-metrics.md").read_text(encoding="utf-8")
    scenarios = {path.stem for path in (REPOSITORY / "tests" / "golden").rglob("*.yaml")}
    functions = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    claims = {path.stem for path in (REPOSITORY / "dbt_project" / "tests").rglob("*.sql")}
    unit_tests = {
        test["name"]
        for path in (REPOSITORY / "dbt_project" / "models").rglob("*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", [])
    }
    named = re.findall(r"`((?:scenario |unit test |assert_|test_)\w+)`", decision)
    assert named
    known = functions | claims | {f"scenario {name}" for name in scenarios}
    known |= {f"unit test {name}" for name in unit_tests}
    assert not [name for name in named if name not in known]
