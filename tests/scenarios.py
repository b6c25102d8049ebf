"""The golden scenarios as data: reading the YAML files, and comparing tables with them.

Belongs here: the file format. Does not belong here: running anything, figures.

A scenario is a list of stages. A stage loads rows into logs (the source is the file's stem;
`other_source/contacts` names another) and then expects tables. Rows stand in a table with `|`
between the cells, or as `key: {column: value}`. All cells are text, as they stand.

In what is loaded, an empty cell is null. In what is expected:
    empty   null                     [a, b]  a list
    *       anything                 ?       anything but null
A block named `contacts` must hold every row of the scenario; one named `contacts(some words)` need
not. Of the two reports, `statistical_report` and `contacts_report` alone hold every day of the
dimension `source`; other grains and dimensions stand in a block with words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "golden" / "scenarios"

Cells = dict[str, str]

KEYS: dict[str, tuple[str, ...]] = {
    "conversations": ("conversation_id",),
    "contacts": ("source", "contact_id"),
    "transfers": ("source", "from_contact_id", "to_contact_id", "requested_at", "transfer_id"),
    "messages": ("source", "message_id"),
    "transactions": ("source", "transaction_id"),
    "conversation_ids": ("source", "id"),
    "id_merges": ("old_conversation_id", "new_conversation_id"),
    "statistical_report": ("period_grain", "period_start", "dimension", "dimension_value"),
    "contacts_report": ("period_grain", "period_start", "dimension", "dimension_value"),
    "reconciliation": ("source", "period_grain", "period_start"),
}
REPORTS = ("statistical_report", "contacts_report")


@dataclass(frozen=True)
class Stage:
    """What one load brings and what stands afterwards.

    Attributes:
        load: (source, log) -> rows.
        expect: block name -> rows; a name may end in words in brackets.
        quality: codes that the graph-quality table must show; None when nothing is said about it.
    """

    load: dict[tuple[str, str], list[dict[str, str | None]]]
    expect: dict[str, list[Cells]]
    quality: frozenset[str] | None


@dataclass(frozen=True)
class Scenario:
    """One file of `scenarios/`."""

    source: str
    name: str
    stages: list[Stage]
    registry: dict[str, str]
    projects: list[dict[str, str]]

    @property
    def sources(self) -> set[str]:
        """Every source that the scenario loads."""
        return {source for stage in self.stages for source, _ in stage.load}


def _table(text: str) -> list[Cells]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    header = [cell.strip() for cell in lines[0].split("|")]
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != len(header):
            raise ValueError(f"{len(cells)} cells for {len(header)} columns: {line!r}")
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def _rows(block: str | Mapping[str, Mapping[str, str]], table: str) -> list[Cells]:
    if isinstance(block, str):
        return _table(block)
    key = KEYS[table][-1]
    return [{key: name, **values} for name, values in block.items()]


def read(path: Path) -> Scenario:
    """Read one scenario.

    Raises:
        ValueError: a row has more or fewer cells than its table has columns.
    """
    # BaseLoader: every scalar stays the text that it is.
    content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    stages = []
    for stage in content["stages"]:
        load: dict[tuple[str, str], list[dict[str, str | None]]] = {}
        for name, block in stage["load"].items():
            source, _, log = name.rpartition("/")
            load[source or path.stem, log] = [
                {column: value or None for column, value in row.items()} for row in _table(block)
            ]
        expect = dict(stage.get("expect") or {})
        codes = expect.pop("quality", None)
        stages.append(
            Stage(
                load=load,
                expect={
                    name: _rows(block, name.partition("(")[0]) for name, block in expect.items()
                },
                quality=None
                if codes is None
                else frozenset(code.strip() for code in codes.split(",") if code.strip()),
            )
        )
    return Scenario(
        source=path.stem,
        name=content["name"],
        stages=stages,
        registry=content.get("registry", {}),
        projects=_table(content.get("projects", "")),
    )


def all_scenarios() -> list[Scenario]:
    """Every scenario, by file name."""
    return [read(path) for path in sorted(FOLDER.glob("*.yaml"))]


def as_text(value: Any) -> str:
    """A value as a scenario would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_text(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)


def _agrees(expected: str, value: Any) -> bool:
    if expected == "*":
        return True
    if expected == "?":
        return value is not None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return bool(re.fullmatch(r"-?\d+(\.\d+)?", expected)) and math.isclose(
            float(value), float(expected), rel_tol=1e-9
        )
    return as_text(value) == expected


def differences(
    block: str, expected: Sequence[Cells], actual: Sequence[Mapping[str, Any]], source: str
) -> list[str]:
    """Compare a block with the rows of its table that belong to the scenario.

    Args:
        block: the block's name; words in brackets make it a selection of rows.
        expected: what the scenario says.
        actual: the scenario's rows of the table.
        source: what an expected row without a source or dimension means.

    Returns:
        One line for each thing that differs.
    """
    table = block.partition("(")[0]
    is_whole = "(" not in block
    defaults = {"source": source}
    if table in REPORTS:
        defaults = {"period_grain": "day", "dimension": "source", "dimension_value": source}
        if is_whole:
            actual = [
                row
                for row in actual
                if all(as_text(row[column]) == value for column, value in defaults.items())
            ]
    rows = [{**defaults, **row} for row in expected]
    # Of the columns that identify a row, those that the block gives.
    key = [name for name in KEYS[table] if all(name in row for row in rows)]
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in actual:
        found.setdefault(tuple(as_text(row.get(name)) for name in key), []).append(row)

    problems = []
    for cells in rows:
        name = tuple(cells[column] for column in key)
        label = f"{block} {' / '.join(name)}"
        matches = found.pop(name, [])
        if len(matches) != 1:
            problems.append(f"{label}: {len(matches)} rows instead of one")
            continue
        for column, wanted in cells.items():
            if column not in matches[0]:
                if column not in defaults:
                    problems.append(f"{label}: the table has no column {column}")
            elif not _agrees(wanted, matches[0][column]):
                got = as_text(matches[0][column])
                problems.append(f"{label}: {column} is {got!r} and should be {wanted!r}")
    if is_whole:
        problems += [f"{block} {' / '.join(name)}: this row should not be there" for name in found]
    return problems
