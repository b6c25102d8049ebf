"""Everything that happened in a conversation, in the order in which it is read.

Belongs here: what stands where. Does not belong here: names and texts (`view`), the drawing
(`timeline`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving import i18n
from serving.snapshot import Row


@dataclass(frozen=True)
class Item:
    """One entry of the stream.

    Attributes:
        what: `day`, `contact`, `back`, `transfer`, `message`, `rating` or `transaction`.
        at: when, in UTC.
        row: the row of the mart; for `back` the contact that goes on; empty for a day.
        is_elsewhere: of a message: it belongs to another contact than the last one that began.
    """

    what: str
    at: datetime
    row: Mapping[str, Any]
    is_elsewhere: bool = False


def stream(
    zone: str,
    contacts: Sequence[Row],
    times: Sequence[Row],
    messages: Sequence[Row],
    after: int,
    transfers: Sequence[Row],
    ratings: Sequence[Row],
    transactions: Sequence[Row],
) -> Iterator[Item]:
    """The page's messages with all that happened between them, in order.

    Messages keep their order. What else happened stands by its time, but a contact begins
    before its first message, whatever its log says. What happened between two pages stands on
    the later one.
    """
    known = {contact["contact_id"]: contact for contact in contacts}
    bodies = {message["message_no"]: message for message in messages}
    last = messages[-1]["message_no"] if messages else 0
    pending = _events(contacts, times, transfers, ratings, transactions)
    done = 0
    current: str | None = None
    day = None

    def shown(item: Item) -> Iterator[Item]:
        nonlocal day
        local_day = i18n.local(item.at, zone).date()
        if local_day != day:
            day = local_day
            yield Item("day", item.at, {})
        yield item

    for message in times:
        number, contact_id = message["message_no"], message["contact_id"]
        upto = done
        for position in range(done, len(pending)):
            event = pending[position]
            if event.at > message["sent_at"]:
                break
            starts_it = event.what == "contact" and event.row["contact_id"] == contact_id
            if event.at < message["sent_at"] or starts_it:
                upto = position + 1
        before, done = pending[done:upto], upto
        begun = [event.row["contact_id"] for event in before if event.what == "contact"]
        current = begun[-1] if begun else current
        if after < number <= last:
            for event in before:
                yield from shown(event)
            if number == after + 1 > 1 and not begun and contact_id in known:
                current = contact_id
                yield from shown(Item("back", message["sent_at"], known[contact_id]))
            # Contacts can overlap, so a message can belong to an earlier one.
            is_elsewhere = contact_id != current and contact_id in known
            body = bodies[number]
            yield from shown(Item("message", message["sent_at"], body, is_elsewhere))
    if not times or last == times[-1]["message_no"]:
        for event in pending[done:]:
            yield from shown(event)


def _events(
    contacts: Sequence[Row],
    times: Sequence[Row],
    transfers: Sequence[Row],
    ratings: Sequence[Row],
    transactions: Sequence[Row],
) -> list[Item]:
    first: dict[str, datetime] = {}
    for message in times:
        first.setdefault(message["contact_id"], message["sent_at"])
    # At one moment: who hands over, then who takes over, then what came of it.
    ranked: list[tuple[datetime, int, Item]] = []
    for rank, what, column, rows in (
        (0, "transfer", "requested_at", transfers),
        (1, "contact", "started_at", contacts),
        (2, "rating", "answered_at", ratings),
        (3, "transaction", "occurred_at", transactions),
    ):
        for row in rows:
            at = row[column]
            if what == "contact":
                at = min(at, first.get(row["contact_id"], at))
            ranked.append((at, rank, Item(what, at, row)))
    ranked.sort(key=lambda entry: entry[:2])
    return [item for _, _, item in ranked]
