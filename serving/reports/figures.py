"""The figures of a report, each with what it rests on and where it leads.

Belongs here: a cell, a headline figure, and whether a change of one means something. Does not
belong here: how a value is written (`measures`), tables (`table`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from serving import i18n
from serving.i18n import gettext
from serving.reports.links import RowKey
from serving.reports.measures import Measure
from serving.reports.naming import measure_label
from serving.reports.reading import Reading
from serving.reports.shown import Cell, Figure
from serving.snapshot import Row


def text_of(measure: Measure, row: Mapping[str, Any] | None) -> str:
    if row is None:
        # No row is no conversation at all: a count of it is 0, anything else is undefined.
        return i18n.number(0) if measure.kind == "count" else i18n.NOTHING
    return measure.show(row[measure.column], row["currency"])


def money_note(measure: Measure, row: Mapping[str, Any] | None) -> str:
    if measure.kind != "money" or row is None or not row["transactions"]:
        return ""
    if row["revenue"] is None:
        return gettext("several currencies")
    return "" if row["currency"] else gettext("currency unknown")


def cell(
    reading: Reading, measure: Measure, row: Row | None, start: date, key: RowKey, linked: bool
) -> Cell:
    value = row[measure.column] if row else None
    # Nothing is behind a count or a rate of nought; promoters and detractors can balance.
    has_any = value is not None and (value != 0 or measure.kind == "points")
    link = reading.link(start, key, measure) if linked and has_any else None
    base = measure.show_base(row) if row else ""
    return Cell(text_of(measure, row), link, money_note(measure, row), base)


def figure(
    reading: Reading, measure: Measure, row: Row | None, previous: Row | None, linked: bool
) -> Figure:
    question = reading.question
    shown = cell(reading, measure, row, question.last, question.subject, linked)
    change, before, before_base = "", "", ""
    if row and previous and is_comparable(reading, row, previous, measure):
        change = measure.show_change(row[measure.column], previous[measure.column])
        before = text_of(measure, previous)
        before_base = measure.show_base_shortly(previous)
        if change == i18n.NOTHING:
            # Nothing to compare with, or a change from nought, which has no percentage.
            change = ""
    return Figure(
        measure.column,
        measure_label(reading, measure.column),
        shown.text,
        shown.link,
        change,
        before,
        shown.note,
        shown.base,
        before_base,
    )


def is_comparable(reading: Reading, row: Row, previous: Row, measure: Measure) -> bool:
    """Whether a change means something.

    The period has to be over and the currency the same; what grows with the length of a period
    needs a base that is whole.
    """
    question = reading.question
    if not reading.extent.is_complete(question.grain, question.last):
        return False
    if measure.is_total and previous["period_start"] < reading.first_day:
        return False
    return measure.kind != "money" or row["currency"] == previous["currency"]


def open_contacts(row: Mapping[str, Any] | None) -> int:
    """Contacts still open in a row of the contacts report; of the other report, none."""
    return int(row.get("open") or 0) if row and row.get("is_provisional") else 0
