"""A place in the order of the log, and what lies beyond it.

Belongs here: the cursor, its text, the condition that goes on from it. Does not belong here: the
orders (`log`), packing a text (`tokens`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from serving.filters import Condition
from serving.queries.tokens import packed, unpacked

LONGEST_CURSOR = 600


@dataclass(frozen=True)
class Cursor:
    """A place in the order: a row, which is not part of the page itself.

    Attributes:
        sort, order: the order that it is a place in.
        value: of the column that is sorted by; None when it is missing.
        started_at: of the row.
        conversation_id: of the row.
        contact_no: of the row of a listing of contacts; 0 in one of conversations.
    """

    sort: str
    order: str
    value: Any
    started_at: datetime
    conversation_id: str
    contact_no: int = 0

    def to_text(self) -> str:
        """The cursor as an address carries it."""
        value = self.value
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Decimal):
            value = str(value)
        parts = [self.sort, self.order, value, self.started_at.isoformat(), self.conversation_id]
        if self.contact_no:
            parts.append(self.contact_no)
        return packed(parts)

    @staticmethod
    def read(text: str, sort: str, order: str) -> Cursor | None:
        """The cursor of an address; None when it is none, or one of another order."""
        if len(text) > LONGEST_CURSOR:
            return None
        try:
            made_sort, made_order, value, started_at, conversation_id, *more = unpacked(text)
            if (made_sort, made_order) != (sort, order) or not isinstance(conversation_id, str):
                return None
            (contact_no,) = more or (0,)
            if type(contact_no) is not int or not 0 <= contact_no < 2**31:
                return None
            return Cursor(
                sort, order, _value(sort, value), _moment(started_at), conversation_id, contact_no
            )
        except (ValueError, TypeError, InvalidOperation):
            return None


def _moment(text: Any) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError("a moment of a mart has no zone")
    return found


def _value(sort: str, value: Any) -> Any:
    if value is None:
        if sort == "opened":
            raise ValueError("a conversation has an opening")
        return None
    if sort in ("opened", "closed"):
        return _moment(value)
    if sort == "amount":
        amount = Decimal(value) if isinstance(value, str) else None
        if amount is None or not amount.is_finite() or abs(amount) >= 10**34:
            raise ValueError("no amount")
        return amount
    # True is a number to Python and to no sort.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    if not math.isfinite(value) or abs(value) > 2**62:
        raise ValueError("no number")
    return value


def beyond(
    column: str, tie: Sequence[str], place: Cursor, *, ascending: bool, backwards: bool
) -> Condition:
    """What lies beyond a place in an order; missing values are the last ones, whichever it is.

    Args:
        column: what is sorted by.
        tie: what decides among equal values: start, conversation and, of contacts, the number.
        place: where to go on from.
        ascending: whether the smaller come first on the way.
        backwards: whether the way is the order turned round.
    """
    past = ">" if ascending else "<"
    values: dict[str, Any] = {
        "place_at": place.started_at,
        "place_id": place.conversation_id,
    }
    names = ["$place_at", "$place_id"]
    if len(tie) > len(names):
        names.append("$place_no")
        values["place_no"] = place.contact_no
    behind = ""
    for each, name in reversed(list(zip(tie, names, strict=True))):
        behind = f"({each} {past} {name}" + (
            f" or ({each} = {name} and {behind}))" if behind else ")"
        )
    # Missing values are behind every value, and all before when going backwards.
    if place.value is None:
        missing = f"({column} is null and {behind})"
        return Condition(f"({missing} or {column} is not null)" if backwards else missing, values)
    values["place_value"] = place.value
    known = f"{column} {past} $place_value or ({column} = $place_value and {behind})"
    return Condition(f"({known})" if backwards else f"({known} or {column} is null)", values)
