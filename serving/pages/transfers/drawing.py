"""The matrix and the flow of who hands over to whom.

Belongs here: how figures are laid out and drawn. Does not belong here: names and links (`view`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serving.pages.transfers.view import View
from serving.queries.transfers import OTHER, STEPS
from serving.snapshot import Row

SHADES = 5
End = tuple[str | None, str]


@dataclass(frozen=True)
class Cell:
    """Accepted transfers between two ends.

    Attributes:
        transfers: how many.
        conversations: in how many; None for the rest of the ends, which is not looked up.
        link: to these conversations; empty where there are none or they are not looked up.
        shade: 0 (none) to SHADES (the most).
    """

    transfers: int = 0
    conversations: int | None = None
    link: str = ""
    shade: int = 0


def _end(row: Row, column: str) -> End:
    return (None if row[column] == OTHER else row["source"], row[column])


def ends_of(pairs: Sequence[Row]) -> list[End]:
    """The ends in order of their transfers, the rest last."""
    totals: dict[End, int] = {}
    for row in pairs:
        for column in ("from_end", "to_end"):
            end = _end(row, column)
            totals[end] = totals.get(end, 0) + row["transfers"]
    return sorted(totals, key=lambda end: (end[1] == OTHER, -totals[end], end[0] or "", end[1]))


def matrix(
    view: View, pairs: Sequence[Row], ends: Sequence[End]
) -> tuple[list[tuple[End, list[Cell], int]], int]:
    """One line per end that hands over, one cell per end that takes over, and the line's sum.

    Returns:
        The lines, and the largest number of transfers in a cell.
    """
    counts: dict[tuple[End, End], int] = {}
    conversations: dict[tuple[End, End], int | None] = {}
    for row in pairs:
        place = _end(row, "from_end"), _end(row, "to_end")
        counts[place] = counts.get(place, 0) + row["transfers"]
        conversations[place] = row["conversations"]
    most = max(counts.values(), default=0)
    lines = []
    for origin in ends:
        cells = []
        for target in ends:
            count = counts.get((origin, target), 0)
            cells.append(
                Cell(
                    count,
                    conversations.get((origin, target)),
                    view.pair_link(origin[0], origin[1], target[1]) if count else "",
                    -(-count * SHADES // most) if count else 0,
                )
            )
        if sent := sum(cell.transfers for cell in cells):
            lines.append((origin, cells, sent))
    return lines, most


def sankey(view: View, steps: Sequence[Row]) -> dict[str, Any]:
    """Options of the chart: transfers flow from one column to the next, so no circle can form.

    Columns are the conversation's first, second and third transfer of the period.
    """
    nodes: dict[tuple[int, End], dict[str, Any]] = {}

    def node(column: int, end: End) -> str:
        # A name stands for one place alone: what tells columns apart is of no width.
        name = view.name(*end) + "\u200b" * column
        nodes.setdefault((column, end), {"name": name, "depth": column})
        return name

    flows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in steps:
        if row["step"] > STEPS:
            continue
        origin, target = _end(row, "from_end"), _end(row, "to_end")
        pair = node(row["step"] - 1, origin), node(row["step"], target)
        flow = flows.setdefault(
            pair,
            {
                "source": pair[0],
                "target": pair[1],
                "value": 0,
                "link": view.pair_link(origin[0], origin[1], target[1]),
            },
        )
        flow["value"] += row["transfers"]
    return {
        "tooltip": {"trigger": "item"},
        "series": [
            {
                "type": "sankey",
                "left": 4,
                "right": 200,
                "top": 8,
                "bottom": 8,
                "nodeGap": 10,
                "nodeWidth": 14,
                "draggable": False,
                "layoutIterations": 32,
                "emphasis": {"focus": "adjacency"},
                "lineStyle": {"color": "source", "opacity": 0.35},
                # A long name ends where the next column or the drawing does.
                "label": {"width": 188, "overflow": "truncate"},
                "data": list(nodes.values()),
                "links": list(flows.values()),
            }
        ],
    }
