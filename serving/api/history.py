"""The history of a conversation, as the platform encodes it.

Belongs here: its codes, its tokens, its text form. Does not belong here: the rest of the document.

The platform's form is a text of JSON arrays separated by commas, without outer brackets:
`[2,"2016-02-16 11:25:26","Hello",1455618327321],[3,"2016-02-16 11:26:43","OPERATOR_CHAT_CLOSE"]`.
Times are on the clock of the request; text entries also have the epoch in milliseconds. A private
note, which the visitor never sees, is a notification: it is not said by the operator to the
visitor.

A transfer has two entries: `OPERATOR_TRANSFER`, and behind it `OPERATOR_TAKEOVER` with the id of
the operator who takes over, where it is known. Where the log of messages holds a transfer's first
entry, it is that one; otherwise it is made from the log of transfers. The second is always made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from serving.snapshot import Row

OPERATOR_TEXT, VISITOR_TEXT, NOTIFICATION, LINK, OPERATOR_RICH, VISITOR_RICH = 1, 2, 3, 5, 6, 7
TRANSFER = "OPERATOR_TRANSFER"
TAKEOVER = "OPERATOR_TAKEOVER"
CLOSE = "OPERATOR_CHAT_CLOSE"
LINK_TYPES = ("link", "url", "text/uri-list")


@dataclass
class _Marker:
    """A notification that the messages do not hold, and where it belongs among them."""

    at: datetime
    contact_no: int
    order: int
    text: str


def encode(
    messages: Sequence[Row],
    contacts: Sequence[Row],
    transfers: Sequence[Row],
    local: Callable[[datetime], str],
) -> str:
    """The history.

    Args:
        messages: of the conversation, in order.
        contacts: of the conversation, in order.
        transfers: of the conversation, in the order in which they were asked for.
        local: writes a UTC moment on the clock of the request.
    """
    markers = _markers(messages, contacts, transfers)
    numbers = {contact["contact_id"]: contact["contact_no"] for contact in contacts}
    entries: list[list[Any]] = []
    for message in messages:
        at = message["sent_at"]
        number = numbers.get(message["contact_id"], 0)
        while markers and (markers[0].at, markers[0].contact_no) <= (at, number):
            marker = markers.pop(0)
            entries.append([NOTIFICATION, local(marker.at), marker.text])
        entries.append(_entry(message, local(at)))
    entries.extend([NOTIFICATION, local(marker.at), marker.text] for marker in markers)
    return ",".join(
        json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries
    )


def _entry(message: Row, at: str) -> list[Any]:
    code = (
        NOTIFICATION
        if message["is_private"]
        else _code(message["author_kind"], message["content_type"])
    )
    body = message["body"] or ""
    if code in (OPERATOR_TEXT, VISITOR_TEXT):
        return [code, at, body, epoch_milliseconds(message["sent_at"])]
    return [code, at, body]


def _code(author_kind: str | None, content_type: str | None) -> int:
    kind = (content_type or "text").lower()
    if author_kind not in ("visitor", "agent", "bot"):
        return NOTIFICATION
    if kind in LINK_TYPES:
        return LINK
    is_text = kind == "text" or kind.startswith("text/")
    if author_kind == "visitor":
        return VISITOR_TEXT if is_text else VISITOR_RICH
    return OPERATOR_TEXT if is_text else OPERATOR_RICH


def epoch_milliseconds(at: datetime) -> int:
    """Milliseconds since 1970 of a UTC moment without a zone."""
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)


def _markers(
    messages: Sequence[Row], contacts: Sequence[Row], transfers: Sequence[Row]
) -> list[_Marker]:
    by_id = {contact["contact_id"]: contact for contact in contacts}
    # Of each contact, the moments at which its own log says that it was handed over.
    logged: dict[str, list[datetime]] = {}
    for message in messages:
        if message["author_kind"] == "system" and message["body"] == TRANSFER:
            logged.setdefault(message["contact_id"], []).append(message["sent_at"])
    made: list[_Marker] = []
    for number, transfer in enumerate(transfers):
        if not transfer["is_completed"]:
            continue
        asked = by_id.get(transfer["from_contact_id"] or "")
        opened = by_id.get(transfer["to_contact_id"] or "")
        # Behind what the contact that hands over says in that same moment.
        contact_no = asked["contact_no"] + 1 if asked else 0
        moments = logged.get(transfer["from_contact_id"] or "", [])
        if moments:
            at = moments.pop(0)
        else:
            at = transfer["requested_at"]
            made.append(_Marker(at, contact_no, number * 2, TRANSFER))
        taker = transfer["to_agent_id"]
        if opened:
            # Who takes over is said behind the hand-over, whatever the clocks of two logs say.
            at, contact_no = max(at, opened["started_at"]), opened["contact_no"]
            taker = opened["agent_id"]
        text = f"{TAKEOVER} {taker}" if taker else TAKEOVER
        made.append(_Marker(at, contact_no, number * 2 + 1, text))
    made.extend(_closing(messages, contacts, by_id))
    made.sort(key=lambda marker: (marker.at, marker.order))
    return made


def _closing(
    messages: Sequence[Row], contacts: Sequence[Row], by_id: dict[str, Row]
) -> list[_Marker]:
    """The end of the last contact, where the log of messages does not hold it."""
    last = max(contacts, key=lambda contact: contact["ended_at"] or datetime.max, default=None)
    if last is None or last["ended_at"] is None or last["end_reason"] != "close":
        return []
    for message in messages:
        if (
            message["author_kind"] == "system"
            and message["body"] == CLOSE
            and message["contact_id"] == last["contact_id"]
        ):
            return []
    return [_Marker(last["ended_at"], len(by_id) + 1, 1_000_000_000, CLOSE)]
