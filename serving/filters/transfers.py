"""What a filter asks of transfers and of the ways through the respondents.

Belongs here: what hands over, what becomes of a request, its days, a way as a list of steps.
Does not belong here: which of it a filter asks (`filter`), figures over transfers
(`queries.transfers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from serving import labels
from serving.filters.conditions import (
    NONE,
    Condition,
    in_conversations,
    moment,
    one_of,
    to_conversation,
    window_of,
)
from serving.filters.declaring import Option
from serving.i18n import mark


@dataclass(frozen=True)
class End:
    """What the two ends of a transfer are.

    Attributes:
        label: what it is called.
        unnamed: what one that is missing is called.
        origin, target: the columns of the two ends.
        step: the column of a contact on the way.
        joins: the tables of the two columns beside `transfers`.
    """

    label: str
    unnamed: str
    origin: str
    target: str
    step: str
    joins: tuple[str, ...] = ()


ENDS = {
    "kind": End(
        mark("Bot or human"),
        mark("Unknown kind"),
        "transfers.from_agent_kind",
        "transfers.to_agent_kind",
        "contacts.agent_kind",
    ),
    "group": End(
        mark("Group"),
        mark("Without a group"),
        "from_contacts.group_id",
        "to_contacts.group_id",
        "contacts.group_id",
        (
            " left join marts.contacts as from_contacts"
            " on transfers.source = from_contacts.source"
            " and transfers.from_contact_id = from_contacts.contact_id"
            " left join marts.contacts as to_contacts"
            " on transfers.source = to_contacts.source"
            " and transfers.to_contact_id = to_contacts.contact_id",
        ),
    ),
    "agent": End(
        mark("Respondent"),
        mark("Unknown respondent"),
        "transfers.from_agent_id",
        "transfers.to_agent_id",
        "contacts.agent_id",
    ),
}

# A transfer that counts: accepted, and over a link that joins.
ACCEPTED = "transfers.is_completed"
STATES = {
    "accepted": Option(labels.OUTCOMES["accepted"], ACCEPTED),
    **{
        outcome: Option(labels.OUTCOMES[outcome], f"transfers.outcome = '{outcome}'")
        for outcome in ("failed", "abandoned", "pending", "unknown")
    },
    "asked": Option(labels.OUTCOMES["asked"], "true"),
}


def end_is(end: str, name: str, by: str) -> Condition:
    """An end of a transfer is a certain one; `-` stands for none.

    Args:
        end: its id or kind.
        name: which end, under which the value is bound: `transfer_from` or `transfer_to`.
        by: what the ends are, in ENDS.
    """
    ends = ENDS[by]
    column = ends.origin if name == "transfer_from" else ends.target
    found = one_of(column, name, (end,))
    return Condition(found.sql, found.values, ends.joins)


# The day on which a transfer was asked for, in the days of its conversation's project.
DAY = "cast(timezone({conversation}.time_zone, timezone('UTC', transfers.requested_at)) as date)"
_ASKED_IN = "asked_in"
_JOINED = (to_conversation("transfers", alias=_ASKED_IN),)


# A zone is at most a day away from UTC: of both bounds, only what is nearer to it has to be
# converted.
def asked_from(day: date, conversation: str = "") -> Condition:
    """A transfer was asked for on a day or later, in the project's days.

    Args:
        day: the day.
        conversation: the alias of its conversation; joined by the condition itself without one.
    """
    shown = DAY.format(conversation=conversation or _ASKED_IN)
    return Condition(
        "transfers.requested_at >= $transfers_since"
        f" and (transfers.requested_at >= $transfers_inside or {shown} >= $transfer_first_day)",
        {
            "transfer_first_day": day,
            "transfers_since": moment(day, -1),
            "transfers_inside": moment(day, 1),
        },
        () if conversation else _JOINED,
    )


def asked_to(day: date, conversation: str = "") -> Condition:
    """A transfer was asked for on a day or earlier; the arguments are those of `asked_from`."""
    shown = DAY.format(conversation=conversation or _ASKED_IN)
    return Condition(
        "transfers.requested_at < $transfers_until"
        f" and (transfers.requested_at < $transfers_within or {shown} <= $transfer_last_day)",
        {
            "transfer_last_day": day,
            "transfers_until": moment(day, 2),
            "transfers_within": moment(day, 0),
        },
        () if conversation else _JOINED,
    )


def collapsed_path(step: str) -> str:
    """An aggregate over contacts: the steps in order, `-` for none, each repeat left out."""
    steps = f"list(coalesce({step}, '{NONE}') order by contacts.contact_no)"
    return f"list_filter({steps}, lambda step, place: place = 1 or step <> {steps}[place - 1])"


def went(
    path: Sequence[str], by: str, *, is_part: bool = False, windowed: bool = False
) -> list[Condition]:
    """The conversation went a way.

    Args:
        path: the steps in order, repeats left out.
        by: what a step is, in ENDS.
        is_part: whether it is enough that the way is a part of the conversation's.
        windowed: the look into the contacts is bounded by WINDOW, for the caller to bind.
    """
    matched = "path = $path"
    values: dict[str, Any] = {"path": list(path)}
    if is_part:
        matched = (
            "list_contains(list_transform(range(1, len(path) - $path_length + 2),"
            " lambda start: path[start:start + $path_length - 1]), cast($path as varchar[]))"
        )
        values["path_length"] = len(path)
    # A way of several steps needs as many contacts, which the conversation knows.
    values["path_contacts"] = len(path)
    return [
        Condition("conversations.contact_count >= $path_contacts"),
        in_conversations(
            "select (conversation_started_at, conversation_id) from ("
            f"select conversation_started_at, conversation_id,"
            f" {collapsed_path(ENDS[by].step)} as path from marts.contacts as contacts"
            f" where true{window_of('contacts', windowed=windowed)}"
            " group by conversation_started_at, conversation_id"
            " having count(*) >= $path_contacts)"
            f" where {matched}",
            values,
        ),
    ]
