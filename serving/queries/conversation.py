"""One conversation and its parts.

Belongs here: the look-ups of one conversation, each of which reads one place. Does not belong here:
which conversation an id leads to (`ids`), lists of conversations (`log`), HTML.
"""

from __future__ import annotations

from serving.queries.ids import Key
from serving.snapshot import Row, Snapshot

_LIES_THERE = "conversation_started_at = $started_at and conversation_id = $conversation_id"


def conversation(snapshot: Snapshot, key: Key) -> Row:
    """The row of marts.conversations.

    Raises:
        LookupError: there is none, which no published snapshot has been seen to do.
    """
    found = snapshot.row(
        "select * from marts.conversations"
        " where started_at = $started_at and conversation_id = $conversation_id",
        key.values,
    )
    if found is None:
        raise LookupError("an id leads to a conversation that is not there")
    return found


# What a reader of one conversation is shown of a contact: a row of all columns takes twice as long.
CONTACT_COLUMNS = """
    contact_id, source, contact_no, agent_id, agent_kind, group_id, tags, started_at, ended_at,
    end_reason, is_open, transfer_wait_seconds, duration_seconds, first_reply_seconds,
    messages_sent_count, messages_received_count, csat_score, transaction_amount, currency
"""


def contacts(snapshot: Snapshot, key: Key) -> list[Row]:
    """CONTACT_COLUMNS of the rows of marts.contacts, in order."""
    return snapshot.look_up(
        f"select {CONTACT_COLUMNS} from marts.contacts where {_LIES_THERE} order by contact_no",
        key.values,
    )


def transfers(snapshot: Snapshot, key: Key) -> list[Row]:
    """The rows of marts.transfers, in the order in which they were asked for."""
    return snapshot.look_up(
        f"select * from marts.transfers where {_LIES_THERE} order by requested_at, transfer_id",
        key.values,
    )


def messages(
    snapshot: Snapshot,
    key: Key,
    after: int = 0,
    limit: int | None = None,
    characters: int | None = None,
) -> list[Row]:
    """The rows of marts.messages, in order.

    Args:
        snapshot: where to look.
        key: the conversation.
        after: only those with a higher message_no.
        limit: at most so many; all when None.
        characters: stop before the bodies add up to more; the first one comes whatever its length.
    """
    return snapshot.look_up(
        "select * exclude (characters_so_far) from (select *, sum(length(body)) over"
        " (order by message_no rows unbounded preceding) as characters_so_far"
        f" from marts.messages where {_LIES_THERE}"
        " and message_no > $after and ($last is null or message_no <= $last))"
        " where $characters is null or message_no = $after + 1"
        " or coalesce(characters_so_far, 0) <= $characters order by message_no",
        {
            **key.values,
            "after": after,
            "last": None if limit is None else after + limit,
            "characters": characters,
        },
    )


def message_times(snapshot: Snapshot, key: Key) -> list[Row]:
    """message_no, contact_id, sent_at and author_kind of every message, in order."""
    return snapshot.look_up(
        "select message_no, contact_id, sent_at, author_kind from marts.messages"
        f" where {_LIES_THERE} order by message_no",
        key.values,
    )


def ratings(snapshot: Snapshot, key: Key) -> list[Row]:
    """The rows of marts.ratings, in the order in which they were given."""
    return snapshot.look_up(
        f"select * from marts.ratings where {_LIES_THERE} order by answered_at, rating_id",
        key.values,
    )


def transactions(snapshot: Snapshot, key: Key) -> list[Row]:
    """The rows of marts.transactions, in order."""
    return snapshot.look_up(
        f"select * from marts.transactions where {_LIES_THERE}"
        " order by occurred_at, transaction_id",
        key.values,
    )


def findings(snapshot: Snapshot, key: Key) -> list[Row]:
    """The rows of marts.graph_quality about the conversation."""
    return snapshot.rows(
        "select code, contact_id, transfer_id, value from marts.graph_quality"
        " where conversation_id = $conversation_id order by code, contact_id, transfer_id, value",
        {"conversation_id": key.conversation_id},
    )
