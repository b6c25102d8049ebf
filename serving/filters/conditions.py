"""Parts of a where clause, and the values that they bind.

Belongs here: what a condition is, those of one column, and the ways from a row to its conversation.
Does not belong here: which conditions a filter has (`filter`).

Every value is bound by name; no value is ever part of the SQL text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

NONE = "-"  # In an address: the value is missing. A row of a report can stand for that too.

# Bounds of the opening of a conversation; every mart is in its order, so this reads a part alone.
WINDOW = "{column} >= $window_start and {column} < $window_end"

# How marts.conversation_ids spells the hash of an id, so that a look-up reads one place.
ID_HASH = "cast('0x' || substr(md5($id), 1, 15) as bigint)"


@dataclass(frozen=True)
class Condition:
    """A part of a where clause and the values that it binds.

    Attributes:
        sql: the text.
        values: by the names in it.
        joins: clauses that bring in the tables that it speaks of, beside its own.
    """

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    joins: tuple[str, ...] = ()


def where(conditions: Iterable[Condition]) -> Condition:
    """The conditions joined with `and`; `true` when there is none."""
    listed = list(conditions)
    return Condition(
        " and ".join(each.sql for each in listed) or "true",
        {name: value for each in listed for name, value in each.values.items()},
        tuple(dict.fromkeys(join for each in listed for join in each.joins)),
    )


def one_of(column: str, name: str, values: Sequence[str], *, any_case: bool = False) -> Condition:
    """A column has one of some values; NONE among them stands for a missing one.

    Args:
        column: as SQL.
        name: under which the values are bound.
        values: at least one.
        any_case: a word of the platform, which its own interfaces write in either case.
    """
    known = [value for value in values if value != NONE]
    parts, bound = [], {}
    if known:
        asked = f"select unnest(cast(${name} as varchar[]))"
        parts.append(
            f"lower({column}) in (select lower(value) from ({asked} as value))"
            if any_case
            else f"{column} in ({asked})"
        )
        bound[name] = known
    if len(known) < len(values):
        parts.append(f"{column} is null")
    return Condition(f"({' or '.join(parts)})", bound)


def moment(day: date, days: int) -> datetime:
    """Midnight of a day so many days away; of the day itself at the ends of the calendar."""
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        moved = day
    return datetime(moved.year, moved.month, moved.day)


def window_of(table: str, *, windowed: bool) -> str:
    """That the conversation of a row is in WINDOW, to be added to a condition; empty without."""
    return f" and {WINDOW.format(column=f'{table}.conversation_started_at')}" if windowed else ""


def in_conversations(select: str, values: Mapping[str, Any]) -> Condition:
    """The conversation is one that a query finds.

    Args:
        select: a query for one column: the pair of start and id.
        values: what it binds.
    """
    return Condition(
        f"(conversations.started_at, conversations.conversation_id) in ({select})", values
    )


def has_contact(terms: Sequence[Condition], *, windowed: bool = False) -> Condition:
    """One contact of the conversation meets all terms, which speak of `contacts`."""
    joined = where(terms)
    return in_conversations(
        "select (contacts.conversation_started_at, contacts.conversation_id)"
        f" from marts.contacts as contacts where {joined.sql}"
        + window_of("contacts", windowed=windowed),
        joined.values,
    )


def has_id(condition: Condition) -> Condition:
    """An id of the conversation, of any time or of a contact, meets a condition."""
    return in_conversations(
        "select (conversation_ids.conversation_started_at, conversation_ids.conversation_id)"
        f" from marts.conversation_ids as conversation_ids where {condition.sql}",
        condition.values,
    )


#: That `conversation_ids` has the id that is bound as `$id`.
IS_ID = f"conversation_ids.id_hash = {ID_HASH} and conversation_ids.id = $id"


def to_conversation(table: str, *, alias: str = "conversations", kind: str = "inner") -> str:
    """The join of a table's rows with their conversations."""
    return (
        f" {kind} join marts.conversations as {alias}"
        f" on {table}.conversation_started_at = {alias}.started_at"
        f" and {table}.conversation_id = {alias}.conversation_id"
    )
