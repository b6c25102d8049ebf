"""The rows that answer a question about a report.

Belongs here: reading rows of the report models, each once. Does not belong here: any arithmetic
over rows (rates, medians and sums are the models'), words, what is shown of the rows (the modules
beside this one).
"""

from __future__ import annotations

from datetime import date
from functools import cached_property

from serving.queries.directory import Directory, directory
from serving.reports import links, periods
from serving.reports.links import RowKey
from serving.reports.measures import Kind, Measure
from serving.reports.periods import Extent
from serving.reports.question import ALL, Question
from serving.snapshot import Row, Snapshot


class Reading:
    """One question, asked of one version.

    Attributes:
        snapshot: the version.
        extent: of its data.
        question: what is asked.
        kind: the report.
        names: of the version.
    """

    def __init__(self, snapshot: Snapshot, extent: Extent, question: Question) -> None:
        self.snapshot = snapshot
        self.extent = extent
        self.question = question
        self.kind: Kind = question.kind
        self.names: Directory = directory(snapshot)
        self._links: dict[tuple[date, RowKey, str], str | None] = {}

    @property
    def before(self) -> date:
        """The start of the period before the one that is shown."""
        return periods.moved(self.question.grain, self.question.last, -1)

    @cached_property
    def trend(self) -> dict[date, Row]:
        """The subject's rows by period, from the one before the period that is shown."""
        key = self.question.subject
        rows = self.snapshot.rows(
            f"""
            select * from reports.{self.kind.model}
            where period_grain = $grain
                and dimension = $dimension
                and source is not distinct from $source
                and dimension_value is not distinct from $value
                and period_start between $first and $last
            """,
            {
                "grain": self.question.grain,
                "dimension": key.dimension,
                "source": key.source,
                "value": key.value,
                "first": min(self.before, self.question.first),
                "last": self.question.last,
            },
        )
        return {row["period_start"]: row for row in rows}

    def split(self) -> list[Row]:
        """The rows of the dimension's values in the period that is shown."""
        question = self.question
        return self.snapshot.rows(
            f"""
            select * from reports.{self.kind.model}
            where period_grain = $grain
                and dimension = $dimension
                and period_start = $start
                and ($source is null or source = $source)
            """,
            {
                "grain": question.grain,
                "dimension": question.dimension,
                "start": question.last,
                "source": question.source or None,
            },
        )

    @cached_property
    def first_day(self) -> date:
        """The day on which the data of the subject begin."""
        key = self.question.subject
        if key.dimension == ALL:
            return self.extent.first
        found = self.snapshot.row(
            f"""
            select min(period_start) as first from reports.{self.kind.model}
            where period_grain = 'day'
                and dimension = $dimension
                and source is not distinct from $source
                and dimension_value is not distinct from $value
            """,
            {"dimension": key.dimension, "source": key.source, "value": key.value},
        )
        return (found and found["first"]) or self.extent.first

    def link(self, start: date, key: RowKey, measure: Measure | None) -> str | None:
        """The log with what is behind a figure; None where the log has no such rows."""
        # Several measures of a row have the same conversations behind them.
        place = (start, key, repr(measure.behind) if measure else "")
        if place not in self._links:
            made = links.behind(self.kind.name, self.question.grain, start, key, measure)
            self._links[place] = links.address(made)
        return self._links[place]
