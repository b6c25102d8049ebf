"""The table of a report: its periods, or the values of a dimension in one period.

Belongs here: lines, columns, their order and where they lead. Does not belong here: the table of an
export (`rows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from serving import i18n
from serving.filters import NONE
from serving.i18n import gettext
from serving.reports import measures, periods
from serving.reports.figures import cell, open_contacts
from serving.reports.links import RowKey
from serving.reports.naming import label, measure_label, subject_label
from serving.reports.question import ALL
from serving.reports.reading import Reading
from serving.reports.shown import Column, Line, Table
from serving.snapshot import Row

# A dimension with more values shows the first of them in the order asked for; the export has all.
MOST_ROWS = 200


def table(reading: Reading, *, links_wanted: bool = True) -> Table:
    """The table that the question asks for."""
    if reading.question.is_split:
        return _of_values(reading, links_wanted)
    return _of_periods(reading, reading.trend, links_wanted)


def _columns(reading: Reading, *, sortable: bool) -> tuple[Column, ...]:
    question = reading.question
    made = []
    for measure in reading.kind.columns(question.columns):
        name = measure.column
        if not sortable:
            made.append(Column(name, measure_label(reading, name)))
            continue
        current = question.sort or f"-{reading.kind.volume}"
        direction = {name: "ascending", f"-{name}": "descending"}.get(current, "")
        wanted = name if current == f"-{name}" else f"-{name}"
        made.append(
            Column(name, measure_label(reading, name), question.address(sort=wanted), direction)
        )
    return tuple(made)


def _of_periods(reading: Reading, trend: Mapping[date, Row], linked: bool) -> Table:
    question = reading.question
    chosen = reading.kind.columns(question.columns)
    starts = list(periods.between(question.grain, question.first, question.last))
    lines = []
    for start in reversed(starts):
        row = trend.get(start)
        lines.append(
            Line(
                i18n.period(question.grain, start),
                "",
                question.address(first=min(question.first, start), last=start)
                if linked and start != question.last
                else None,
                tuple(cell(reading, each, row, start, question.subject, linked) for each in chosen),
                not reading.extent.is_complete(question.grain, start),
                open_contacts(row),
                start == question.last,
            )
        )
    caption = gettext("%(subject)s, by period") % {
        "subject": subject_label(reading, question.subject)
    }
    return Table(
        caption,
        Column("", gettext("Period")),
        _columns(reading, sortable=False),
        tuple(lines),
    )


def _of_values(reading: Reading, linked: bool) -> Table:
    question = reading.question
    chosen = reading.kind.columns(question.columns)
    rows = _sorted(reading, reading.split())
    names = [label(reading, key) for _, key in rows]
    several = len({key.source for _, key in rows}) > 1
    seen: dict[tuple[str | None, str], int] = {}
    for (_, key), shown in zip(rows, names, strict=True):
        seen[key.source, shown] = seen.get((key.source, shown), 0) + 1
    lines = []
    for (row, key), shown in list(zip(rows, names, strict=True))[:MOST_ROWS]:
        parts = []
        if seen[key.source, shown] > 1 and key.value:
            parts.append(key.value)
        if several and key.source and key.dimension != "source":
            parts.append(key.source)
        lines.append(
            Line(
                shown,
                " · ".join(parts),
                _own(reading, key) if linked else None,
                tuple(cell(reading, each, row, question.last, key, linked) for each in chosen),
                False,
                open_contacts(row),
            )
        )
    name = gettext(measures.DIMENSION_NAMES[question.dimension])
    caption = gettext("By %(dimension)s, %(period)s") % {
        "dimension": gettext(measures.DIMENSIONS_IN_A_SENTENCE[question.dimension]),
        "period": i18n.period(question.grain, question.last),
    }
    wanted = "-label" if question.sort == "label" else "label"
    direction = {"label": "ascending", "-label": "descending"}.get(question.sort, "")
    return Table(
        caption,
        Column("", name, question.address(sort=wanted), direction) if linked else Column("", name),
        _columns(reading, sortable=linked),
        tuple(lines),
        max(0, len(rows) - MOST_ROWS),
    )


def _sorted(reading: Reading, rows: Iterable[Row]) -> list[tuple[Row, RowKey]]:
    keyed = [(row, RowKey(row["dimension"], row["source"], row["dimension_value"])) for row in rows]
    keyed.sort(key=lambda pair: (label(reading, pair[1]).casefold(), str(pair[1])))
    order = reading.question.sort or f"-{reading.kind.volume}"
    column, falling = order.removeprefix("-"), order.startswith("-")
    if column == "label":
        return keyed[::-1] if falling else keyed
    known = [pair for pair in keyed if pair[0][column] is not None]
    known.sort(key=lambda pair: pair[0][column], reverse=falling)
    return known + [pair for pair in keyed if pair[0][column] is None]


def _own(reading: Reading, key: RowKey) -> str:
    """The address of a value's own figures over time."""
    question = reading.question
    if key.dimension == "source":
        return question.address(dimension=ALL, source=key.value, project="", sort="")
    if key.dimension == "project":
        return question.address(
            dimension=ALL, source=key.source, project=key.value or NONE, sort=""
        )
    return question.address(source=key.source or "", project="", value=key.value or NONE, sort="")
