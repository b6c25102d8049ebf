"""The two reports: `/reports/statistics` and `/reports/contacts`.

Belongs here: the addresses, and what their forms offer. Does not belong here: the figures
(`serving.reports`), markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from serving import i18n, labels
from serving.export import stream
from serving.export.jobs import FORMATS
from serving.filters import NONE
from serving.i18n import gettext
from serving.parameters import NotUnderstoodError
from serving.queries.directory import directory
from serving.reports import measures, periods, question, rows
from serving.reports.answer import report
from serving.reports.measures import KINDS, Kind
from serving.reports.question import Question
from serving.reports.reading import Reading
from serving.snapshot import Kept, Snapshot, Versions
from serving.web import asked_snapshot, page

router = APIRouter(prefix="/reports")


@dataclass(frozen=True)
class Option:
    """A choice of a form."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class Options:
    """What the forms of a report offer.

    Attributes:
        grains: label, address, whether it is chosen.
        first, last: periods.
        scopes: by source: the source, then its projects.
        dimensions: to split the table by.
        columns: column sets: label, address, whether it is chosen.
        exports: formats: label, address.
        versions: the published versions that are kept, the newest first.
    """

    grains: list[Option]
    first: list[Option]
    last: list[Option]
    scopes: list[tuple[str, list[Option]]]
    dimensions: list[Option]
    columns: list[Option]
    exports: list[Option]
    versions: list[Option]


@router.get("")
def reports() -> Response:
    """The report that most people want."""
    return RedirectResponse("/reports/statistics", status_code=307)


@router.get("/statistics")
def statistics(
    request: Request, snapshot: Annotated[Snapshot, Depends(asked_snapshot)]
) -> Response:
    """Conversations, each on the day it closed."""
    return _answer(request, snapshot, KINDS["statistics"])


@router.get("/contacts")
def contacts(request: Request, snapshot: Annotated[Snapshot, Depends(asked_snapshot)]) -> Response:
    """Contacts, each on the day it started."""
    return _answer(request, snapshot, KINDS["contacts"])


@router.get("/{kind_name}/export")
def export(
    request: Request,
    kind_name: str,
    snapshot: Annotated[Snapshot, Depends(asked_snapshot)],
) -> Response:
    """The table that the address shows, all of its rows, as a file."""
    extent = periods.extent(snapshot)
    if kind_name not in KINDS or extent is None:
        raise HTTPException(404)
    asked = _asked(request, snapshot, KINDS[kind_name], extent)
    format_name = request.query_params.get("format", "").strip() or "csv"
    name = stream.told_apart(
        f"throughline-{kind_name}-{asked.grain}-{asked.last}", snapshot.scope, [asked.address()]
    )
    return stream.export(request, snapshot, [rows.shown(asked)], format_name, name)


def _answer(request: Request, snapshot: Snapshot, kind: Kind) -> Response:
    extent = periods.extent(snapshot)
    versions: Versions = request.app.state.versions
    if extent is None:
        return page(request, "report.html", kind=kind, report=None, options=None)
    asked = _asked(request, snapshot, kind, extent)
    if "scope" in request.query_params:
        # The form sends source and project as one; the address that is shared has them apart.
        return RedirectResponse(asked.address(), status_code=303)
    return page(
        request,
        "report.html",
        kind=kind,
        # Of a former version the log is not shown, so its figures lead nowhere.
        report=report(Reading(snapshot, extent, asked), links_wanted=not asked.version),
        options=_options(snapshot, asked, extent, versions.kept()),
    )


def _asked(request: Request, snapshot: Snapshot, kind: Kind, extent: periods.Extent) -> Question:
    asked, problems = question.read(kind.name, request.query_params.multi_items(), extent)
    asked, refused = question.held_to(snapshot.scope, asked)
    if problems or refused:
        raise NotUnderstoodError([*problems, *refused])
    return asked


def _options(
    snapshot: Snapshot, asked: Question, extent: periods.Extent, kept: Sequence[Kept]
) -> Options:
    starts = _starts(snapshot, asked)
    set_names = [(each.name, each.label) for each in asked.kind.sets]
    return Options(
        [
            Option(asked.at_grain(grain, extent), gettext(label), grain == asked.grain)
            for grain, label in labels.GRAINS.items()
        ],
        _periods(asked, starts, asked.first, extent),
        _periods(asked, starts, asked.last, extent),
        _scopes(snapshot, asked),
        [
            Option(name, gettext(measures.DIMENSION_NAMES[name]), name == asked.dimension)
            for name in question.offered(asked.kind, snapshot.scope)
        ],
        [
            Option(asked.address(columns=name, sort=""), gettext(label), name == asked.columns)
            for name, label in [*set_names, ("all", i18n.mark("All columns"))]
        ],
        [Option(asked.export_address(made.name), made.label, False) for made in FORMATS.values()],
        [
            Option(
                each.name if place else "",
                gettext("As published on %(moment)s UTC")
                % {"moment": i18n.moment(each.published_at)}
                if place
                else gettext("The current version"),
                each.name == snapshot.version,
            )
            for place, each in enumerate(kept)
        ],
    )


def _starts(snapshot: Snapshot, asked: Question) -> list[date]:
    """The newest periods with rows, newest first."""
    rows = snapshot.rows(
        f"""
        select distinct period_start from reports.{asked.kind.model}
        where dimension in ('all', 'source', 'project') and period_grain = $grain
        order by period_start desc
        limit {periods.LONGEST_SPAN}
        """,
        {"grain": asked.grain},
    )
    return [row["period_start"] for row in rows]


def _periods(
    asked: Question, starts: list[date], chosen: date, extent: periods.Extent
) -> list[Option]:
    offered = sorted({*starts, chosen}, reverse=True)
    return [
        Option(
            str(start),
            i18n.period(asked.grain, start)
            + ("" if extent.is_complete(asked.grain, start) else gettext(" (not over)")),
            start == chosen,
        )
        for start in offered
    ]


def _scopes(snapshot: Snapshot, asked: Question) -> list[tuple[str, list[Option]]]:
    rows = snapshot.rows(
        f"""
        select distinct source, dimension_value from reports.{asked.kind.model}
        where dimension = 'project' and period_grain = 'month'
        order by source, dimension_value nulls last
        """
    )
    names = directory(snapshot)
    found = []
    for source, projects in groupby(rows, key=lambda row: str(row["source"])):
        whole = Option(
            source,
            gettext("%(source)s, all projects") % {"source": source},
            source == asked.source and not asked.project,
        )
        bound = snapshot.scope.is_bound and source not in snapshot.scope.sources
        options = [] if bound else [whole]
        for row in projects:
            value = row["dimension_value"]
            label = gettext("No project") if value is None else names.project(source, value)
            chosen = source == asked.source and (value or NONE) == asked.project
            options.append(Option(f"{source}/{value or NONE}", label, chosen))
        found.append((source, options))
    return found
