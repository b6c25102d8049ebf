"""The document of a conversation: the platform's fields, and everything that centralises it.

Belongs here: fetching the rows of some conversations in a fixed number of queries, and putting
them together. Does not belong here: which conversations, paging, HTTP.

Ids are text, verbatim, in every field: some sources write `0044123` or `a-7`, and a field that is a
number for one conversation and a text for the next is harder to read than one that is always a
text. Where the registry says that a source's ids are numbers, its whole ones are answered as such.
What the logs cannot tell is null (see UNKNOWN_FIELDS).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from serving.api import history
from serving.api.aliases import Alias, aliases
from serving.api.clock import Clock
from serving.api.numbering import Document, with_numbers
from serving.queries.ids import Key, each_of
from serving.snapshot import Row, Snapshot

# The platform's fields that no log of this warehouse holds.
UNKNOWN_FIELDS = ("waiting_list", "waitinglist", "page_type", "history_link", "xmpp_id")
# Those that a log of contacts may have as a column of its own.
LOGGED = ("skill_id", "rule_id")
FROM_THE_LOG = "Nothing has one where no log of contacts has a column of that name."
# So many conversations are looked up; more are asked for in a query.
MOST_LOOKED_UP = 8
# As many conversations may start in one moment before they are told apart in the query.
MOST_NEIGHBOURS = 8
RESPONDENT_TYPES = {"human": "professional", "expert": "expert", "bot": "bot", "system": "system"}

_CONVERSATION = (
    "conversation_id, source, visitor_id, project_id, channel, language, time_zone, started_at,"
    " closed_at, is_closed, is_waiting, close_reason, contact_count, missing_contact_count,"
    " transfer_count, transfer_request_count, last_agent_id, agent_path, automation_level,"
    " is_answered, is_answered_by_human, csat_score, nps_score, transaction_count, refund_count,"
    " transaction_amount, currency, changed_at"
)
_CONTACT = (
    "conversation_id, contact_id, contact_no, agent_id, agent_kind, group_id, tags,"
    " conversation_ref, started_at, answered_at, ended_at, end_reason, is_open, is_answered,"
    " is_transferred_in, is_transferred_out, transfer_wait_seconds, duration_seconds,"
    " first_reply_seconds, messages_sent_count, messages_received_count, first_loaded_at"
)
_TRANSFER = (
    "conversation_id, transfer_id, from_contact_id, to_contact_id, from_agent_id, to_agent_id,"
    " from_agent_kind, to_agent_kind, requested_at, kind, target_kind, target_id, outcome,"
    " wait_seconds, is_completed, is_rejected_link, rejection_reason"
)
_MESSAGE = (
    "conversation_id, message_id, contact_id, message_no, sent_at, author_kind, author_id, body,"
    " content_type, is_private"
)
_RATING = (
    "conversation_id, rating_id, contact_id, question, answered_at, score, comment, is_counted"
)
_TRANSACTION = (
    "conversation_id, transaction_id, contact_id, visitor_id, occurred_at, amount, currency,"
    " credited_contact_id, credited_agent_id"
)


def link(conversation_id: str) -> str:
    """The address of a conversation, relative to `/api/2`."""
    return f"/conversation/{quote(conversation_id, safe=':')}"


def has_extra(snapshot: Snapshot) -> bool:
    """Whether a conversation carries the columns of its log that the contract does not know."""
    rows = snapshot.rows("select column_name from (describe select * from marts.conversations)")
    return any(row["column_name"] == "extra" for row in rows)


def documents(snapshot: Snapshot, clock: Clock, keys: Sequence[Key]) -> list[Document]:
    """The documents of some conversations, in the order of the keys.

    The number of queries does not depend on how many there are.
    """
    if not keys:
        return []
    few = len(keys) <= MOST_LOOKED_UP and snapshot.once(_most_neighbours) <= MOST_NEIGHBOURS
    ask = snapshot.look_up if few else snapshot.rows
    place = _moments if few else _places
    columns = _CONVERSATION + (", extra" if snapshot.once(has_extra) else ", null as extra")
    found = {
        row["conversation_id"]: row
        for row in ask(*place(f"select {columns} from marts.conversations", "started_at", keys))
    }

    def parts(
        table: str, columns: str, *order: str, of: Callable[[Row], object] = bool
    ) -> dict[str, list[Row]]:
        # Many conversations have none: where what is at hand says so, a query is saved.
        those = [key for key in keys if of(found[key.conversation_id])]
        by_id: dict[str, list[Row]] = defaultdict(list)
        if not those:
            return by_id
        select = f"select {columns} from marts.{table}"
        for row in ask(*place(select, "conversation_started_at", those)):
            by_id[row["conversation_id"]].append(row)
        for rows in by_id.values():
            # Sorted here: a query that sorts costs more than the rows of a page.
            rows.sort(key=lambda row: [(row[name] is not None, row[name]) for name in order])
        return by_id

    contacts = parts("contacts", _CONTACT, "contact_no")
    ratings = parts("ratings", _RATING, "answered_at", "rating_id")
    # What the software alone said is no fact of a conversation, and shown all the same.
    has_messages = snapshot.once(_has_messages)
    messages = parts("messages", _MESSAGE, "message_no", of=lambda row: has_messages)
    transfers = parts(
        "transfers",
        _TRANSFER,
        "requested_at",
        "transfer_id",
        of=lambda row: row["transfer_request_count"],
    )
    has_free = snapshot.once(_has_free_transactions)
    transactions = parts(
        "transactions",
        _TRANSACTION,
        "occurred_at",
        "transaction_id",
        # A transaction of nothing is counted nowhere, and shown all the same.
        of=lambda row: row["transaction_count"] or row["refund_count"] or has_free,
    )
    other_ids = aliases(snapshot)
    made = (
        _document(
            clock,
            found[key.conversation_id],
            contacts.get(key.conversation_id, []),
            transfers.get(key.conversation_id, []),
            messages.get(key.conversation_id, []),
            ratings.get(key.conversation_id, []),
            transactions.get(key.conversation_id, []),
            other_ids.get(key.conversation_id, ()),
        )
        for key in keys
    )
    return [with_numbers(snapshot, document) for document in made]


def _moments(select: str, moment: str, keys: Sequence[Key]) -> tuple[str, dict[str, Any]]:
    """A query for everything that starts when one of a few conversations does, and its values.

    Comparing ids costs a third of a look-up. Where conversations that start in the same moment are
    few, all of them are read and the others left.
    """
    return each_of(select, moment, list({key.started_at: None for key in keys}))


def _places(select: str, moment: str, keys: Sequence[Key]) -> tuple[str, dict[str, Any]]:
    """A query for some conversations or their parts, and its values.

    The tables' own order finds the rows; the bounds say where to look.
    """
    return (
        f"{select} where {moment} >= $first and {moment} <= $last"
        f" and {moment} in (select unnest(cast($moments as timestamp[])))"
        " and conversation_id in (select unnest(cast($ids as varchar[])))",
        {
            "first": min(key.started_at for key in keys),
            "last": max(key.started_at for key in keys),
            "moments": list({key.started_at for key in keys}),
            "ids": [key.conversation_id for key in keys],
        },
    )


def _has_messages(snapshot: Snapshot) -> bool:
    """Whether any log of messages was delivered."""
    return snapshot.row("select 1 as found from marts.messages limit 1") is not None


def _has_free_transactions(snapshot: Snapshot) -> bool:
    """Whether any transaction has an amount of nothing."""
    found = snapshot.row("select 1 as found from marts.transactions where amount = 0 limit 1")
    return found is not None


def _most_neighbours(snapshot: Snapshot) -> int:
    """How many conversations start in one moment at most."""
    return int(
        snapshot.value(
            "select coalesce(max(conversations), 0) from ("
            "select count(*) as conversations from marts.conversations group by started_at)"
        )
    )


def _document(
    clock: Clock,
    row: Row,
    contacts: Sequence[Row],
    transfers: Sequence[Row],
    messages: Sequence[Row],
    ratings: Sequence[Row],
    transactions: Sequence[Row],
    other_ids: Iterable[Alias],
) -> Document:
    extra = _extra(row["extra"])
    known = {
        "id": row["conversation_id"],
        "_link": link(row["conversation_id"]),
        "channel": row["channel"],
        "visitor_uid": row["visitor_id"],
        "visitor_id": row["visitor_id"],
        "website_id": row["project_id"],
        "operator_id": row["last_agent_id"],
        "operator_ids": list(dict.fromkeys(row["agent_path"] or [])),
        "created_at": clock.shown(row["started_at"]),
        "closed_at": clock.shown(row["closed_at"]) if row["closed_at"] else None,
        "operator_answered": bool(row["is_answered"]),
        "operator_answer": bool(row["is_answered"]),
        "operator_closed": row["close_reason"] == "close",
        "tag_list": _tags(contacts),
        "history": history.encode(messages, contacts, transfers, clock.shown),
    }
    return {
        **known,
        **dict.fromkeys(UNKNOWN_FIELDS),
        **{name: _text(extra.get(name)) for name in LOGGED},
        "source": row["source"],
        "language": row["language"],
        "time_zone": row["time_zone"],
        "started_at": iso(row["started_at"]),
        "ended_at": iso(row["closed_at"]),
        "changed_at": iso(row["changed_at"]),
        "is_open": not row["is_closed"] and not row["is_waiting"],
        "is_waiting": row["is_waiting"],
        "close_reason": row["close_reason"],
        "answered_by_human": bool(row["is_answered_by_human"]),
        "automation_level": row["automation_level"],
        "operator_path": list(row["agent_path"] or []),
        "contact_count": row["contact_count"],
        "missing_contact_count": row["missing_contact_count"],
        "transfer_count": row["transfer_count"],
        "transfer_request_count": row["transfer_request_count"],
        "contacts": [_contact(contact) for contact in contacts],
        "transfers": [_transfer(transfer) for transfer in transfers],
        "messages": [_message(message) for message in messages],
        "satisfaction": {
            "csat_score": number(row["csat_score"]),
            "nps_score": number(row["nps_score"]),
            "answers": [_rating(rating) for rating in ratings],
        },
        "transaction_count": row["transaction_count"],
        "refund_count": row["refund_count"],
        "transaction_amount": number(row["transaction_amount"]),
        "currency": row["currency"],
        "transactions": [_transaction(transaction) for transaction in transactions],
        "aliases": _aliases(contacts, other_ids),
    }


def _extra(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def iso(at: datetime | None) -> str | None:
    """A UTC moment as ISO 8601 with `Z`; None stays None."""
    return None if at is None else at.isoformat() + "Z"


def number(value: float | Decimal | None) -> float | int | None:
    """A number as JSON has them: whole ones without a fraction, none for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(value)


def _tags(contacts: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(tag for contact in contacts for tag in contact["tags"] or ()))


def _contact(row: Row) -> Document:
    return {
        "contact_id": row["contact_id"],
        "seq": row["contact_no"],
        "operator_id": row["agent_id"],
        "respondent_type": RESPONDENT_TYPES.get(row["agent_kind"]),
        "agent_kind": row["agent_kind"],
        "group_id": row["group_id"],
        "started_at": iso(row["started_at"]),
        "answered_at": iso(row["answered_at"]),
        "ended_at": iso(row["ended_at"]),
        "end_reason": row["end_reason"],
        "is_open": bool(row["is_open"]),
        "answered": bool(row["is_answered"]),
        "transferred_in": bool(row["is_transferred_in"]),
        "transferred_out": bool(row["is_transferred_out"]),
        "transfer_wait_seconds": number(row["transfer_wait_seconds"]),
        "duration_seconds": number(row["duration_seconds"]),
        "first_reply_seconds": number(row["first_reply_seconds"]),
        "sent_message_number": row["messages_sent_count"],
        "received_message_number": row["messages_received_count"],
        "tag_list": _tags([row]),
        "conversation_ref": row["conversation_ref"],
    }


def _transfer(row: Row) -> Document:
    return {
        "transfer_id": row["transfer_id"],
        "from_contact_id": row["from_contact_id"],
        "to_contact_id": row["to_contact_id"],
        "from_operator_id": row["from_agent_id"],
        "to_operator_id": row["to_agent_id"],
        "from_agent_kind": row["from_agent_kind"],
        "to_agent_kind": row["to_agent_kind"],
        "requested_at": iso(row["requested_at"]),
        "kind": row["kind"],
        "target_kind": row["target_kind"],
        "target_id": row["target_id"],
        "outcome": row["outcome"],
        "wait_seconds": number(row["wait_seconds"]),
        "is_rejected_link": bool(row["is_rejected_link"]),
        "rejection_reason": row["rejection_reason"],
    }


def _message(row: Row) -> Document:
    return {
        "message_id": row["message_id"],
        "seq": row["message_no"],
        "contact_id": row["contact_id"],
        "sent_at": iso(row["sent_at"]),
        "author_kind": row["author_kind"],
        "author_id": row["author_id"],
        "body": row["body"],
        "content_type": row["content_type"],
        "is_private": row["is_private"],
    }


def _rating(row: Row) -> Document:
    return {
        "rating_id": row["rating_id"],
        "contact_id": row["contact_id"],
        "question": row["question"],
        "score": number(row["score"]),
        "comment": row["comment"],
        "answered_at": iso(row["answered_at"]),
        "is_counted": bool(row["is_counted"]),
    }


def _transaction(row: Row) -> Document:
    return {
        "transaction_id": row["transaction_id"],
        "contact_id": row["contact_id"],
        "visitor_uid": row["visitor_id"],
        "occurred_at": iso(row["occurred_at"]),
        "amount": number(row["amount"]),
        "currency": row["currency"],
        "credited_contact_id": row["credited_contact_id"],
        "credited_operator_id": row["credited_agent_id"],
    }


def _aliases(contacts: Iterable[Row], other_ids: Iterable[Alias]) -> list[Document]:
    found = [
        {
            "id": contact["contact_id"],
            "kind": "contact",
            "since": iso(contact["first_loaded_at"]),
            "reason": "contact",
        }
        for contact in contacts
    ]
    found.extend(
        {"id": other.id, "kind": other.kind, "since": iso(other.since), "reason": other.reason}
        for other in other_ids
    )
    return found
