"""The comparison with golden scenarios notices what it should."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from scenarios import FOLDER, all_scenarios, differences

ROWS: list[dict[str, Any]] = [
    {
        "source": "here",
        "contact_id": "c1",
        "contact_no": 1,
        "is_open": False,
        "ended_at": datetime(2026, 3, 2, 9),
        "agents": ["a", "b"],
        "amount": Decimal("80.5000"),
        "nothing": None,
    },
    {
        "source": "here",
        "contact_id": "c2",
        "contact_no": 2,
        "is_open": True,
        "ended_at": None,
        "agents": [],
        "amount": Decimal(0),
        "nothing": None,
    },
]
RIGHT = [
    {
        "contact_id": "c1",
        "contact_no": "1",
        "is_open": "false",
        "ended_at": "2026-03-02 09:00:00",
        "agents": "[a, b]",
        "amount": "80.5",
        "nothing": "",
    },
    {"contact_id": "c2", "contact_no": "?", "ended_at": "", "amount": "*"},
]


def test_rows_as_expected_show_no_difference() -> None:
    assert differences("contacts", RIGHT, ROWS, "here") == []


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("contact_no", "2"),
        ("contact_no", ""),
        ("is_open", "true"),
        ("ended_at", "2026-03-02 09:00:01"),
        ("agents", "[b, a]"),
        ("amount", "80.51"),
        ("nothing", "?"),
        ("nothing", "0"),
        ("unheard_of", "1"),
    ],
)
def test_a_wrong_cell_is_noticed(column: str, wrong: str) -> None:
    expected = [{**RIGHT[0], column: wrong}, RIGHT[1]]
    (problem,) = differences("contacts", expected, ROWS, "here")
    assert column in problem


def test_a_row_too_many_is_noticed_in_a_whole_block_only() -> None:
    (problem,) = differences("contacts", RIGHT[:1], ROWS, "here")
    assert "should not be there" in problem
    assert differences("contacts(some)", RIGHT[:1], ROWS, "here") == []


def test_a_missing_row_and_a_doubled_row_are_noticed() -> None:
    assert differences("contacts", RIGHT, ROWS[:1], "here")
    assert differences("contacts", RIGHT, [*ROWS, ROWS[1]], "here")


def test_a_report_block_is_about_the_days_of_the_source() -> None:
    row = {"period_grain": "day", "period_start": date(2026, 3, 2), "conversations": 1}
    rows = [
        {**row, "dimension": "source", "dimension_value": "here"},
        {**row, "dimension": "source", "dimension_value": "there"},
        {**row, "dimension": "agent", "dimension_value": "ana"},
    ]
    expected = [{"period_start": "2026-03-02", "conversations": "1"}]
    assert differences("statistical_report", expected, rows, "here") == []
    assert differences("statistical_report", [], rows, "here")
    assert differences("statistical_report", [], rows, "elsewhere") == []


def test_every_scenario_has_a_name_of_its_own_and_expects_something_of_every_stage() -> None:
    scenarios = all_scenarios()
    assert len(scenarios) == len(list(FOLDER.iterdir()))
    assert len({scenario.name for scenario in scenarios}) == len(scenarios)
    assert all(stage.load and stage.expect for one in scenarios for stage in one.stages)
