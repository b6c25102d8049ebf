"""The answer to a question about a report: its figures, trend, table, notes, ready to be shown.

Belongs here: reading rows of the report models and turning them into what the templates show, in
the reader's language. Does not belong here: any arithmetic over rows but the change between two.
Rates, medians and sums are the models'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from typing import Any

from serving import i18n, labels
from serving.conversation_queries import Directory, directory
from serving.filters import NONE
from serving.i18n import gettext, ngettext
from serving.reports import links, measures, periods
from serving.reports.charts import Chart, Series, as_float
from serving.reports.links import RowKey
from serving.reports.measures import SHARED, ChartPlan, Kind, Measure
from serving.reports.periods import Extent
from serving.reports.question import ALL, Question
from serving.snapshot import Row, Snapshot

# A dimension with more values shows the first of them in the order asked for; the export has all.
MOST_ROWS = 200
CAUSES = {
    "still_open": (1, i18n.mark("Started in the period, conversation still open")),
    "closed_in_later_period": (1, i18n.mark("Started in the period, conversation closed later")),
    "closed_in_earlier_period": (
        1,
        i18n.mark("Started in the period, conversation closed earlier"),
    ),
    "started_in_earlier_period": (
        -1,
        i18n.mark("Conversation closed in the period, contact started earlier"),
    ),
    "started_in_later_period": (
        -1,
        i18n.mark("Conversation closed in the period, contact started later"),
    ),
    "unexplained": (1, i18n.mark("Unexplained")),
}


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
    """A headline figure: its value, what it was before, and the change."""

    column: str
    label: str
    text: str
    link: str | None
    change: str
    before: str
    note: str


@dataclass(frozen=True)
class Cell:
    """A figure of the table."""

    text: str
    link: str | None
    note: str = ""


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
class Report:
    """All that is shown of an answer."""

    question: Question
    title: str
    subject: str
    period: str
    is_incomplete: bool
    before: str
    days: str
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    table: Table
    reconciliation: Reconciliation | None
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    crossing: str
    crossing_link: str | None
    definitions: tuple[Definition, ...]
    all_behind: str | None


class Reader:
    """Reads one report of one version."""

    def __init__(self, snapshot: Snapshot, extent: Extent, question: Question) -> None:
        self._snapshot = snapshot
        self._extent = extent
        self._question = question
        self._kind: Kind = question.kind
        self._names: Directory = directory(snapshot)
        self._links: dict[tuple[date, RowKey, str], str | None] = {}

    def report(self, *, links_wanted: bool = True) -> Report:
        """The answer.

        Args:
            links_wanted: whether figures lead to the log; a copy stands alone.
        """
        question, kind = self._question, self._kind
        before = periods.moved(question.grain, question.last, -1)
        trend = self._trend
        shown, previous = trend.get(question.last), trend.get(before)
        made = Report(
            question=question,
            title=gettext(kind.title),
            subject=self.subject_label(question.subject),
            period=i18n.period(question.grain, question.last),
            is_incomplete=not self._extent.is_complete(question.grain, question.last),
            before=i18n.period(question.grain, before),
            days=self._days(),
            figures=tuple(
                self._figure(kind.measures[name], shown, previous, links_wanted)
                for name in kind.headline
            ),
            charts=self._charts(trend, links_wanted),
            table=self.table(links_wanted=links_wanted),
            reconciliation=self._reconciliation(links_wanted),
            notes=tuple(self._notes(shown, previous, before)),
            remarks=tuple(self.remarks()),
            crossing=self._crossing(),
            crossing_link=self._crossing_link(),
            definitions=definitions(self._snapshot, kind),
            all_behind=self._link(question.last, question.subject, None),
        )
        return made if links_wanted else replace(made, all_behind=None)

    # --- reading ----------------------------------------------------------------------------------

    @cached_property
    def _trend(self) -> dict[date, Row]:
        """The subject's rows by period, from the one before the period that is shown."""
        key = self._question.subject
        before = periods.moved(self._question.grain, self._question.last, -1)
        rows = self._snapshot.rows(
            f"""
            select * from reports.{self._kind.model}
            where period_grain = $grain
                and dimension = $dimension
                and source is not distinct from $source
                and dimension_value is not distinct from $value
                and period_start between $first and $last
            """,
            {
                "grain": self._question.grain,
                "dimension": key.dimension,
                "source": key.source,
                "value": key.value,
                "first": min(before, self._question.first),
                "last": self._question.last,
            },
        )
        return {row["period_start"]: row for row in rows}

    def _split(self) -> list[Row]:
        """The rows of the dimension's values in the period that is shown."""
        question = self._question
        return self._snapshot.rows(
            f"""
            select * from reports.{self._kind.model}
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

    # --- words ------------------------------------------------------------------------------------

    def label(self, key: RowKey) -> str:
        """The name of a value of a dimension."""
        if key.dimension == ALL:
            return gettext("All sources")
        if key.value is None:
            return gettext("None stated")
        if key.dimension == "agent":
            return self._names.agent(key.source, key.value)
        if key.dimension == "group":
            return self._names.group(key.source, key.value)
        if key.dimension == "project":
            return self._names.project(key.source, key.value)
        return labels.label(measures.VALUE_NAMES.get(key.dimension, {}), key.value)

    def subject_label(self, key: RowKey) -> str:
        """The name of what the whole report is about."""
        label = self.label(key)
        if key.dimension in (ALL, "source"):
            return label
        name = gettext(measures.DIMENSION_NAMES[key.dimension])
        return f"{name}: {label}" + (f" ({key.source})" if key.source else "")

    def measure_label(self, column: str) -> str:
        """What a measure is called; by its column where the version defines no metrics."""
        metric = self._snapshot.metrics.get(f"{self._kind.model}.{column}")
        return gettext(metric.label) if metric else column.replace("_", " ").capitalize()

    def _days(self) -> str:
        """Whose days the periods are made of."""
        key, moment = self._question.subject, datetime.combine(self._question.last, time())
        rows = self._snapshot.rows(
            """
            select distinct time_zone from marts.projects
            where ($source is null or source = $source)
                and ($project is null or project_id = $project)
            order by time_zone
            """,
            {
                "source": key.source,
                "project": key.value if key.dimension == "project" else None,
            },
        )
        zones = [i18n.zone_label(row["time_zone"], moment) for row in rows]
        if not zones:
            return gettext("Days are those of each project’s time zone.")
        return gettext("Days are those of each project’s time zone: %(zones)s.") % {
            "zones": ", ".join(zones)
        }

    # --- figures ----------------------------------------------------------------------------------

    def _link(self, start: date, key: RowKey, measure: Measure | None) -> str | None:
        # Several measures of a row have the same conversations behind them.
        place = (start, key, repr(measure.behind) if measure else "")
        if place not in self._links:
            made = links.behind(self._kind.name, self._question.grain, start, key, measure)
            self._links[place] = links.address(made)
        return self._links[place]

    def _text(self, measure: Measure, row: Mapping[str, Any] | None) -> str:
        if row is None:
            # No row is no conversation at all: a count of it is 0, anything else is undefined.
            return i18n.number(0) if measure.kind == "count" else i18n.NOTHING
        return measure.show(row[measure.column], row["currency"])

    def _money_note(self, measure: Measure, row: Mapping[str, Any] | None) -> str:
        if measure.kind != "money" or row is None or not row["transactions"]:
            return ""
        if row["revenue"] is None:
            return gettext("several currencies")
        return "" if row["currency"] else gettext("currency unknown")

    def _cell(
        self, measure: Measure, row: Row | None, start: date, key: RowKey, linked: bool
    ) -> Cell:
        value = row[measure.column] if row else None
        # Nothing is behind a count or a rate of nought; promoters and detractors can balance.
        has_any = value is not None and (value != 0 or measure.kind == "points")
        link = self._link(start, key, measure) if linked and has_any else None
        return Cell(self._text(measure, row), link, self._money_note(measure, row))

    def _figure(
        self, measure: Measure, row: Row | None, previous: Row | None, linked: bool
    ) -> Figure:
        question = self._question
        cell = self._cell(measure, row, question.last, question.subject, linked)
        change, before = "", ""
        if row and previous and self._is_comparable(row, previous, measure):
            change = measure.show_change(row[measure.column], previous[measure.column])
            before = self._text(measure, previous)
            if change == i18n.NOTHING:
                # Nothing to compare with, or a change from nought, which has no percentage.
                change = ""
        return Figure(
            measure.column,
            self.measure_label(measure.column),
            cell.text,
            cell.link,
            change,
            before,
            cell.note,
        )

    def _is_comparable(self, row: Row, previous: Row, measure: Measure) -> bool:
        """Whether a change means something: a period that is over, in the same currency."""
        if not self._extent.is_complete(self._question.grain, self._question.last):
            return False
        return measure.kind != "money" or row["currency"] == previous["currency"]

    # --- charts -----------------------------------------------------------------------------------

    def _charts(self, trend: Mapping[date, Row], linked: bool) -> tuple[Chart, ...]:
        question = self._question
        starts = list(periods.between(question.grain, question.first, question.last))
        if len(starts) < 2:
            return ()
        made = (self._chart(plan, starts, trend, linked) for plan in self._kind.charts)
        return tuple(chart for chart in made if chart)

    def _chart(
        self,
        plan: ChartPlan,
        starts: Sequence[date],
        trend: Mapping[date, Row],
        linked: bool,
    ) -> Chart | None:
        question = self._question
        chosen = [self._kind.measures[name] for name in plan.columns]
        title, currency = gettext(plan.title), None
        if chosen[0].kind == "money":
            currencies = {
                row["currency"] for start, row in trend.items() if row["transactions"] and start
            }
            if len(currencies) != 1 or None in currencies:
                return None
            currency = currencies.pop()
            title = f"{title} ({currency})"
        series = []
        for measure in chosen:
            values, behind = [], []
            for start in starts:
                row = trend.get(start)
                nothing = 0.0 if measure.kind == "count" else None
                values.append(as_float(row[measure.column]) if row else nothing)
                behind.append(self._cell(measure, row, start, question.subject, linked).link)
            series.append(
                Series(
                    self.measure_label(measure.column),
                    tuple(values),
                    tuple(behind),
                    plan.kind == "bar",
                )
            )
        if not any(value is not None for each in series for value in each.values):
            return None
        return Chart(
            title,
            chosen[0],
            tuple(i18n.short_period(question.grain, start) for start in starts),
            tuple(i18n.period(question.grain, start) for start in starts),
            tuple(series),
            frozenset(
                place
                for place, start in enumerate(starts)
                if not self._extent.is_complete(question.grain, start)
            ),
            currency,
        )

    # --- the table --------------------------------------------------------------------------------

    def table(self, *, links_wanted: bool = True) -> Table:
        """The table that the question asks for."""
        if self._question.is_split:
            return self._table_of_values(links_wanted)
        return self._table_of_periods(self._trend, links_wanted)

    def _columns(self, *, sortable: bool) -> tuple[Column, ...]:
        question = self._question
        made = []
        for measure in self._kind.columns(question.columns):
            name = measure.column
            if not sortable:
                made.append(Column(name, self.measure_label(name)))
                continue
            current = question.sort or f"-{self._kind.volume}"
            direction = {name: "ascending", f"-{name}": "descending"}.get(current, "")
            wanted = name if current == f"-{name}" else f"-{name}"
            made.append(
                Column(name, self.measure_label(name), question.address(sort=wanted), direction)
            )
        return tuple(made)

    def _table_of_periods(self, trend: Mapping[date, Row], linked: bool) -> Table:
        question = self._question
        chosen = self._kind.columns(question.columns)
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
                    tuple(
                        self._cell(each, row, start, question.subject, linked) for each in chosen
                    ),
                    not self._extent.is_complete(question.grain, start),
                    _open(row),
                    start == question.last,
                )
            )
        caption = gettext("%(subject)s, by period") % {
            "subject": self.subject_label(question.subject)
        }
        return Table(
            caption,
            Column("", gettext("Period")),
            self._columns(sortable=False),
            tuple(lines),
        )

    def _table_of_values(self, linked: bool) -> Table:
        question = self._question
        chosen = self._kind.columns(question.columns)
        rows = self._sorted(self._split())
        names = [self.label(key) for _, key in rows]
        several = len({key.source for _, key in rows}) > 1
        seen: dict[tuple[str | None, str], int] = {}
        for (_, key), label in zip(rows, names, strict=True):
            seen[key.source, label] = seen.get((key.source, label), 0) + 1
        lines = []
        for (row, key), label in list(zip(rows, names, strict=True))[:MOST_ROWS]:
            parts = []
            if seen[key.source, label] > 1 and key.value:
                parts.append(key.value)
            if several and key.source and key.dimension != "source":
                parts.append(key.source)
            lines.append(
                Line(
                    label,
                    " · ".join(parts),
                    self._own(key) if linked else None,
                    tuple(self._cell(each, row, question.last, key, linked) for each in chosen),
                    False,
                    _open(row),
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
            Column("", name, question.address(sort=wanted), direction)
            if linked
            else Column("", name),
            self._columns(sortable=linked),
            tuple(lines),
            max(0, len(rows) - MOST_ROWS),
        )

    def _sorted(self, rows: Iterable[Row]) -> list[tuple[Row, RowKey]]:
        keyed = [
            (row, RowKey(row["dimension"], row["source"], row["dimension_value"])) for row in rows
        ]
        keyed.sort(key=lambda pair: (self.label(pair[1]).casefold(), str(pair[1])))
        order = self._question.sort or f"-{self._kind.volume}"
        column, falling = order.removeprefix("-"), order.startswith("-")
        if column == "label":
            return keyed[::-1] if falling else keyed
        known = [pair for pair in keyed if pair[0][column] is not None]
        known.sort(key=lambda pair: pair[0][column], reverse=falling)
        return known + [pair for pair in keyed if pair[0][column] is None]

    def _own(self, key: RowKey) -> str:
        """The address of a value's own figures over time."""
        question = self._question
        if key.dimension == "source":
            return question.address(dimension=ALL, source=key.value, project="", sort="")
        if key.dimension == "project":
            return question.address(
                dimension=ALL, source=key.source, project=key.value or NONE, sort=""
            )
        return question.address(
            source=key.source or "", project="", value=key.value or NONE, sort=""
        )

    # --- what has to be said ----------------------------------------------------------------------

    def _notes(self, shown: Row | None, previous: Row | None, before: date) -> Iterable[str]:
        question, extent = self._question, self._extent
        if not extent.is_complete(question.grain, question.last):
            yield gettext(
                "This period is not over: the data reach to %(day)s. It is not compared."
            ) % {"day": i18n.day(extent.newest)}
        elif previous is not None and before < extent.first:
            yield gettext("The data begin on %(day)s, so the period before is not a whole one.") % {
                "day": i18n.day(extent.first)
            }
        still_open = _open(shown)
        if still_open:
            yield ngettext(
                "Provisional: %(count)s contact of this period is still open and can change the"
                " figures.",
                "Provisional: %(count)s contacts of this period are still open and can change the"
                " figures.",
                still_open,
            ) % {"count": i18n.number(still_open)}
        if self._money_note(self._kind.measures["revenue"], shown):
            yield (
                gettext(
                    "Amounts are in several currencies and have no sum: choose a project to see"
                    " its revenue."
                )
                if shown and shown["revenue"] is None
                else gettext("The logs do not say in which currency the amounts are.")
            )

    def remarks(self) -> Iterable[str]:
        """What has to be known to read the table."""
        question = self._question
        if self._kind.name == "statistics" and question.dimension in SHARED:
            yield gettext(
                "These rows do not add up: a conversation counts for every respondent and group"
                " that took part in it."
            )
        chosen = self._kind.columns(question.columns)
        if any(measure.is_percentile for measure in chosen):
            yield gettext(
                "Medians and percentiles come from the conversations of each period. They neither"
                " add up nor average."
            )

    def _crossing(self) -> str:
        question = self._question
        if not question.is_crossed:
            return ""
        text = (
            gettext(
                "The report has no rows by %(dimension)s within one project, so the table shows"
                " periods. The log can be filtered by both."
            )
            if question.project
            else gettext(
                "The report has no rows by %(dimension)s within one source, so the table shows"
                " periods. The log can be filtered by both."
            )
        )
        named = measures.DIMENSIONS_IN_A_SENTENCE[question.dimension]
        return text % {"dimension": gettext(named)}

    def _crossing_link(self) -> str | None:
        question = self._question
        if not question.is_crossed:
            return None
        return self._link(question.last, question.scope, None)

    # --- the two reports together -----------------------------------------------------------------

    def _reconciliation(self, linked: bool) -> Reconciliation | None:
        question = self._question
        if question.subject.dimension not in (ALL, "source"):
            return None
        source = question.source or None
        row = self._snapshot.row(
            """
            select
                count(*) as sources,
                cast(sum(contacts_report_contacts) as bigint) as contacts_report_contacts,
                cast(sum(statistical_report_conversations) as bigint) as conversations,
                cast(sum(statistical_report_contacts) as bigint) as contacts,
                cast(sum(difference) as bigint) as difference,
                cast(sum(still_open) as bigint) as still_open,
                cast(sum(closed_in_later_period) as bigint) as closed_in_later_period,
                cast(sum(closed_in_earlier_period) as bigint) as closed_in_earlier_period,
                cast(sum(started_in_earlier_period) as bigint) as started_in_earlier_period,
                cast(sum(started_in_later_period) as bigint) as started_in_later_period,
                cast(sum(unexplained) as bigint) as unexplained
            from reports.reconciliation
            where period_grain = $grain
                and period_start = $start
                and ($source is null or source = $source)
            """,
            {"grain": question.grain, "start": question.last, "source": source},
        )
        if row is None or not row["sources"]:
            return None

        def behind(report: str) -> str | None:
            if not linked:
                return None
            made = links.behind(report, question.grain, question.last, question.scope)
            return links.address(made)

        causes = []
        for name, (sign, label) in CAUSES.items():
            found = links.cause(name, question.grain, question.last, source)
            causes.append(
                Cause(
                    name,
                    gettext(label),
                    i18n.signed(sign * row[name]),
                    links.address(found) if linked and row[name] else None,
                )
            )
        return Reconciliation(
            gettext("%(conversations)s = %(contacts)s")
            % {
                "conversations": ngettext(
                    "%(count)s conversation", "%(count)s conversations", row["conversations"]
                )
                % {"count": i18n.number(row["conversations"])},
                "contacts": ngettext("%(count)s contact", "%(count)s contacts", row["contacts"])
                % {"count": i18n.number(row["contacts"])},
            },
            i18n.number(row["contacts_report_contacts"]),
            i18n.signed(row["difference"]),
            behind("statistics"),
            behind("contacts"),
            tuple(causes),
        )


def _open(row: Mapping[str, Any] | None) -> int:
    """Contacts still open in a row of the contacts report; of the other report, none."""
    return int(row["open"]) if row and row.get("is_provisional") else 0


def definitions(snapshot: Snapshot, kind: Kind) -> tuple[Definition, ...]:
    """What each measure of a report means, in the order of its columns."""
    found = []
    for column in kind.measures:
        metric = snapshot.metrics.get(f"{kind.model}.{column}")
        if metric is None:
            continue
        who, _, where = metric.source.partition(", ")
        days = {
            "closed_on": gettext("the day the conversation closed"),
            "started_on": gettext("the day the contact started"),
        }
        grains = {"conversation": gettext("conversation"), "contact": gettext("contact")}
        found.append(
            Definition(
                f"def-{column}",
                gettext(metric.label),
                gettext(metric.description),
                metric.formula,
                gettext(metric.unit),
                grains.get(metric.grain, metric.grain),
                days.get(metric.anchor, metric.anchor),
                gettext(who) + (f", {where}" if where else ""),
            )
        )
    return tuple(found)
