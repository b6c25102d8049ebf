"""The sums that the figures are made of: out of the metric models, or over the marts.

Belongs here: the rows of a question. Does not belong here: what a sum is (`definitions`), the
answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.api.conversations import channel_condition
from serving.api.envelope import RefusedError
from serving.api.parameters import (
    matches,
)
from serving.api.statistic.definitions import MOST_ROWS, Definitions
from serving.api.statistic.indicators import CONTACT, CONVERSATION, FIGURES
from serving.api.statistic.question import GRANULARITIES, RESOURCES, Question
from serving.filters import Condition, where
from serving.snapshot import Row, Snapshot
from throughline.published.metrics import Metric


def totals(
    snapshot: Snapshot, question: Question, grain: str, *, from_rows: bool = False
) -> list[Row]:
    """The figures of a grain by the names of their metrics, one row per resource and slot.

    Args:
        snapshot: where to look.
        question: what is asked.
        grain: `contact` or `conversation`.
        from_rows: sum the marts even where the metric models have the rows.

    Raises:
        RefusedError: there would be too many rows.
    """
    # Of what a bound key reads, the models do not have every row that they have of everything.
    dimension = None if from_rows or snapshot.scope.is_bound else question.dimension
    defined = Definitions(snapshot)
    sums = defined.sums(FIGURES[grain])
    base = (
        _from_models(question, grain, dimension, sums)
        if dimension
        else _from_marts(question, grain, sums)
    )
    shown, groups = [], []
    if question.resource:
        shown += ["id", "source"]
        groups += ["id", "source"]
    if question.granularity:
        # Written once per slot, not once per contact.
        shown.append(f"strftime(slot, '{GRANULARITIES[question.granularity]}') as date")
        groups.append("slot")
    rows = snapshot.rows(defined.query(grain, base.sql, shown, groups), base.values)
    if len(rows) > MOST_ROWS:
        raise RefusedError(
            f"The answer would have more than {MOST_ROWS} rows. Ask for a shorter period, a"
            " coarser granularity or one resource_id."
        )
    return rows


def of_nothing(snapshot: Snapshot, grain: str) -> Row:
    """The figures of a grain where there is no row: a count is 0, a ratio null."""
    defined = Definitions(snapshot)
    columns = (f"cast(null as double) as {each.name}" for each in defined.sums(FIGURES[grain]))
    return snapshot.rows(defined.query(grain, f"select {', '.join(columns)} where false"))[0]


def _from_models(
    question: Question, grain: str, dimension: str, sums: Sequence[Metric]
) -> Condition:
    """The rows of the metric models that answer a question."""
    model, day = (
        ("contact_metrics", "started_on")
        if grain == CONTACT
        else ("conversation_metrics", "closed_on")
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
    # A column of a report is one of the metric model that the report is made of.
    columns = [f"{metric.column.partition('.')[2]} as {metric.name}" for metric in sums]
    if question.resource:
        columns += ["dimension_value as id", "source"]
    if question.granularity:
        columns.append(f"date_trunc('{question.granularity}', {day}) as slot")
    return Condition(
        f"select {', '.join(columns)} from metrics.{model} where {condition.sql}",
        condition.values,
    )


def _from_marts(question: Question, grain: str, sums: Sequence[Metric]) -> Condition:
    """What each contact, or each closed conversation and participant, adds to the sums."""
    table, utc, day = (
        ("contacts", "contacts.started_at", "contacts.started_on")
        if grain == CONTACT
        else ("conversations", "conversations.closed_at", "conversations.closed_on")
    )
    found = [question.period.condition(utc, day, f"{table}.time_zone")]
    if grain == CONVERSATION:
        found.append(Condition("conversations.is_closed"))
    if question.source:
        found.append(matches(f"{table}.source", "source", [question.source]))
    if question.websites:
        found.append(matches(f"{table}.project_id", "website", question.websites))
    if question.channels:
        found.append(channel_condition(f"{table}.channel", list(question.channels)))
    columns = [f"{table}.{metric.name}" for metric in sums]
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
    # The metrics speak of the mart alone: before anything is joined to it.
    added = ", ".join(f"{metric.of_a_row} as {metric.name}" for metric in sums)
    return Condition(
        f"select {', '.join(columns)} from (select *, {added} from marts.{table}) as {table}{joins}"
        f" where {condition.sql}",
        condition.values,
    )
