"""The contacts report: its columns, and the contacts behind each.

Belongs here: one line per measure, the column sets, the charts. Does not belong here: what a
measure means (the metric YAML has that).
"""

from __future__ import annotations

from serving.i18n import mark
from serving.reports.measure import (
    ChartPlan,
    ColumnSet,
    Kind,
    Measure,
    by_column,
    rate,
    seconds,
    state,
)

_REPLIED = state("replied")
_DELAYED = state("delayed")

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
    measures=by_column(
        Measure("contacts", behind=state("any")),
        Measure("answered", behind=state("answered")),
        Measure("unanswered", behind=state("unanswered")),
        Measure("open", behind=state("open")),
        Measure("transferred_in", behind=state("transferred_in")),
        Measure("transferred_out", behind=state("transferred_out")),
        rate("transfer_out_rate", "transferred_out", "contacts", state("transferred_out")),
        Measure("snoozed", behind=state("snoozed")),
        Measure("closed", behind=state("closed")),
        Measure("timed_out", behind=state("timed_out")),
        seconds("duration_seconds_sum", "duration_count", state("ended"), "contacts"),
        Measure("duration_count", behind=state("ended")),
        seconds("duration_mean_seconds", "duration_count", state("ended"), "contacts"),
        seconds("first_reply_seconds_sum", "first_reply_count", _REPLIED, "contacts"),
        Measure("first_reply_count", behind=_REPLIED),
        seconds("first_reply_mean_seconds", "first_reply_count", _REPLIED, "contacts"),
        # The log lists no replies.
        seconds("response_seconds_sum", "response_count", None, "replies"),
        Measure("response_count", behind=None),
        seconds("response_mean_seconds", "response_count", None, "replies"),
        seconds("closing_delay_seconds_sum", "closing_delay_count", _DELAYED, "contacts"),
        Measure("closing_delay_count", behind=_DELAYED),
        seconds("closing_delay_mean_seconds", "closing_delay_count", _DELAYED, "contacts"),
        Measure("messages_sent", behind=state("any"), over=("contacts",), of="contacts"),
        Measure("messages_received", behind=state("any"), over=("contacts",), of="contacts"),
        Measure("csat_responses", behind=state("rated")),
        Measure("csat_positive", behind=state("satisfied")),
        rate("csat_rate", "csat_positive", "csat_responses", state("satisfied")),
        # The log lists no transactions, and the report does not say how many contacts have one.
        Measure("transactions", behind=None),
        Measure("revenue", "money", None, over=("transactions",), of="transactions"),
    ),
)
