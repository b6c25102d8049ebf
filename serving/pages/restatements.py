"""`/reports/restatements`: which published figures each publication changed, and why.

Belongs here: the page, what its address asks for, what its form offers. Does not belong here:
finding what changed (the pipeline does, when it publishes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from serving import i18n, labels
from serving.i18n import gettext
from serving.parameters import Parameter, choice, read, whole
from serving.reports import measures, periods
from serving.reports.links import RowKey
from serving.reports.measures import KINDS, Kind
from serving.reports.naming import measure_label, subject_label
from serving.reports.question import ALL, Question
from serving.reports.reading import Reading
from serving.snapshot import Row, Snapshot
from serving.web import current_snapshot, page
from throughline.published.restatements import CAUSES

router = APIRouter(prefix="/reports")

LISTED = 200
PUBLICATIONS_OFFERED = 60
PARAMETERS = (
    Parameter("publication", whole(1, 999_999_999)),
    Parameter("report", choice(KINDS)),
    Parameter("grain", choice(periods.GRAINS)),
    Parameter("cause", choice(CAUSES)),
    Parameter("settled", choice(("yes",))),
)
_MODELS: Mapping[str, Kind] = {kind.model: kind for kind in KINDS.values()}
_WHERE = """
    ($publication is null or publication_no = $publication)
    and ($report is null or report = $report)
    and ($grain is null or period_grain = $grain)
    and ($cause is null or cause = $cause)
    and (not $settled or not was_provisional)
"""


@dataclass(frozen=True)
class Line:
    """A figure that changed, or many at once.

    Attributes:
        row: of `reports.restatements`.
        report, period, subject, measure, cause: what it is about, in the reader's language; no
            period and no subject where the row stands for many figures.
        link: to the row of the report as it is now.
        before, after: the figures.
    """

    row: Row
    report: str
    period: str
    subject: str
    measure: str
    link: str | None
    before: str
    after: str
    cause: str


@router.get("/restatements")
def restatements(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The figures that changed, the newest publication first."""
    given, _ = read(PARAMETERS, request.query_params.multi_items())
    values = {
        "publication": given.get("publication"),
        "report": KINDS[given["report"]].model if "report" in given else None,
        "grain": given.get("grain"),
        "cause": given.get("cause"),
        "settled": "settled" in given,
    }
    rows = snapshot.rows(
        f"""
        select *, sum(cell_count) over () as all_cells, count(*) over () as all_rows
        from reports.restatements
        where {_WHERE}
        order by
            publication_no desc, was_provisional, dimension <> 'all' nulls first,
            period_start desc nulls first, report,
            period_grain, dimension, source nulls first, dimension_value nulls first, measure, cause
        limit {LISTED}
        """,
        values,
    )
    readings = _readings(snapshot)
    return page(
        request,
        "restatements.html",
        given=given,
        lines=[_line(readings[_MODELS[row["report"]].name], row) for row in rows],
        cells=int(rows[0]["all_cells"]) if rows else 0,
        left_out=int(rows[0]["all_rows"]) - len(rows) if rows else 0,
        publications=_publications(snapshot),
        kinds=KINDS,
        grains=labels.GRAINS,
        causes={name: gettext(labels.CAUSES[name]) for name in CAUSES},
    )


def _publications(snapshot: Snapshot) -> list[Row]:
    """The newest publications that changed anything, and how many figures."""
    return snapshot.rows(
        f"""
        select publication_no, max(restated_at) as restated_at, sum(cell_count) as cell_count
        from reports.restatements
        group by publication_no
        order by publication_no desc
        limit {PUBLICATIONS_OFFERED}
        """
    )


def _readings(snapshot: Snapshot) -> dict[str, Reading]:
    """By report, what names its rows and measures."""
    extent = periods.extent(snapshot)
    if extent is None:
        return {}
    return {
        name: Reading(snapshot, extent, Question(kind, "day", extent.first, extent.newest))
        for name, kind in KINDS.items()
    }


def _line(reading: Reading, row: Row) -> Line:
    kind = reading.kind
    is_one = row["period_grain"] is not None
    return Line(
        row=row,
        report=gettext(kind.title),
        period=i18n.period(row["period_grain"], row["period_start"]) if is_one else "",
        subject=subject_label(reading, _key(row)) if is_one else "",
        measure=measure_label(reading, row["measure"]),
        link=_link(kind, row) if is_one else None,
        before=_shown(kind, row, "from_value"),
        after=_shown(kind, row, "to_value"),
        cause=gettext(labels.CAUSES[row["cause"]]),
    )


def _key(row: Row) -> RowKey:
    return RowKey(row["dimension"], row["source"], row["dimension_value"])


def _link(kind: Kind, row: Row) -> str | None:
    """The row of the report as it is now, where an address can ask for it."""
    asked = Question(kind, row["period_grain"], row["period_start"], row["period_start"])
    dimension, value = row["dimension"], row["dimension_value"]
    if dimension == ALL:
        return asked.address(first="")
    if value is None or (row["source"] is None and dimension in measures.PER_SOURCE):
        return None
    if dimension == "source":
        return asked.address(first="", source=value)
    if dimension == "project":
        return asked.address(first="", source=row["source"], project=value)
    source = row["source"] if dimension in measures.PER_SOURCE else ""
    return replace(asked, dimension=dimension, source=source, value=value).address(first="")


def _shown(kind: Kind, row: Row, column: str) -> str:
    value: Any = row[column]
    measure = kind.measures.get(row["measure"])
    if value is None or measure is None:
        return i18n.number(value, 2) if value is not None and value % 1 else i18n.number(value)
    return measure.show(value)
