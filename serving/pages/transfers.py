"""`/transfers`: who hands over to whom, along which ways, after what wait, at what price.

Belongs here: what the address asks for, names and links of the figures, the drawing's options.
Does not belong here: the figures (`transfer_queries`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from serving import filters, i18n, labels
from serving import transfer_queries as queries
from serving.conversation_queries import Directory, directory
from serving.filters import NONE, Filter, Problem
from serving.i18n import mark
from serving.reports import periods
from serving.snapshot import Row, Snapshot
from serving.transfer_queries import OTHER, STEPS, Question
from serving.web import current_snapshot, page

router = APIRouter()

SHADES = 5
LEVELS = {"kind": mark("Bot or human"), "group": mark("Group"), "agent": mark("Respondent")}
UNNAMED = {
    "kind": mark("Unknown kind"),
    "group": mark("Without a group"),
    "agent": mark("Unknown respondent"),
}
COLUMNS = ("source", "project", "channel")
OUTCOMES = ("accepted", "failed", "abandoned", "unknown", "set_aside")
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


@router.get("/transfers")
def transfers(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The page."""
    question, problems = _question(request, snapshot)
    names = directory(snapshot)
    shared: dict[str, Any] = {
        "section": "transfers",
        "levels": LEVELS,
        "labels": labels,
        "problems": problems,
        "choices": _choices(snapshot, names),
    }
    if question is None:
        return page(request, "transfers_none.html", **shared)
    answer = queries.answer(snapshot, question)
    view = _View(question, names)
    rows = answer.transfers
    pairs = [row for row in rows if row["level"] == "pair"]
    ends = _ends(pairs)
    matrix, most = view.matrix(pairs, ends)
    paths = [row for row in answer.paths if row["level"] == "path"]
    backs = [row for row in answer.paths if row["level"] == "back"]
    steps = [row for row in rows if row["level"] == "step"]
    return page(
        request,
        "transfers.html",
        question=question,
        view=view,
        total=view.requests(rows, "all")[0],
        ends=ends,
        matrix=matrix,
        most=most,
        sankey=view.sankey(steps),
        steps=[row for row in steps if row["step"] <= STEPS],
        later=sum(row["transfers"] for row in steps if row["step"] > STEPS),
        targets=view.requests(rows, "target"),
        kinds=view.requests(rows, "kind"),
        walked=answer.paths[0],
        paths=paths,
        backs=backs,
        costs=view.costs(answer.costs),
        groups=answer.costs,
        legs=answer.earlier_legs,
        zones=sorted({row["time_zone"] for row in names.projects.values()}),
        outcomes=OUTCOMES,
        **shared,
    )


def _question(request: Request, snapshot: Snapshot) -> tuple[Question | None, list[Problem]]:
    """What the address asks for; the last complete month of the data when it names no days."""
    given = request.query_params.multi_items()
    asked, problems = filters.read([pair for pair in given if pair[0] in ("from", "to", *COLUMNS)])
    by = request.query_params.get("by", "group")
    if by not in LEVELS:
        problems.append(Problem("by", by[:40], "one of " + ", ".join(LEVELS)))
        by = "group"
    first, last = asked.first_day, asked.last_day
    extent = periods.extent(snapshot)
    if extent is None:
        return None, problems
    if first and last and last < first:
        first = last = None
    if not first and not last:
        first = extent.last_complete("month") or periods.start_of("month", extent.newest)
        last = periods.last_day("month", first)
    columns = tuple((name, asked.columns[name]) for name in COLUMNS if name in asked.columns)
    return Question(by, first or extent.first, last or extent.newest, columns), problems


def _choices(snapshot: Snapshot, names: Directory) -> dict[str, list[tuple[str, str]]]:
    """What the form offers: values and their names."""
    sources = sorted({source for source, _ in names.projects})
    projects: dict[str, list[str]] = {}
    for (source, project_id), row in sorted(names.projects.items()):
        name = f"{row['project_name'] or project_id} · {source}"
        projects.setdefault(project_id, []).append(name)
    channels = snapshot.rows(
        "select distinct dimension_value from reports.statistical_report"
        " where dimension = 'channel' and dimension_value is not null order by 1"
    )
    return {
        "source": [(source, source) for source in sources],
        "project": [(id, ", ".join(listed)) for id, listed in projects.items()],
        "channel": [
            (row["dimension_value"], labels.label(labels.CHANNELS, row["dimension_value"]))
            for row in channels
        ],
    }


def _key(row: Row, column: str) -> End:
    return (None if row[column] == OTHER else row["source"], row[column])


def _ends(pairs: Sequence[Row]) -> list[End]:
    """The ends in order of their transfers, the rest last."""
    totals: dict[End, int] = {}
    for row in pairs:
        for column in ("from_end", "to_end"):
            end = _key(row, column)
            totals[end] = totals.get(end, 0) + row["transfers"]
    return sorted(totals, key=lambda end: (end[1] == OTHER, -totals[end], end[0] or "", end[1]))


def log_address(wanted: Filter) -> str:
    """The log, filtered."""
    return f"/conversations?{wanted.query()}"


class _View:
    """Names and links of the figures of a question."""

    def __init__(self, question: Question, names: Directory) -> None:
        self._question = question
        self._names = names
        # With one source asked for, its name beside every end says nothing.
        self._is_one_source = len(dict(question.columns).get("source", ())) == 1

    def name(self, source: str | None, end: str) -> str:
        """The name of an end of a transfer, with its source where that could be another's."""
        shown = self._short(source, end)
        return shown if self._is_one_source or not source else f"{shown} · {source}"

    def path(self, row: Row) -> str:
        """The names along a way."""
        shown = " → ".join(self._short(row["source"], step) for step in row["path"])
        return shown if self._is_one_source or not row["source"] else f"{shown} · {row['source']}"

    def _short(self, source: str | None, end: str) -> str:
        by = self._question.by
        if end == OTHER:
            return i18n.gettext("all others")
        if end == NONE:
            return i18n.gettext(UNNAMED[by])
        if by == "kind":
            return labels.label(labels.AGENT_KINDS, end)
        return self._names.group(source, end) if by == "group" else self._names.agent(source, end)

    def _within(self, source: str | None) -> dict[str, Any]:
        return {"columns": {"source": (source,)}} if source else {}

    def pair_link(self, source: str | None, origin: str, target: str) -> str:
        """The conversations with such a transfer; empty for the rest of the ends."""
        if OTHER in (origin, target):
            return ""
        return log_address(
            self._question.filter(transfer_from=origin, transfer_to=target, **self._within(source))
        )

    def path_link(self, row: Row, *, part: bool = False) -> str:
        """The conversations that went this way."""
        return log_address(
            self._question.filter(
                path=tuple(row["path"]),
                path_part=part,
                transfer_outcome="accepted",
                **self._within(row["source"]),
            )
        )

    def link(self, **more: Any) -> str:
        """The conversations of the question's transfers, and more."""
        return log_address(self._question.filter(**more))

    def closed_link(self, transferred: bool) -> str:
        """The conversations that closed in the period, transferred or not."""
        return log_address(self._question.closed(flags={"transferred": transferred}))

    def address(self, **changes: str) -> str:
        """This page, with another answer to a question of the form."""
        pairs = {
            "by": self._question.by,
            "from": str(self._question.first_day),
            "to": str(self._question.last_day),
        }
        columns = [(name, value) for name, values in self._question.columns for value in values]
        return "/transfers?" + urlencode([*{**pairs, **changes}.items(), *columns])

    def matrix(
        self, pairs: Sequence[Row], ends: Sequence[End]
    ) -> tuple[list[tuple[End, list[Cell], int]], int]:
        """One line per end that hands over, one cell per end that takes over, and the line's sum.

        Returns:
            The lines, and the largest number of transfers in a cell.
        """
        counts: dict[tuple[End, End], int] = {}
        conversations: dict[tuple[End, End], int | None] = {}
        for row in pairs:
            place = _key(row, "from_end"), _key(row, "to_end")
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
                        self.pair_link(origin[0], origin[1], target[1]) if count else "",
                        -(-count * SHADES // most) if count else 0,
                    )
                )
            if sent := sum(cell.transfers for cell in cells):
                lines.append((origin, cells, sent))
        return lines, most

    def sankey(self, steps: Sequence[Row]) -> dict[str, Any]:
        """Options of the chart: transfers flow from one column to the next, so no circle can form.

        Columns are the conversation's first, second and third transfer of the period.
        """
        nodes: dict[tuple[int, End], dict[str, Any]] = {}

        def node(column: int, end: End) -> str:
            # A name stands for one place alone: what tells columns apart is of no width.
            name = self.name(*end) + "\u200b" * column
            nodes.setdefault((column, end), {"name": name, "depth": column})
            return name

        flows: dict[tuple[str, str], dict[str, Any]] = {}
        for row in steps:
            if row["step"] > STEPS:
                continue
            origin, target = _key(row, "from_end"), _key(row, "to_end")
            pair = node(row["step"] - 1, origin), node(row["step"], target)
            flow = flows.setdefault(
                pair,
                {
                    "source": pair[0],
                    "target": pair[1],
                    "value": 0,
                    "link": self.pair_link(origin[0], origin[1], target[1]),
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
                    "data": list(nodes.values()),
                    "links": list(flows.values()),
                }
            ],
        }

    def requests(self, rows: Sequence[Row], level: str) -> list[dict[str, Any]]:
        """Requests with what became of them, one entry per target, kind, or for all.

        Each of `asked` and OUTCOMES is requests, conversations, and a link to these; the
        conversations of `asked` are known for all alone.
        """
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in rows:
            if row["level"] != level:
                continue
            key = (row["source"], row["target_kind"], row["target_id"], row["kind"])
            entry = found.setdefault(
                key,
                {
                    "name": self._request_name(row),
                    "asked": (0, None, self._request_link(row, "asked")),
                    **dict.fromkeys(OUTCOMES, (0, 0, "")),
                    "waits": 0,
                    "wait_median": None,
                    "wait_p90": None,
                },
            )
            outcome = row["outcome"]
            if outcome is None:
                entry["asked"] = (row["transfers"], row["conversations"], entry["asked"][2])
                continue
            if level != "all":
                entry["asked"] = (entry["asked"][0] + row["transfers"], *entry["asked"][1:])
            link = "" if outcome == "set_aside" else self._request_link(row, outcome)
            entry[outcome] = (row["transfers"], row["conversations"], link)
            if outcome == "accepted":
                entry |= {name: row[name] for name in ("waits", "wait_median", "wait_p90")}
        return sorted(found.values(), key=lambda entry: (-entry["asked"][0], entry["name"]))

    def _request_name(self, row: Row) -> str:
        if row["level"] == "all":
            return i18n.gettext("All requests")
        if row["level"] == "kind":
            return labels.label(labels.TRANSFER_KINDS, row["kind"])
        if not row["target_id"]:
            return i18n.gettext("Not stated")
        if row["target_kind"] == "group":
            name = i18n.gettext("the group %(name)s") % {
                "name": self._names.group(row["source"], row["target_id"])
            }
        else:
            name = self._names.agent(row["source"], row["target_id"])
        return name if self._is_one_source else f"{name} · {row['source']}"

    def _request_link(self, row: Row, outcome: str) -> str:
        more: dict[str, Any] = {"transfer_outcome": outcome}
        if row["level"] == "kind":
            more["transfer_kind"] = (row["kind"] or NONE,)
        elif row["level"] == "target":
            if not row["target_id"] or not row["target_kind"]:
                return ""
            more["transfer_target"] = f"{row['target_kind']}:{row['target_id']}"
            more |= self._within(row["source"])
        return self.link(**more)

    def costs(self, groups: Mapping[bool, Row]) -> list[dict[str, Any]]:
        """Transferred conversations against the others, one entry per figure."""
        found = []
        for name, column, counted, kind in (
            (mark("Human handle time, mean"), "human_handle_mean", "handled", "duration"),
            (mark("Resolution time, median"), "resolution_median", "resolutions", "duration"),
            (mark("First human reply, median"), "first_reply_median", "first_replies", "duration"),
            (mark("Satisfied (CSAT 4 or 5)"), "csat_share", "csat_responses", "share"),
            (mark("CSAT, mean"), "csat_mean", "csat_responses", "score"),
        ):
            values: list[float | None] = []
            counts: list[int] = []
            for transferred in (True, False):
                row = groups.get(transferred, {})
                responses = row.get("csat_responses")
                share = row["csat_positive"] / responses if responses else None
                values.append(share if column == "csat_share" else row.get(column))
                counts.append(row.get(counted, 0))
            ours, others = values
            difference = None if ours is None or others is None else ours - others
            found.append(
                {
                    "name": name,
                    "kind": kind,
                    "values": values,
                    "counts": counts,
                    "positive": [
                        groups.get(transferred, {}).get("csat_positive", 0)
                        for transferred in (True, False)
                    ]
                    if kind == "share"
                    else None,
                    "difference": difference,
                }
            )
        return found
