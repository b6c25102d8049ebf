"""The measures of the two reports: what each is, how it is shown, which conversations it counts.

Belongs here: for each column of a report its kind and the filter of the conversations behind it,
and how columns are grouped for readers. Does not belong here: labels and definitions (the metric
YAML has them, `Snapshot.metrics`), reading rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from serving import i18n, labels
from serving.i18n import mark


@dataclass(frozen=True)
class Measure:
    """A column of a report.

    Attributes:
        column: its name.
        kind: `count`, `share` (0 to 1), `seconds`, `number`, `points` or `money`.
        behind: fields of `Filter` that narrow the period's conversations to those behind the
            figure; those of a rate are those of its numerator.
        decimals: shown of a `number`.
    """

    column: str
    kind: str = "count"
    behind: Mapping[str, Any] = field(default_factory=dict)
    decimals: int = 2

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


def _flag(name: str) -> dict[str, Any]:
    return {"flags": {name: True}}


def _state(name: str) -> dict[str, Any]:
    return {"contact_state": name}


def _by_column(*measures: Measure) -> Mapping[str, Measure]:
    return {measure.column: measure for measure in measures}


_REPLIED = {"contact_state": "answered", "contact_kinds": ("human", "expert")}

STATISTICS = Kind(
    name="statistics",
    model="statistical_report",
    title=mark("Statistical report"),
    counts=mark("Counts conversations, each on the day it closed."),
    volume="conversations",
    dimensions=("all", "source", "project", "channel", "automation_level", "agent", "group"),
    headline=(
        "conversations",
        "answered_by_human",
        "contacts_per_conversation",
        "transfer_rate",
        "automation_rate",
        "escalation_rate",
        "first_reply_median_seconds",
        "resolution_median_seconds",
        "handle_mean_seconds",
        "csat_rate",
        "nps",
        "converted",
        "revenue",
    ),
    sets=(
        ColumnSet(
            "overview",
            mark("Overview"),
            (
                "conversations",
                "answered_by_human",
                "contacts",
                "transfer_rate",
                "automation_rate",
                "first_reply_median_seconds",
                "resolution_median_seconds",
                "csat_rate",
                "nps",
                "converted",
                "revenue",
            ),
        ),
        ColumnSet(
            "volume",
            mark("Volume"),
            (
                "conversations",
                "answered",
                "answered_by_human",
                "contacts",
                "contacts_per_conversation",
            ),
        ),
        ColumnSet(
            "transfers",
            mark("Transfers and automation"),
            (
                "conversations",
                "transferred",
                "transfer_rate",
                "transfers",
                "bounced",
                "bot_first",
                "escalated",
                "escalation_rate",
                "fully_automated",
                "automation_rate",
            ),
        ),
        ColumnSet(
            "times",
            mark("Times"),
            (
                "first_reply_median_seconds",
                "first_reply_p90_seconds",
                "first_reply_count",
                "resolution_median_seconds",
                "resolution_p90_seconds",
                "resolution_count",
                "handle_mean_seconds",
                "handle_count",
            ),
        ),
        ColumnSet(
            "satisfaction",
            mark("Satisfaction"),
            (
                "csat_rate",
                "csat_positive",
                "csat_responses",
                "csat_mean",
                "nps",
                "nps_promoters",
                "nps_detractors",
                "nps_responses",
            ),
        ),
        ColumnSet(
            "sales",
            mark("Sales"),
            (
                "transactions",
                "converted",
                "conversion_rate",
                "converted_share",
                "revenue",
                "average_order_value",
            ),
        ),
    ),
    charts=(
        ChartPlan(mark("Volume"), ("conversations", "answered", "answered_by_human"), "bar"),
        ChartPlan(mark("Automation"), ("automation_rate", "escalation_rate")),
        ChartPlan(mark("Transfers"), ("transfer_rate",)),
        ChartPlan(mark("First reply"), ("first_reply_median_seconds", "first_reply_p90_seconds")),
        ChartPlan(mark("Resolution"), ("resolution_median_seconds", "resolution_p90_seconds")),
        ChartPlan(mark("Satisfaction"), ("csat_rate",)),
        ChartPlan(mark("Recommendation"), ("nps",), "bar"),
        ChartPlan(mark("Revenue"), ("revenue",), "bar"),
    ),
    measures=_by_column(
        Measure("conversations"),
        Measure("answered", behind=_flag("answered")),
        Measure("answered_by_human", behind=_flag("answered_by_human")),
        Measure("contacts"),
        Measure("contacts_per_conversation", "number"),
        Measure("transferred", behind=_flag("transferred")),
        Measure("transfer_rate", "share", _flag("transferred")),
        Measure("transfers", behind=_flag("transferred")),
        Measure("bounced", behind=_flag("bounced")),
        Measure("bot_first", behind=_flag("bot_first")),
        Measure("escalated", behind=_flag("escalated")),
        Measure("escalation_rate", "share", _flag("escalated")),
        Measure("fully_automated", behind={"columns": {"automation": ("fully_automated",)}}),
        Measure("automation_rate", "share", {"columns": {"automation": ("fully_automated",)}}),
        Measure("first_reply_count", behind=_flag("answered_by_human")),
        Measure("first_reply_median_seconds", "seconds", _flag("answered_by_human")),
        Measure("first_reply_p90_seconds", "seconds", _flag("answered_by_human")),
        Measure("resolution_count"),
        Measure("resolution_median_seconds", "seconds"),
        Measure("resolution_p90_seconds", "seconds"),
        Measure("handle_seconds_sum", "seconds"),
        Measure("handle_count"),
        Measure("handle_mean_seconds", "seconds"),
        Measure("csat_responses", behind=_flag("rated")),
        Measure("csat_positive", behind={"score_min": 4.0}),
        Measure("csat_rate", "share", {"score_min": 4.0}),
        Measure("csat_score_sum", "number", _flag("rated"), decimals=0),
        Measure("csat_mean", "number", _flag("rated")),
        Measure("nps_responses", behind={"nps": "any"}),
        Measure("nps_promoters", behind={"nps": "promoter"}),
        Measure("nps_detractors", behind={"nps": "detractor"}),
        Measure("nps", "points", {"nps": "any"}),
        Measure("transactions", behind=_flag("converted")),
        Measure("converted", behind=_flag("converted")),
        Measure("conversion_rate", "number", _flag("converted"), decimals=3),
        Measure("converted_share", "share", _flag("converted")),
        Measure("revenue", "money", _flag("converted")),
        Measure("average_order_value", "money", _flag("converted")),
    ),
)

CONTACTS = Kind(
    name="contacts",
    model="contacts_report",
    title=mark("Contacts report"),
    counts=mark("Counts contacts, each on the day it started; those of bots included."),
    volume="contacts",
    dimensions=("all", "source", "project", "channel", "agent", "agent_kind", "group"),
    headline=(
        "contacts",
        "answered",
        "unanswered",
        "open",
        "transfer_out_rate",
        "duration_mean_seconds",
        "first_reply_mean_seconds",
        "response_mean_seconds",
        "closing_delay_mean_seconds",
        "messages_sent",
        "messages_received",
        "csat_rate",
        "transactions",
        "revenue",
    ),
    sets=(
        ColumnSet(
            "overview",
            mark("Overview"),
            (
                "contacts",
                "unanswered",
                "open",
                "transfer_out_rate",
                "duration_mean_seconds",
                "first_reply_mean_seconds",
                "response_mean_seconds",
                "messages_sent",
                "csat_rate",
                "revenue",
            ),
        ),
        ColumnSet(
            "volume",
            mark("Volume"),
            (
                "contacts",
                "answered",
                "unanswered",
                "open",
                "snoozed",
                "closed",
                "timed_out",
            ),
        ),
        ColumnSet(
            "transfers",
            mark("Transfers"),
            ("contacts", "transferred_in", "transferred_out", "transfer_out_rate"),
        ),
        ColumnSet(
            "times",
            mark("Times"),
            (
                "duration_mean_seconds",
                "duration_count",
                "first_reply_mean_seconds",
                "first_reply_count",
                "response_mean_seconds",
                "response_count",
                "closing_delay_mean_seconds",
                "closing_delay_count",
            ),
        ),
        ColumnSet("messages", mark("Messages"), ("contacts", "messages_sent", "messages_received")),
        ColumnSet(
            "satisfaction",
            mark("Satisfaction and sales"),
            ("csat_rate", "csat_positive", "csat_responses", "transactions", "revenue"),
        ),
    ),
    charts=(
        ChartPlan(mark("Volume"), ("contacts", "unanswered"), "bar"),
        ChartPlan(mark("Transfers"), ("transfer_out_rate",)),
        ChartPlan(mark("Handling time"), ("duration_mean_seconds",)),
        ChartPlan(mark("First reply"), ("first_reply_mean_seconds",)),
        ChartPlan(
            mark("Response and closing"), ("response_mean_seconds", "closing_delay_mean_seconds")
        ),
        ChartPlan(mark("Messages"), ("messages_sent", "messages_received"), "bar"),
        ChartPlan(mark("Satisfaction"), ("csat_rate",)),
        ChartPlan(mark("Revenue"), ("revenue",), "bar"),
    ),
    measures=_by_column(
        Measure("contacts", behind=_state("any")),
        Measure("answered", behind=_state("answered")),
        Measure("unanswered", behind=_state("unanswered")),
        Measure("open", behind=_state("open")),
        Measure("transferred_in", behind=_state("transferred_in")),
        Measure("transferred_out", behind=_state("transferred_out")),
        Measure("transfer_out_rate", "share", _state("transferred_out")),
        Measure("snoozed", behind=_state("snoozed")),
        Measure("closed", behind=_state("closed")),
        Measure("timed_out", behind=_state("timed_out")),
        Measure("duration_seconds_sum", "seconds", _state("any")),
        Measure("duration_count", behind=_state("any")),
        Measure("duration_mean_seconds", "seconds", _state("any")),
        Measure("first_reply_seconds_sum", "seconds", _REPLIED),
        Measure("first_reply_count", behind=_REPLIED),
        Measure("first_reply_mean_seconds", "seconds", _REPLIED),
        Measure("response_seconds_sum", "seconds", _REPLIED),
        Measure("response_count", behind=_REPLIED),
        Measure("response_mean_seconds", "seconds", _REPLIED),
        Measure("closing_delay_seconds_sum", "seconds", {"contact_kinds": ("human", "expert")}),
        Measure("closing_delay_count", behind={"contact_kinds": ("human", "expert")}),
        Measure("closing_delay_mean_seconds", "seconds", {"contact_kinds": ("human", "expert")}),
        Measure("messages_sent", behind=_state("any")),
        Measure("messages_received", behind=_state("any")),
        Measure("csat_responses", behind=_state("rated")),
        Measure("csat_positive", behind=_state("satisfied")),
        Measure("csat_rate", "share", _state("satisfied")),
        Measure("transactions", behind=_state("converted")),
        Measure("revenue", "money", _state("converted")),
    ),
)

KINDS = {kind.name: kind for kind in (STATISTICS, CONTACTS)}
