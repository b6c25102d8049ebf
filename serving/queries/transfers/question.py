"""Which transfers are asked about.

Belongs here: the question, the filters of the log for it, the rows that all of its figures are
over. Does not belong here: the figures.

A transfer counts when it was accepted over a link that joins, as in the statistical report; it
belongs to the day on which it was asked for, in its project's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from serving.filters import NONE, Condition, Filter, to_conversation, where
from serving.filters.transfers import ACCEPTED, ENDS, asked_from, asked_to

# What can become of a request; `set_aside` is one accepted over a link that the policy rejects.
OUTCOMES = ("accepted", "failed", "abandoned", "pending", "unknown", "set_aside")
MOST_ROWS = 20


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        by: what hands over: `kind`, `group` or `agent`.
        first_day, last_day: days on which a transfer was asked for, inclusive.
        columns: wanted values by the attribute of the filter: source, project, channel.
    """

    by: str
    first_day: date
    last_day: date
    columns: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def is_within_source(self) -> bool:
        """Whether an end of a transfer is an id, which says something within its source alone."""
        return self.by != "kind"

    def filter(self, **more: Any) -> Filter:
        """The log's filter for the conversations of these transfers, and more."""
        asked: dict[str, Any] = {
            **dict(self.columns),
            "transfer_by": self.by,
            "transfer_first_day": self.first_day,
            "transfer_last_day": self.last_day,
        }
        return Filter(**asked | more)

    def closed(self, **more: Any) -> Filter:
        """The log's filter for the conversations that closed in the period, and more."""
        asked: dict[str, Any] = {
            **dict(self.columns),
            "on": "closed",
            "first_day": self.first_day,
            "last_day": self.last_day,
        }
        return Filter(**asked | more)

    @property
    def of_any_day(self) -> Filter:
        """The log's filter for the conversations of these columns alone."""
        asked: dict[str, Any] = dict(self.columns)
        return Filter(**asked)


def where_of(question: Question) -> Condition:
    """Which of `transfers`, each with its conversation, were asked for in the period."""
    return where(
        [
            *question.of_any_day.conditions(),
            asked_from(question.first_day, "conversations"),
            asked_to(question.last_day, "conversations"),
        ]
    )


def asked(question: Question, mark: str) -> Condition:
    """The CTE `asked`: one row per transfer asked for, with its ends at the wanted level."""
    found = where_of(question)
    ends = ENDS[question.by]
    source = "transfers.source" if question.is_within_source else "cast(null as varchar)"
    return Condition(
        f"""asked as materialized (
        select
            {source} as source,
            {mark} as conversation_no,
            transfers.transfer_id,
            transfers.requested_at,
            transfers.kind,
            transfers.target_kind,
            transfers.target_id,
            transfers.source as target_source,
            case
                when transfers.outcome = 'accepted' and not transfers.is_completed then 'set_aside'
                else transfers.outcome
            end as outcome,
            case when {ACCEPTED} then transfers.wait_seconds end as wait_seconds,
            coalesce({ends.origin}, '{NONE}') as from_end,
            coalesce({ends.target}, '{NONE}') as to_end
        from marts.transfers as transfers{to_conversation("transfers")}{"".join(ends.joins)}
        where {found.sql}
    )""",
        found.values,
    )
