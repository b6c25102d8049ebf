"""What changed: conversations and merges, in the order in which they did, read with a cursor.

Belongs here: the order, the cursor, what an item holds. Does not belong here: the conversations
themselves, HTTP.

A conversation stands where it changed last, at the moment of the load that changed it; a merge
stands where it was found. Loads reach a published version whole and one after the other, so a later
version only adds behind what was there: whoever reads to the end and keeps the cursor misses
nothing and gets nothing twice.

One case needs care: a merge without a load of its own, from a change of the link policy, bears the
moment of the newest load, which may have been read already. So merges stand behind the
conversations of the same moment, and a cursor that ends within a moment's merges gives that
moment's merges again when the version has changed since.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serving.api.document import Document, iso, link
from serving.api.parameters import Parameters, invalid
from serving.snapshot import Row, Snapshot

CONVERSATION, MERGE = 0, 1
LONGEST_CURSOR = 4000
_FORMAT = 1
_EPOCH = datetime(1970, 1, 1)
_LAST_MICROSECOND = 9_000 * 365 * 86_400 * 1_000_000


@dataclass(frozen=True)
class Cursor:
    """A place in the order of changes: everything up to and including it has been read.

    Attributes:
        version: the data version in which it was read.
        at: the moment, in microseconds since 1970.
        kind: CONVERSATION or MERGE.
        id: the conversation, or the old id of the merge.
        new_id: the new id of the merge, else empty.
    """

    version: str = ""
    at: int = 0
    kind: int = CONVERSATION
    id: str = ""
    new_id: str = ""

    def encoded(self) -> str:
        """The text that a client keeps."""
        content = [_FORMAT, self.version, self.at, self.kind, self.id, self.new_id]
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Cursor:
        """A cursor out of the text of an earlier answer.

        Raises:
            RefusedError: it is none.
        """
        try:
            decoded = base64.b64decode(
                text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True
            )
            content = json.loads(decoded)
            if not isinstance(content, list):
                raise ValueError
            number, version, at, kind, id, new_id = content
            if (
                [type(each) for each in content] != [int, str, int, int, str, str]
                or number != _FORMAT
                or kind not in (CONVERSATION, MERGE)
                or not 0 <= at <= _LAST_MICROSECOND
            ):
                raise ValueError
            "".join((version, id, new_id)).encode()
        except (ValueError, TypeError, binascii.Error, RecursionError):
            raise invalid(
                "since", "Give the cursor of an earlier answer, or leave it out to start."
            ) from None
        return cls(version, at, kind, id, new_id)

    def position(self, version: str) -> Cursor:
        """Where to read on in a version."""
        if self.kind == MERGE and self.version != version:
            return Cursor(self.version, self.at, MERGE)
        return self


@dataclass(frozen=True)
class Changes:
    """Some changes.

    Attributes:
        items: of type `conversation` or `merge`.
        pagination: the limit, the cursor to go on with, and whether there is more now.
    """

    items: list[Document]
    pagination: dict[str, Any]


def changes(snapshot: Snapshot, parameters: Parameters) -> Changes:
    """What changed behind a cursor, the earliest first.

    Raises:
        RefusedError: the cursor or the limit cannot be taken.
    """
    limit = parameters.limit()
    given = parameters.plain("since", longest=LONGEST_CURSOR)
    since = Cursor.read(given) if given else Cursor()
    position = since.position(snapshot.version)
    rows = snapshot.rows(
        "with changes as ("
        " select changed_at as moment, 0 as kind, conversation_id as id, '' as new_id, source,"
        " null as evidence, null as transfer_id"
        " from marts.conversations where changed_at >= $at"
        " union all"
        " select merged_at, 1, old_conversation_id, new_conversation_id, source,"
        " evidence, transfer_id from marts.conversation_merges where merged_at >= $at)"
        " select * from changes"
        " where moment > $at or (moment = $at and (kind > $kind or (kind = $kind"
        " and (id > $id or (id = $id and new_id > $new_id)))))"
        " order by moment, kind, id, new_id limit $limit",
        {
            "at": _EPOCH + timedelta(microseconds=position.at),
            "kind": position.kind,
            "id": position.id,
            "new_id": position.new_id,
            "limit": limit + 1,
        },
    )
    has_more = len(rows) > limit
    read = rows[:limit]
    last = since
    if read:
        row = read[-1]
        last = Cursor(
            snapshot.version,
            (row["moment"] - _EPOCH) // timedelta(microseconds=1),
            row["kind"],
            row["id"],
            row["new_id"],
        )
    return Changes(
        [_item(row) for row in read],
        {"limit": limit, "next": last.encoded(), "has_more": has_more},
    )


def _item(row: Row) -> Document:
    if row["kind"] == CONVERSATION:
        return {
            "type": "conversation",
            "id": row["id"],
            "source": row["source"],
            "changed_at": iso(row["moment"]),
            "_link": link(row["id"]),
        }
    return {
        "type": "merge",
        "old_id": row["id"],
        "new_id": row["new_id"],
        "source": row["source"],
        "merged_at": iso(row["moment"]),
        "evidence": row["evidence"],
        "transfer_id": row["transfer_id"],
        "_link": link(row["new_id"]),
    }
