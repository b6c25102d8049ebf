"""What a measure of a report is, and what a report is made of.

Belongs here: a column's kind and how it is shown, how columns are grouped for readers, what the
dimensions are called. Does not belong here: the measures of a report (`statistics`, `contacts`),
labels and definitions (the metric YAML has them, `Snapshot.metrics`), reading rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from serving import i18n, labels
from serving.i18n import mark

# What a figure is taken over, and in what something was counted.
OF_UNITS = {
    "conversations": (
        i18n.mark("of %(count)s conversation"),
        i18n.mark("of %(count)s conversations"),
    ),
    "contacts": (i18n.mark("of %(count)s contact"), i18n.mark("of %(count)s contacts")),
    "answers": (i18n.mark("of %(count)s answer"), i18n.mark("of %(count)s answers")),
    "replies": (i18n.mark("of %(count)s reply"), i18n.mark("of %(count)s replies")),
    "transactions": (i18n.mark("of %(count)s transaction"), i18n.mark("of %(count)s transactions")),
}
IN_UNITS = {
    "conversations": (
        i18n.mark("in %(count)s conversation"),
        i18n.mark("in %(count)s conversations"),
    ),
    "contacts": (i18n.mark("in %(count)s contact"), i18n.mark("in %(count)s contacts")),
}


@dataclass(frozen=True)
class Measure:
    """A column of a report.

    Attributes:
        column: its name.
        kind: `count`, `share` (0 to 1), `seconds`, `number`, `points` or `money`.
        behind: fields of `Filter` that narrow the period's rows to those behind the figure, which
            are as many as the figure says, or the first column of `over`. None where the log has no
            such rows.
        decimals: shown of a `number`.
        over: the columns that say what the figure rests on: numerator and denominator of a rate,
            how many a mean or a median is taken over, in how many rows something was counted.
        of: what the last of them counts, in UNITS.
    """

    column: str
    kind: str = "count"
    behind: Mapping[str, Any] | None = field(default_factory=dict)
    decimals: int = 2
    over: tuple[str, ...] = ()
    of: str = "conversations"

    @property
    def is_total(self) -> bool:
        """Whether it grows with the length of a period, as counts and sums do."""
        return (
            self.kind == "count" or self.column == "revenue" or self.column.endswith("_seconds_sum")
        )

    @property
    def is_percentile(self) -> bool:
        """Whether it is a median or another percentile: these neither add up nor average."""
        return "_median_" in self.column or "_p90_" in self.column

    def show(self, value: Any, currency: str | None = None) -> str:
        """The value in the reader's language; a dash where there is none, never 0."""
        if self.kind == "share":
            return i18n.percent(value)
        if self.kind == "seconds":
            return i18n.duration(value)
        if self.kind == "money":
            return i18n.money(value, currency)
        if self.kind == "points":
            return i18n.number(value, 1).replace("-", "\u2212")
        return i18n.number(value, self.decimals if self.kind == "number" else 0)

    def show_base(self, row: Mapping[str, Any]) -> str:
        """What the figure of a row rests on: `374 / 992`, `of 810 conversations`; may be empty."""
        counts = [row[column] for column in self.over]
        if not counts or not counts[-1]:
            return ""
        if len(counts) > 1:
            return " / ".join(i18n.number(count) for count in counts)
        singular, plural = (IN_UNITS if self.kind == "count" else OF_UNITS)[self.of]
        return i18n.ngettext(singular, plural, counts[0]) % {"count": i18n.number(counts[0])}

    def show_base_shortly(self, row: Mapping[str, Any]) -> str:
        """The same without the word for what is counted: `374 / 992`, `n = 810`."""
        counts = [row[column] for column in self.over]
        if self.kind == "count" or not counts or not counts[-1]:
            return ""
        if len(counts) > 1:
            return self.show_base(row)
        shown = i18n.gettext("n = %(count)s") % {"count": i18n.number(counts[0])}
        return shown.replace(" ", "\u00a0")

    def show_change(self, value: Any, before: Any) -> str:
        """The change since another period: shares and points in points, the rest in per cent."""
        if value is None or before is None:
            return i18n.NOTHING
        if self.kind == "share":
            points = i18n.signed((value - before) * 100, 1)
            return i18n.gettext("%(points)s pp") % {"points": points}
        if self.kind == "points":
            return i18n.gettext("%(points)s points") % {"points": i18n.signed(value - before, 1)}
        if not before:
            return i18n.NOTHING
        change = float(Decimal(str(value)) / Decimal(str(before)) - 1)
        sign = "+" if change > 0 else "\u2212" if change < 0 else ""
        return sign + i18n.percent(abs(change))


@dataclass(frozen=True)
class ColumnSet:
    """Columns that are read together."""

    name: str
    label: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ChartPlan:
    """A chart over periods: its title, the measures drawn, as bars or lines."""

    title: str
    columns: tuple[str, ...]
    kind: str = "line"


@dataclass(frozen=True)
class Kind:
    """One of the two reports.

    Attributes:
        name: in the address.
        model: the table in the schema `reports`.
        title: what it is called.
        counts: one sentence: what it counts, and on which day.
        volume: the column that says how much there is.
        dimensions: names in the model; those of `per_source` have a source in each row.
        headline: the columns shown large.
        sets: the columns of the table, grouped.
        charts: over the periods.
        measures: all columns that are figures.
    """

    name: str
    model: str
    title: str
    counts: str
    volume: str
    dimensions: tuple[str, ...]
    headline: tuple[str, ...]
    sets: tuple[ColumnSet, ...]
    charts: tuple[ChartPlan, ...]
    measures: Mapping[str, Measure]

    def columns(self, set_name: str) -> Sequence[Measure]:
        """The measures of a column set; of all sets for `all`."""
        chosen = [each for each in self.sets if set_name in ("all", each.name)]
        names = dict.fromkeys(name for each in chosen for name in each.columns)
        if set_name == "all":
            names = dict.fromkeys(self.measures)
        return [self.measures[name] for name in names]


# The dimensions whose rows are within a source: an id means something only there.
PER_SOURCE = ("source", "project", "agent", "group")
# The dimensions under which one conversation has several rows of the statistical report.
SHARED = ("agent", "group")
DIMENSION_NAMES = {
    "all": mark("Periods"),
    "source": mark("Source"),
    "project": mark("Project"),
    "channel": mark("Channel"),
    "automation_level": mark("Automation level"),
    "agent": mark("Respondent"),
    "agent_kind": mark("Kind of respondent"),
    "group": mark("Group"),
}
# The same within a sentence.
DIMENSIONS_IN_A_SENTENCE = {
    "source": mark("source"),
    "project": mark("project"),
    "channel": mark("channel"),
    "automation_level": mark("automation level"),
    "agent": mark("respondent"),
    "agent_kind": mark("kind of respondent"),
    "group": mark("group"),
}
VALUE_NAMES = {
    "automation_level": labels.AUTOMATION,
    "agent_kind": labels.AGENT_KINDS,
    "channel": labels.CHANNELS,
}


def flag(name: str) -> dict[str, Any]:
    """Behind a figure: the conversations with a flag of the filter."""
    return {name: True}


def state(name: str) -> dict[str, Any]:
    """Behind a figure: the contacts in a state."""
    return {"contact_state": name}


def by_column(*measures: Measure) -> Mapping[str, Measure]:
    """Measures by the name of their column."""
    return {measure.column: measure for measure in measures}


def rate(column: str, part: str, whole: str, behind: Mapping[str, Any]) -> Measure:
    """A share of a whole."""
    return Measure(column, "share", behind, over=(part, whole))


def seconds(
    column: str, count: str, behind: Mapping[str, Any] | None, of: str = "conversations"
) -> Measure:
    """A time, over so many of something."""
    return Measure(column, "seconds", behind, over=(count,), of=of)
