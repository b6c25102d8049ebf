"""What is shown of the answer to a question about a report, ready for a template.

Belongs here: what a figure, a table, a note is made of, in the reader's language. Does not belong
here: making any of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.reports.charts import Chart
from serving.reports.question import Question


@dataclass(frozen=True)
class Definition:
    """What a measure means, in the reader's language."""

    anchor: str
    label: str
    description: str
    formula: str
    unit: str
    grain: str
    day: str
    source: str


@dataclass(frozen=True)
class Figure:
    """A headline figure: its value, what it was before, and the change.

    `base` and `before_base` say what the two values rest on. Where the link leads to another number
    of rows than the figure, it is the first one in `base`.
    """

    column: str
    label: str
    text: str
    link: str | None
    change: str
    before: str
    note: str
    base: str = ""
    before_base: str = ""


@dataclass(frozen=True)
class Cell:
    """A figure of the table."""

    text: str
    link: str | None
    note: str = ""
    base: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Attributes:
        label: the period or the value.
        qualifier: its source, where the label alone could be another's.
        link: the value's own trend, or the period's own figures.
        cells: one per column.
        is_incomplete: the period is not over.
        open: contacts that are still open, which can change the figures.
        is_shown: it is the period of the headline.
    """

    label: str
    qualifier: str
    link: str | None
    cells: tuple[Cell, ...]
    is_incomplete: bool = False
    open: int = 0
    is_shown: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the table: its definition, and where its sorting leads."""

    column: str
    label: str
    sort_link: str | None = None
    sorted: str = ""


@dataclass(frozen=True)
class Table:
    """A table of periods, or of a dimension's values in one period."""

    caption: str
    head: Column
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Cause:
    """A cause of the difference between the two reports, in contacts."""

    name: str
    label: str
    text: str
    link: str | None


@dataclass(frozen=True)
class Reconciliation:
    """How the two reports go together in a period."""

    sentence: str
    in_contacts_report: str
    difference: str
    conversations_link: str | None
    contacts_link: str | None
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Gap:
    """That a period has no data: in words, and the nearest period that has."""

    text: str
    label: str
    link: str | None


@dataclass(frozen=True)
class Report:
    """All that is shown of an answer."""

    question: Question
    title: str
    subject: str
    period: str
    is_incomplete: bool
    comparison: str
    days: str
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    table: Table
    reconciliation: Reconciliation | None
    notes: tuple[str, ...]
    period_notes: tuple[str, ...]
    gap: Gap | None
    remarks: tuple[str, ...]
    crossing: str
    crossing_link: str | None
    definitions: tuple[Definition, ...]
    all_behind: str | None
