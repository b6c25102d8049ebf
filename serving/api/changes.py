"""What changed: conversations and merges, in the order in which they did, read with a cursor.

Belongs here: the order, the cursor, what an item holds. Does not belong here: the conversations
themselves, HTTP.

A conversation stands where it changed last, at the number of the publication that showed that
change first; a merge at that of the publication that showed it. Numbers of publications go up,
whatever the clock does, also after a restored backup: a later version only adds behind what was
there. Whoever reads to the end and keeps the cursor misses nothing and gets nothing twice.

Cursors of the first form say a moment instead of a number. What was not read of them is found by
the moment, and read again from the start of the publication that it is in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serving.api.document import iso, link
from serving.api.numbering import Document
from serving.api.parameters import DEFAULT_LIMIT, LIMIT, Parameters, invalid
from serving.parameters import Parameter, text
from serving.queries.tokens import packed, unpacked
from serving.snapshot import Row, Snapshot

CONVERSATION, MERGE = 0, 1
LONGEST_CURSOR = 4000
PARAMETERS = (
    Parameter(
        "since",
        text(LONGEST_CURSOR),
        "The cursor of an earlier answer; from the beginning when left out.",
    ),
    LIMIT,
)
_FORMAT = 2
_EPOCH = datetime(1970, 1, 1)
_LAST_MICROSECOND = 9_000 * 365 * 86_400 * 1_000_000
_LAST_PUBLICATION = 2**62


@dataclass(frozen=True)
class Cursor:
    """A place in the order of changes: everything up to and including it has been read.

    Attributes:
        publication: the number of the publication; None of a cursor of the first form.
        at: the moment, in microseconds since 1970.
        kind: CONVERSATION or MERGE.
        id: the conversation, or the old id of the merge.
        new_id: the new id of the merge, else empty.
    """

    publication: int | None = 0
    at: int = 0
    kind: int = CONVERSATION
    id: str = ""
    new_id: str = ""

    def encoded(self) -> str:
        """The text that a client keeps."""
        content = [_FORMAT, self.publication, self.at, self.kind, self.id, self.new_id]
        return packed(content)

    @classmethod
    def read(cls, text: str) -> Cursor:
        """A cursor out of the text of an earlier answer.

        Raises:
            RefusedError: it is none.
        """
        try:
            content = unpacked(text)
            number, place, at, kind, id, new_id = content
            # The first form has the data version in the place of the publication.
            place_type = {1: str, _FORMAT: int}.get(number) if type(number) is int else None
            if (
                [type(each) for each in content] != [int, place_type, int, int, str, str]
                or kind not in (CONVERSATION, MERGE)
                or not 0 <= at <= _LAST_MICROSECOND
                or (number == _FORMAT and not 0 <= place <= _LAST_PUBLICATION)
            ):
                raise ValueError
            "".join((id, new_id)).encode()
        except (ValueError, TypeError):
            raise invalid(
                "since", "Give the cursor of an earlier answer, or leave it out to start."
            ) from None
        return cls(place if number == _FORMAT else None, at, kind, id, new_id)

    def position(self, snapshot: Snapshot) -> Cursor:
        """Where to read on: of a cursor of the first form, before everything that it may lack."""
        if self.publication is not None:
            return self
        moment = _EPOCH + timedelta(microseconds=self.at)
        # What bears its moment was shown by the publication in which it was read, so what older
        # publications show was read too, but for what is later on the clock.
        found = snapshot.row(
            f"select min(publication) as publication, bool_or(moment = $at) as is_known"
            f" from ({_CHANGES}) where moment >= $at",
            {"at": moment},
        )
        if found is None or not found["is_known"]:
            return Cursor()
        return Cursor(found["publication"])


_CHANGES = (
    "select changed_publication_no as publication, changed_at as moment, 0 as kind,"
    " conversation_id as id, '' as new_id, source, null as evidence, null as transfer_id"
    " from marts.conversations"
    " union all"
    " select publication_no, merged_at, 1, old_conversation_id, new_conversation_id, source,"
    " evidence, transfer_id from marts.conversation_merges"
)


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
    limit = parameters.option("limit", DEFAULT_LIMIT)
    given = parameters.option("since")
    since = Cursor.read(given) if given else Cursor()
    position = since.position(snapshot)
    rows = snapshot.rows(
        f"select * from ({_CHANGES}) where publication >= $publication"
        " and (publication, moment, kind, id, new_id) > ($publication, $at, $kind, $id, $new_id)"
        " order by publication, moment, kind, id, new_id limit $limit",
        {
            "publication": position.publication,
            "at": _EPOCH + timedelta(microseconds=position.at),
            "kind": position.kind,
            "id": position.id,
            "new_id": position.new_id,
            "limit": limit + 1,
        },
    )
    has_more = len(rows) > limit
    read = rows[:limit]
    last = position
    if read:
        row = read[-1]
        last = Cursor(
            row["publication"],
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
