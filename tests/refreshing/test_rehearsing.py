"""`throughline run --dry-run`: what would change is found, and nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from harness import Pipeline, Row, dbt

from orchestration import rehearsals
from throughline.refreshing import beside, rehearsing
from throughline.settings import Settings

# Days that are over when the newest file comes.
JANUARY = "2026-01-05T09:{:02}:00Z"


def contact(name: str, minute: int, **more: Any) -> Row:
    return {
        "contact_id": name,
        "started_at": JANUARY.format(minute),
        "ended_at": JANUARY.format(minute + 1),
        "end_reason": "close",
        "agent_id": "ana",
        **more,
    }


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Three conversations, published; its dry runs have the dbt of the tests."""
    made = Pipeline(tmp_path)
    made.write("shop", "contacts", [contact(f"c{number}", number) for number in range(3)])
    made.run()

    def build(
        settings: Settings, environment: Mapping[str, str], tell: Any, *, checks: bool
    ) -> None:
        failures = dbt(["build", "--exclude-resource-type", "unit_test"], settings, environment)
        assert not failures, failures

    manifest = json.loads((made.settings.dbt_target_dir / "manifest.json").read_bytes())
    monkeypatch.setattr(beside, "build", build)
    monkeypatch.setattr(rehearsing, "read_manifest", lambda settings: manifest)
    return made


def test_a_dry_run_says_which_figures_would_change_and_changes_none(pipeline: Pipeline) -> None:
    before = pipeline.snapshot()
    version = pipeline.manifest()["data_version"]
    pipeline.write(
        "shop",
        "transfers",
        [
            {
                "from_contact_id": "c0",
                "to_contact_id": "c1",
                "requested_at": JANUARY.format(1),
                "outcome": "accepted",
            }
        ],
    )
    found = rehearsing.rehearse(pipeline.settings, tell=lambda line: None)
    moved = {
        (cell.period_grain, cell.measure): (cell.before, cell.after, cell.cause)
        for cell in found.cells
        if cell.report == "statistical_report" and cell.dimension == "all"
    }
    assert moved["month", "conversations"] == (3, 2, "merge")
    assert moved["month", "transferred"] == (0, 1, "merge")
    assert "2 conversations would give way to 1" in found.told

    assert pipeline.snapshot() == before
    assert pipeline.manifest()["data_version"] == version
    assert not pipeline.settings.working_dir.exists()
    pipeline.run()
    [report] = [
        row
        for row in pipeline.table("reports.statistical_report")
        if (row["dimension"], row["period_grain"]) == ("all", "month")
    ]
    assert report["conversations"] == 2


def test_a_dry_run_without_a_published_version_has_nothing_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path))
    assert rehearsals.rehearse() == rehearsals.FAILED
    assert "Nothing is published yet" in capsys.readouterr().err


def test_each_line_says_the_cell_both_values_and_why() -> None:
    cell = rehearsing.Cell(
        "contacts_report",
        "month",
        None,
        "agent",
        "ana",
        "shop",
        "contacts",
        3,
        5,
        "late_contact",
        2,
        1,
    )
    assert rehearsals._line(cell) == (
        "contacts report month agent shop/ana: contacts 3 -> 5 (+2), late contact, 2 conversations"
    )
