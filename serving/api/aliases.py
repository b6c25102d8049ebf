"""The ids that lead to a conversation without being its own or a contact's.

Belongs here: former conversation ids and missing contacts, by conversation. Does not belong here:
resolving an id (`serving.queries.ids`).

marts.conversation_ids lies in the order of the ids, so asking it by conversation reads all of it.
Former ids and missing contacts are few beside the conversations: they are read once per version and
kept, for as long as the version is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from serving.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Alias:
    """Another id of a conversation.

    Attributes:
        id: the id.
        kind: `former_conversation` or `missing_contact`.
        since: since when it leads there, in UTC.
        reason: `merged`, `named_by_link` or `named_by_former_link`.
    """

    id: str
    kind: str
    since: datetime | None
    reason: str


def aliases(snapshot: Snapshot) -> Mapping[str, tuple[Alias, ...]]:
    """Former ids and missing contacts by current conversation id, in the order of kind and id."""
    return snapshot.once(_aliases)


def _aliases(snapshot: Snapshot) -> Mapping[str, tuple[Alias, ...]]:
    found: dict[str, tuple[Alias, ...]] = {}
    for row in snapshot.rows(
        "select conversation_id, id, id_kind, since, reason from marts.conversation_ids"
        " where id_kind in ('former_conversation', 'missing_contact') order by id_kind, id"
    ):
        made = Alias(row["id"], row["id_kind"], row["since"], row["reason"])
        found[row["conversation_id"]] = (*found.get(row["conversation_id"], ()), made)
    return found
