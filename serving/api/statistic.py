"""The statistic resource: the platform's indicators, from the metric models of the two reports.

Belongs here: which indicator is which figure, which rows of the metric models answer a question,
and the same sums from the marts where no row does. Does not belong here: how a figure is defined
(dbt_project/models/metrics), HTTP.

The metric models are by day and one dimension. A question with a project and a channel, by hour,
or of part of a day is no row of theirs: it is summed from marts.contacts and marts.conversations by
the same rules. A test asks both for every question that both can answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.api.conversations import SOURCE_FIELD, UNAVAILABLE, channel_condition
from serving.api.document import number
from serving.api.envelope import RefusedError
from serving.api.parameters import (
    Field,
    Parameters,
    Period,
    choice_field,
    invalid,
    matches,
    period,
    text_field,
)
from serving.filters import Condition, where
from serving.snapshot import Row, Snapshot

MOST_ROWS = 20_000
CONTACT, CONVERSATION = "contact", "conversation"


@dataclass(frozen=True)
class Indicator:
    """An indicator of the platform.

    Attributes:
        grain: what it counts, `contact` or `conversation`.
        numerator: a column of sums.
        denominator: a column of sums, empty when the figure is the numerator itself.
        description: what it is.
    """

    grain: str
    numerator: str
    denominator: str
    description: str

    def value(self, sums: Mapping[str, Any]) -> float | int | None:
        """The figure: null over nothing, and where amounts of several currencies have no sum."""
        top = sums.get(self.numerator)
        if self.numerator == "revenue" and sums.get("has_several_currencies"):
            return None
        if not self.denominator:
            return number(top or 0)
        below = sums.get(self.denominator)
        return number(float(top or 0) / below) if below else None


INDICATORS = {
    "contact_number": Indicator(
        CONTACT, "contacts", "", "Contacts that started in the period, bots' included."
    ),
    "contact_unanswered_number": Indicator(
        CONTACT, "unanswered", "", "Contacts whose respondent did not reply."
    ),
    "contact_duration": Indicator(
        CONTACT, "duration_seconds_sum", "duration_count", "Mean seconds from start to end."
    ),
    "contact_answered_duration": Indicator(
        CONTACT,
        "response_seconds_sum",
        "response_count",
        "Mean seconds from a visitor's turn to the reply; people only.",
    ),
    "contact_answered_after_first_message_duration": Indicator(
        CONTACT,
        "first_reply_seconds_sum",
        "first_reply_count",
        "Mean seconds from the visitor's first message to the reply; people only.",
    ),
    "contact_closed_after_last_message_duration": Indicator(
        CONTACT,
        "closing_delay_seconds_sum",
        "closing_delay_count",
        "Mean seconds from the visitor's last message to the end; people only.",
    ),
    "contact_sent_message_number": Indicator(
        CONTACT, "messages_sent", "", "Messages that respondents sent."
    ),
    "contact_received_message_number": Indicator(
        CONTACT, "messages_received", "", "Messages that visitors sent."
    ),
    "transaction_after_contact_number": Indicator(
        CONTACT, "transactions", "", "Transactions, each credited to the last who replied."
    ),
    "transaction_after_contact_amount": Indicator(
        CONTACT, "revenue", "", "Their amounts; null where currencies differ."
    ),
    "cart_after_contact_amount": Indicator(
        CONTACT, "revenue", "transactions", "Mean amount; null where currencies differ."
    ),
    "conversion_rate": Indicator(
        CONVERSATION,
        "transactions",
        "conversations",
        "Transactions per conversation that closed in the period.",
    ),
    "transaction_amount_per_conversation": Indicator(
        CONVERSATION,
        "revenue",
        "conversations",
        "Amounts per conversation that closed in the period; null where currencies differ.",
    ),
}
_QUEUE = "The logs of this warehouse hold no waiting queue."
_PRESENCE = "The logs of this warehouse hold no presence of operators."
_DISPLAY = "The logs of this warehouse hold no displays of buttons and rules."
_WEBSITE = "The logs of this warehouse hold no visits and transactions without a contact."
_SATISFACTION = (
    "The platform has ended it too. The conversation resource and the reports have satisfaction."
)
UNAVAILABLE_INDICATORS = {
    **dict.fromkeys(
        (
            "contact_waiting_abort_number",
            "contact_waiting_answered_number",
            "contact_waiting_before_quit_duration",
            "contact_waiting_duration",
            "contact_waiting_number",
        ),
        _QUEUE,
    ),
    **dict.fromkeys(
        (
            "contact_missed_number",
            "contact_missed_with_busy_operators_number",
            "contact_missed_with_no_operators_number",
            "contact_simultaneous_number",
            "contact_per_hour_average_number",
            "contact_per_hour_number",
            "max_and_partial_occupation_duration",
            "max_and_partial_occupation_rate",
            "max_occupation_duration",
            "max_occupation_rate",
            "non_occupation_duration",
            "non_occupation_rate",
            "non_production_duration",
            "non_production_rate",
            "occupation_duration",
            "occupation_rate",
            "presence_duration",
            "presence_smoothed_duration",
            "presentation_duration",
            "production_duration",
            "production_smoothed_duration",
            "transaction_after_conversation_amount_per_hour",
            "transaction_missed_with_busy_operators_amount",
            "transaction_missed_with_busy_operators_number",
            "transaction_missed_with_no_operators_amount",
            "transaction_missed_with_no_operators_number",
        ),
        _PRESENCE,
    ),
    **dict.fromkeys(
        ("rule_contact_rate", "rule_display_number", "targeting_rule_triggered"), _DISPLAY
    ),
    **dict.fromkeys(
        ("cart_global_amount", "transaction_total_amount", "transaction_total_number"), _WEBSITE
    ),
    **dict.fromkeys(
        (
            "satisfaction_delay_rate",
            "satisfaction_global_rate",
            "satisfaction_resolution_rate",
            "satisfaction_respondent_number",
            "satisfaction_respondent_rate",
            "satisfaction_welcome_rate",
        ),
        _SATISFACTION,
    ),
    "transaction_after_contact_duration": "No report of this warehouse has such a figure.",
}
# Of the resources to group by, the dimension of the metric models and the column of the contacts.
RESOURCES = {"operator": ("agent", "agent_id"), "group": ("group", "group_id")}
UNAVAILABLE_RESOURCES = {
    "skill": UNAVAILABLE["skill_id"],
    "rule": UNAVAILABLE["rule_id"],
    "contact_type": "The logs of this warehouse hold no types of contact.",
    "page_type": UNAVAILABLE["page_type"],
}
# Of the granularities, what of a day or a moment names the slot.
GRANULARITIES = {"hour": "%Y-%m-%d %H:00:00", "day": "%Y-%m-%d", "month": "%Y-%m"}

FILTERS = (
    text_field("website_list", "Projects, several with commas.", "101,102"),
    text_field("website_id", "Deprecated by the platform: use website_list.", "101"),
    text_field("channel", "Channels, several with commas.", "chat"),
    choice_field("resource", "What to group by.", RESOURCES),
    text_field("resource_id", "Only this operator or group.", "12"),
    Field(
        "indicators",
        "Which figures, several with commas; all when left out.",
        {"type": "string", "maxLength": 2000},
        "contact_number,contact_duration",
    ),
    Field(
        "from",
        "The first day or moment, on each project's clock.",
        {"type": "string", "maxLength": 19},
        "2026-09-01",
    ),
    Field(
        "to",
        "The last day or moment, on each project's clock.",
        {"type": "string", "maxLength": 19},
        "2026-11-30",
    ),
    choice_field("granularity", "One figure per slot; for one indicator only.", GRANULARITIES),
    SOURCE_FIELD,
)

# What a contact adds to each sum, as metrics.contact_metrics has it.
_CONTACT_SUMS = {
    "contacts": "1",
    "unanswered": "case when contacts.is_answered then 0 else 1 end",
    "duration_seconds_sum": "contacts.duration_seconds",
    "duration_count": "case when contacts.duration_seconds is not null then 1 else 0 end",
    "first_reply_seconds_sum": "case when is_human then contacts.first_reply_seconds end",
    "first_reply_count": (
        "case when is_human and contacts.first_reply_seconds is not null then 1 else 0 end"
    ),
    "response_seconds_sum": "case when is_human then contacts.response_seconds_sum end",
    "response_count": "case when is_human then contacts.response_count else 0 end",
    "closing_delay_seconds_sum": "case when is_human then contacts.closing_delay_seconds end",
    "closing_delay_count": (
        "case when is_human and contacts.closing_delay_seconds is not null then 1 else 0 end"
    ),
    "messages_sent": "contacts.messages_sent_count",
    "messages_received": "contacts.messages_received_count",
    "transactions": "contacts.transaction_count",
    "revenue": "contacts.transaction_amount",
}
# What a closed conversation adds to each sum, as metrics.conversation_metrics has it.
_CONVERSATION_SUMS = {
    "conversations": "1",
    "transactions": "conversations.transaction_count",
    "revenue": "conversations.transaction_amount",
}


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        indicators: their names, in order.
        period: when.
        websites, channels: only these; all when empty.
        source: only this one; all when empty.
        resource: `operator` or `group`, empty when not grouped.
        resource_id: only this one; all when empty.
        granularity: `hour`, `day` or `month`, empty for the whole period.
    """

    indicators: tuple[str, ...]
    period: Period
    websites: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    source: str = ""
    resource: str = ""
    resource_id: str = ""
    granularity: str = ""

    @property
    def dimension(self) -> str | None:
        """The dimension of the metric models whose rows answer this, None when none do."""
        if self.granularity == "hour" or not self.period.is_of_days:
            return None
        asked = [
            dimension
            for dimension, is_asked in (
                ("project", self.websites),
                ("channel", self.channels),
                (RESOURCES[self.resource][0] if self.resource else "", self.resource),
            )
            if is_asked
        ]
        if not asked:
            return "source" if self.source else "all"
        # Channels are those of all sources: of one source they are no row.
        if len(asked) > 1 or (asked == ["channel"] and self.source):
            return None
        return asked[0]


def read(parameters: Parameters, snapshot: Snapshot) -> Question:
    """What the parameters ask.

    Raises:
        RefusedError: a parameter cannot be taken, or its data is not in this warehouse.
    """
    indicators = _indicators(parameters.texts("indicators", longest=2000))
    granularity = parameters.choice("granularity", tuple(GRANULARITIES))
    if granularity and len(indicators) != 1:
        raise RefusedError("Field 'granularity' takes exactly one indicator in 'indicators'.")
    resource = parameters.choice("resource", (*RESOURCES, *UNAVAILABLE_RESOURCES))
    if resource in UNAVAILABLE_RESOURCES:
        raise RefusedError(
            f"Resource '{resource}' is not available. {UNAVAILABLE_RESOURCES[resource]}"
        )
    resource_id = parameters.text("resource_id")
    if resource_id and not resource:
        raise RefusedError("Field 'resource' is missing.")
    websites = parameters.texts("website_list")
    deprecated = parameters.texts("website_id")
    if websites and deprecated:
        raise RefusedError("Give 'website_list' or 'website_id', not both.")
    return Question(
        indicators=tuple(indicators),
        period=period(parameters, snapshot.published_at, longest_months=None),
        websites=tuple(websites or deprecated),
        channels=tuple(parameters.texts("channel")),
        source=parameters.source(),
        resource=resource,
        resource_id=resource_id,
        granularity=granularity,
    )


def _indicators(given: Sequence[str]) -> list[str]:
    for name in given:
        if name in UNAVAILABLE_INDICATORS:
            raise RefusedError(
                f"Indicator '{name}' is not available. {UNAVAILABLE_INDICATORS[name]}"
            )
        if name not in INDICATORS:
            raise invalid("indicators", f"Give some of {', '.join(INDICATORS)}.")
    return list(given) or list(INDICATORS)


def statistic(snapshot: Snapshot, question: Question) -> list[dict[str, Any]] | dict[str, Any]:
    """The figures: one object, or a list with one per resource, slot, or both.

    Raises:
        RefusedError: there would be too many.
    """
    grains = [
        grain
        for grain in (CONTACT, CONVERSATION)
        if any(INDICATORS[name].grain == grain for name in question.indicators)
    ]
    sums: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for grain in grains:
        for row in totals(snapshot, question, grain):
            key = tuple(row[name] for name in _key_names(question))
            sums.setdefault(key, {})[grain] = row
    if not _key_names(question):
        return _figures(question, sums.get((), {}))
    return [
        {**dict(zip(_key_names(question), key, strict=True)), **_figures(question, sums[key])}
        for key in sorted(sums)
    ]


def _key_names(question: Question) -> list[str]:
    return [
        *(("id", "source") if question.resource else ()),
        *(("date",) if question.granularity else ()),
    ]


def _figures(question: Question, sums: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: INDICATORS[name].value(sums.get(INDICATORS[name].grain, {}))
        for name in question.indicators
    }


def totals(
    snapshot: Snapshot, question: Question, grain: str, *, from_rows: bool = False
) -> list[Row]:
    """The sums that the figures of a grain are made of, one row per resource and slot.

    Args:
        snapshot: where to look.
        question: what is asked.
        grain: `contact` or `conversation`.
        from_rows: sum the marts even where the metric models have the rows.

    Raises:
        RefusedError: there would be too many rows.
    """
    dimension = None if from_rows else question.dimension
    base = _from_models(question, grain, dimension) if dimension else _from_marts(question, grain)
    names = _CONTACT_SUMS if grain == CONTACT else _CONVERSATION_SUMS
    sums = ", ".join(_sum(name) for name in names)
    shown, groups = [], []
    if question.resource:
        shown += ["id", "source"]
        groups += ["id", "source"]
    if question.granularity:
        # Written once per slot, not once per contact.
        shown.append(f"strftime(slot, '{GRANULARITIES[question.granularity]}') as date")
        groups.append("slot")
    rows = snapshot.rows(
        f"with base as ({base.sql}) select {', '.join([*shown, sums])},"
        " coalesce(min(smallest_currency) <> max(largest_currency), false)"
        " as has_several_currencies"
        f" from base{' group by ' + ', '.join(groups) if groups else ''} limit {MOST_ROWS + 1}",
        base.values,
    )
    if len(rows) > MOST_ROWS:
        raise RefusedError(
            f"The answer would have more than {MOST_ROWS} rows. Ask for a shorter period, a"
            " coarser granularity or one resource_id."
        )
    return rows


def _sum(name: str) -> str:
    # Sums of seconds are exact, whatever the order in which they are added.
    if name.endswith("_seconds_sum"):
        return f"coalesce(cast(sum(cast({name} as decimal(38, 6))) as double), 0) as {name}"
    if name == "revenue":
        return "cast(coalesce(sum(revenue), 0) as decimal(38, 4)) as revenue"
    return f"cast(coalesce(sum({name}), 0) as bigint) as {name}"


def _from_models(question: Question, grain: str, dimension: str) -> Condition:
    """The rows of the metric models that answer a question."""
    model, day, names = (
        ("contact_metrics", "started_on", _CONTACT_SUMS)
        if grain == CONTACT
        else ("conversation_metrics", "closed_on", _CONVERSATION_SUMS)
    )
    found = [
        question.period.days(day),
        Condition("dimension = $dimension", {"dimension": dimension}),
    ]
    if question.source:
        found.append(matches("source", "source", [question.source]))
    if question.websites:
        found.append(matches("dimension_value", "website", question.websites))
    if question.channels:
        found.append(channel_condition("dimension_value", list(question.channels)))
    if question.resource:
        found.append(Condition("dimension_value is not null"))
    if question.resource_id:
        found.append(matches("dimension_value", "resource_id", [question.resource_id]))
    condition = where(found)
    columns = [*names, "smallest_currency", "largest_currency"]
    if question.resource:
        columns += ["dimension_value as id", "source"]
    if question.granularity:
        columns.append(f"date_trunc('{question.granularity}', {day}) as slot")
    return Condition(
        f"select {', '.join(columns)} from metrics.{model} where {condition.sql}",
        condition.values,
    )


def _from_marts(question: Question, grain: str) -> Condition:
    """What each contact, or each closed conversation and participant, adds to the sums."""
    table, utc, day, names = (
        ("contacts", "contacts.started_at", "contacts.started_on", _CONTACT_SUMS)
        if grain == CONTACT
        else (
            "conversations",
            "conversations.closed_at",
            "conversations.closed_on",
            _CONVERSATION_SUMS,
        )
    )
    found = [question.period.condition(utc, day, f"{table}.time_zone")]
    if question.source:
        found.append(matches(f"{table}.source", "source", [question.source]))
    if question.websites:
        found.append(matches(f"{table}.project_id", "website", question.websites))
    if question.channels:
        found.append(channel_condition(f"{table}.channel", list(question.channels)))
    columns = [f"{sql} as {name}" for name, sql in names.items()]
    # Whether amounts have a sum shows in these two: they differ where currencies do. An unknown
    # currency is one of its own, and several in one row differ from themselves.
    columns += [
        f"case when {table}.transaction_count = 0 then null"
        f" when {table}.transaction_amount is null then '{unknown}'"
        f" else coalesce({table}.currency, '') end as {name}"
        for name, unknown in (("smallest_currency", ""), ("largest_currency", "~"))
    ]
    joins = ""
    if question.resource:
        id = f"contacts.{RESOURCES[question.resource][1]}"
        wanted = [Condition(f"{id} is not null")]
        if question.resource_id:
            wanted.append(matches(id, "resource_id", [question.resource_id]))
        if grain == CONTACT:
            found += wanted
        else:
            # Each conversation once under each operator or group that took part.
            participation = where(wanted)
            found.append(Condition("true", participation.values))
            joins = (
                " inner join (select distinct contacts.conversation_started_at,"
                f" contacts.conversation_id, {id} as id from marts.contacts as contacts"
                f" where {participation.sql}) as participations"
                " on conversations.started_at = participations.conversation_started_at"
                " and conversations.conversation_id = participations.conversation_id"
            )
            id = "participations.id"
        columns += [f"{id} as id", f"{table}.source as source"]
    if question.granularity:
        local = f"timezone({table}.time_zone, timezone('UTC', {utc}))"
        at = local if question.granularity == "hour" else day
        columns.append(f"date_trunc('{question.granularity}', {at}) as slot")
    condition = where(found)
    rows = (
        "(select *, agent_kind in ('human', 'expert') as is_human from marts.contacts) as contacts"
        if grain == CONTACT
        else "marts.conversations as conversations"
    )
    return Condition(
        f"select {', '.join(columns)} from {rows}{joins} where {condition.sql}", condition.values
    )
