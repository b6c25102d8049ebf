"""One conversation and its parts, and which conversation an id leads to.

Belongs here: the look-ups by id that the detail page and the REST resource share, and the names of
respondents, groups and projects. Does not belong here: lists of conversations (`filters`), HTML.

Tables lie in the order of (conversation_started_at, conversation_id), so a look-up by both reads
one place whatever the size of the snapshot; that pair is a `Key`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from serving.snapshot import Row, Snapshot

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
        reason: `current`, `merged`, `contact` or `named_by_link`.
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


@dataclass(frozen=True)
class Directory:
    """The names of one snapshot; every id is within a source.

    Attributes:
        agents: rows of marts.agents that hold now, by (source, agent_id).
        groups: names by (source, group_id).
        projects: rows of marts.projects by (source, project_id).
    """

    agents: Mapping[tuple[str, str], Row] = field(default_factory=dict)
    groups: Mapping[tuple[str, str], str] = field(default_factory=dict)
    projects: Mapping[tuple[str, str], Row] = field(default_factory=dict)

    def agent(self, source: str | None, agent_id: str | None) -> str:
        """The display name of a respondent; the id when it has none, empty without an id."""
        if not agent_id:
            return ""
        known = self.agents.get((source or "", agent_id))
        return (known and known["display_name"]) or agent_id

    def agent_kind(self, source: str | None, agent_id: str | None) -> str | None:
        """The kind of a respondent that the agents' log knows."""
        known = self.agents.get((source or "", agent_id or ""))
        return known["agent_kind"] if known else None

    def group(self, source: str | None, group_id: str | None) -> str:
        """The name of a group; the id when it has none, empty without an id."""
        return self.groups.get((source or "", group_id or "")) or group_id or ""

    def project(self, source: str | None, project_id: str | None) -> str:
        """The name of a project; the id when it has none, empty without an id."""
        known = self.projects.get((source or "", project_id or ""))
        return (known and known["project_name"]) or project_id or ""


def directory(snapshot: Snapshot) -> Directory:
    """The names of a snapshot, read once per version."""
    return snapshot.once(_directory)


def _directory(snapshot: Snapshot) -> Directory:
    agents: dict[tuple[str, str], Row] = {}
    groups: dict[tuple[str, str], str] = {}
    # What holds now comes last and stays; a group that nobody is in any more keeps its last name.
    for row in snapshot.rows(
        "select source, agent_id, agent_kind, display_name, group_id, group_name"
        " from marts.agents order by is_current, source, agent_id, valid_from nulls first"
    ):
        agents[row["source"], row["agent_id"]] = row
        if row["group_id"] and row["group_name"]:
            groups[row["source"], row["group_id"]] = row["group_name"]
    projects = {
        (row["source"], row["project_id"]): row
        for row in snapshot.rows("select * from marts.projects")
    }
    return Directory(agents, groups, projects)


MOST_HASHES = 200


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
    """What `filters.ID_HASH` computes."""
    return int(hashlib.md5(id.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def findings(snapshot: Snapshot, key: Key) -> list[Row]:
    """The rows of marts.graph_quality about the conversation."""
    return snapshot.rows(
        "select code, contact_id, transfer_id, value from marts.graph_quality"
        " where conversation_id = $conversation_id order by code, contact_id, transfer_id, value",
        {"conversation_id": key.conversation_id},
    )


def address(id: str, source: str = "") -> str:
    """The path of the detail page of an id, whatever it is made of."""
    path = "/conversations/" + quote(id, safe=":")
    return f"{path}?source={quote(source, safe='')}" if source else path


def contact_anchor(contact_id: str) -> str:
    """The name of a contact's place on the page; the same in an address and in the page."""
    return "contact-" + quote(contact_id, safe="")
