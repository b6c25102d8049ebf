"""The page and its exports.

Belongs here: the routes, what the address asks for, what the form offers. Does not belong here: the
figures (`serving.queries.transfers`), names, links and drawing (`view`, `drawing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from serving import filters, i18n, labels, parameters
from serving.export import routes as exports
from serving.export import stream
from serving.export.jobs import FORMATS
from serving.filters.transfers import ENDS
from serving.i18n import mark
from serving.pages.transfers.drawing import ends_of, matrix, sankey
from serving.pages.transfers.view import View
from serving.parameters import NotUnderstoodError, Parameter, choice
from serving.queries import transfers as queries
from serving.queries.choices import choices
from serving.queries.directory import Directory, directory
from serving.queries.transfers import OUTCOMES, STEPS, Question
from serving.reports import periods
from serving.snapshot import Snapshot
from serving.web import current_snapshot, page

router = APIRouter()

LEVELS = {name: end.label for name, end in ENDS.items()}
# The fields of a filter that narrow the page, by their names, which are their attributes too.
COLUMNS = ("source", "project", "channel")
TABLES = {
    "requests": mark("Every request"),
    "pairs": mark("Who hands over to whom"),
    "targets": mark("By what it was addressed to"),
}


@router.get("/transfers")
def transfers(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The page."""
    question = _question(request, snapshot)
    names = directory(snapshot)
    shared: dict[str, Any] = {
        "section": "transfers",
        "levels": LEVELS,
        "labels": labels,
        "choices": _choices(snapshot, names),
    }
    if question is None:
        return page(request, "transfers_none.html", **shared)
    answer = queries.answer(snapshot, question)
    view = View(question, names)
    rows = answer.transfers
    pairs = [row for row in rows if row["level"] == "pair"]
    ends = ends_of(pairs)
    lines, most = matrix(view, pairs, ends)
    paths = [row for row in answer.paths if row["level"] == "path"]
    backs = [row for row in answer.paths if row["level"] == "back"]
    steps = [row for row in rows if row["level"] == "step"]
    total = view.requests(rows, "all")[0] if rows else None
    return page(
        request,
        "transfers.html",
        question=question,
        view=view,
        total=total,
        elsewhere=None if total and total["asked"][0] else _elsewhere(snapshot, question, view),
        exports=[
            (
                label,
                [(made.label, view.export_address(table, name)) for name, made in FORMATS.items()],
            )
            for table, label in TABLES.items()
        ],
        left_out={
            "kind": _left_out([row["places"] for row in rows if row["level"] == "kind"]),
            "target": _left_out([row["places"] for row in rows if row["level"] == "target"]),
            "path": _left_out([row["ways"] for row in paths]),
            "back": _left_out([row["ways"] for row in backs]),
        },
        ends=ends,
        matrix=lines,
        most=most,
        sankey=sankey(view, steps),
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


PARAMETERS = (
    Parameter("by", choice(LEVELS)),
    *(row for row in filters.PARAMETERS if row.name in ("from", "to", *COLUMNS)),
)
EXPORT_PARAMETERS = (*PARAMETERS, exports.FORMAT, Parameter("table", choice(queries.TABLES)))


@router.get("/transfers/export")
def export(request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]) -> Response:
    """A table of the page, all of its rows, as a file."""
    question = _question(request, snapshot)
    if question is None:
        raise HTTPException(404)
    given = request.query_params.multi_items()
    values, _ = parameters.read(EXPORT_PARAMETERS, given, strict=False)
    made = queries.table(snapshot, question, values.get("table", queries.TABLES[0]))
    days = f"{question.first_day}-{question.last_day}"
    name = stream.told_apart(
        f"throughline-{made.name}-{question.by}-{days}", snapshot.scope, question.columns
    )
    return stream.export(request, snapshot, [made], values.get("format", "csv"), name)


def _question(request: Request, snapshot: Snapshot) -> Question | None:
    """What the address asks for; the last complete month of the data when it names no days."""
    given = request.query_params.multi_items()
    asked, problems = filters.read([pair for pair in given if pair[0] in ("from", "to", *COLUMNS)])
    values, more = parameters.read(PARAMETERS[:1], given, strict=False)
    if problems or more:
        raise NotUnderstoodError([*problems, *more])
    first, last = asked.first_day, asked.last_day
    extent = periods.extent(snapshot)
    if extent is None:
        return None
    if not first and not last:
        first = extent.last_complete("month") or periods.start_of("month", extent.newest)
        last = periods.last_day("month", first)
    columns = tuple((name, chosen) for name in COLUMNS if (chosen := getattr(asked, name)))
    by = values.get("by", "group")
    return Question(by, first or extent.first, last or extent.newest, columns)


def _left_out(counts: Sequence[int]) -> int:
    """How many rows of a table are not shown, of which each row says how many there are."""
    return max(0, *counts, queries.MOST_ROWS) - queries.MOST_ROWS


def _elsewhere(snapshot: Snapshot, question: Question, view: View) -> tuple[str, str] | None:
    """The nearest month with such transfers, and its address; None when there are none."""
    day = queries.nearest_day(snapshot, question)
    if day is None:
        return None
    first = periods.start_of("month", day)
    last = periods.last_day("month", first)
    return i18n.period("month", first), view.address(**{"from": str(first), "to": str(last)})


def _choices(snapshot: Snapshot, names: Directory) -> dict[str, list[tuple[str, str]]]:
    """What the form offers: values and their names."""
    listed = choices(snapshot)
    projects: dict[str, list[str]] = {}
    for source, project_id in listed.projects:
        name = f"{names.project(source, project_id)} · {source}"
        projects.setdefault(project_id, []).append(name)
    return {
        "source": [(source, source) for source in listed.sources],
        "project": [(id, ", ".join(found)) for id, found in sorted(projects.items())],
        "channel": [(code, labels.label(labels.CHANNELS, code)) for code in listed.channels],
    }
