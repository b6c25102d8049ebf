"""Which conversation an id leads to, and which ids led to it before.

Belongs here: ids of any kind and where they lead. Does not belong here: what a conversation holds
(`conversation`), addresses (`serving.web`).

Tables lie in the order of (conversation_started_at, conversation_id), so a look-up by both reads
one place whatever the size of the snapshot; that pair is a `Key`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.snapshot import Row, Snapshot

MOST_HASHES = 200
# What an id is called by comes before what it merely belongs to: a conversation's own address leads
# to that conversation, whatever another source calls its contacts.
KIND_ORDER = ("conversation", "former_conversation", "contact", "missing_contact")


@dataclass(frozen=True)
class Key:
    """Where a conversation lies.

    Attributes:
        conversation_id: the current id.
        started_at: its start, in UTC.
    """

    conversation_id: str
    started_at: datetime

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters `$started_at` and `$conversation_id`."""
        return {"started_at": self.started_at, "conversation_id": self.conversation_id}


@dataclass(frozen=True)
class Match:
    """What an id is, and where it leads.

    Attributes:
        id: the id that was asked for.
        kind: `conversation`, `former_conversation`, `contact` or `missing_contact`.
        source: the source in which it is known.
        key: the current conversation.
        since: since when it leads there, in UTC.
        reason: `current`, `merged`, `contact`, `named_by_link` or `named_by_former_link`.
    """

    id: str
    kind: str
    source: str
    key: Key
    since: datetime
    reason: str


def resolve(snapshot: Snapshot, id: str, source: str = "") -> list[Match]:
    """The conversations that an id leads to.

    Args:
        snapshot: where to look.
        id: a conversation id of any time, a contact id, or the id of a missing contact.
        source: only within this source; within all when empty.

    Returns:
        One match per conversation, in the order of KIND_ORDER and of the sources; none for an
        unknown id. Several when sources give the same id to different contacts; a current
        conversation id leads to that conversation alone.
    """
    return resolve_many(snapshot, [(id, source)])[0]


def resolve_many(snapshot: Snapshot, ids: Sequence[tuple[str, str]]) -> list[list[Match]]:
    """What `resolve` gives for each (id, source), at the cost of little more than one."""
    # Comparing texts costs a quarter of a look-up, and few ids, mostly none, share a hash.
    rows = snapshot.look_up(
        *each_of(
            "select id, id_kind, source, conversation_id, conversation_started_at, since, reason"
            " from marts.conversation_ids",
            "id_hash",
            list({_hash(id): None for id, _ in ids}),
        )
    )
    return [_matches(rows, id, source) for id, source in ids]


def _matches(rows: Sequence[Row], id: str, source: str) -> list[Match]:
    mine = [row for row in rows if row["id"] == id and source in ("", row["source"])]
    mine.sort(key=lambda row: (KIND_ORDER.index(row["id_kind"]), row["source"]))
    found: dict[str, Match] = {}
    for row in mine:
        match = Match(
            id=id,
            kind=row["id_kind"],
            source=row["source"],
            key=Key(row["conversation_id"], row["conversation_started_at"]),
            since=row["since"],
            reason=row["reason"],
        )
        if match.kind == "conversation":
            return [match]
        found.setdefault(match.key.conversation_id, match)
    return list(found.values())


def former_ids(snapshot: Snapshot, key: Key, source: str, contact_ids: Sequence[str]) -> list[Row]:
    """The ids that the conversation had before, with what joined them.

    A conversation's id is its source and its anchor contact's id, so a former id names one of its
    contacts. Looking those up by their hash reads a few places; looking for the conversation would
    read the whole table.

    Args:
        snapshot: where to look.
        key: the conversation.
        source: its source.
        contact_ids: its contacts.

    Returns:
        id, since, merged_into, evidence and transfer_id, in the order in which they were merged.
        The last three are null where no merge is recorded.
    """
    candidates = [f"{source}:{contact_id}" for contact_id in contact_ids]
    candidates = [each for each in candidates if each != key.conversation_id]
    found: list[Row] = []
    for start in range(0, len(candidates), MOST_HASHES):
        part = candidates[start : start + MOST_HASHES]
        hashes = {f"hash_{number}": _hash(id) for number, id in enumerate(part)}
        found += snapshot.rows(
            "select id, since from marts.conversation_ids"
            f" where id_hash in ({', '.join('$' + name for name in hashes)})"
            " and id_kind = 'former_conversation' and id in (select unnest($ids))"
            " and conversation_id = $conversation_id",
            {**hashes, "ids": part, "conversation_id": key.conversation_id},
        )
    if not found:
        return []
    merges = {
        row["old_conversation_id"]: row
        for row in snapshot.rows(
            "select * from marts.conversation_merges"
            " where old_conversation_id in (select unnest($ids)) order by merged_at",
            {"ids": [row["id"] for row in found]},
        )
    }
    for row in found:
        merge = merges.get(row["id"], {})
        row["merged_into"] = merge.get("new_conversation_id")
        row["evidence"] = merge.get("evidence")
        row["transfer_id"] = merge.get("transfer_id")
    return sorted(found, key=lambda row: (row["since"], row["id"]))


def _hash(id: str) -> int:
    """What `serving.filters.ID_HASH` computes."""
    return int(hashlib.md5(id.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def each_of(select: str, column: str, values: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """A query for the rows that have one of a few values in a column, and its parameters' values.

    Args:
        select: a query without a condition.
        column: the column that its table is ordered by.
        values: at least one, each once. Every number of values is another text to parse.
    """
    # Not `in`: with it DuckDB reads every column of a block of rows before it looks at the value.
    named = {f"value_{number}": value for number, value in enumerate(values)}
    return " union all ".join(f"{select} where {column} = ${name}" for name in named), named
