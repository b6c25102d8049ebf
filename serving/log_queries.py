"""The rows of the conversation log: one page of them, how many there are, where words were found.

Belongs here: sorting, paging and searching. Does not belong here: filters (`filters`), HTML.

Pages are found by the place of their neighbour in the order and not by a number, so that the last
page costs what the first one costs. The mart lies in the order of the opening, so the default order
is read newest first in windows that grow: a common word fills the page out of the first, a rare one
costs one reading of everything.
"""

from __future__ import annotations

import base64
import json
import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from serving import filters
from serving.conversation_queries import Key
from serving.filters import Condition, Filter
from serving.snapshot import Row, Snapshot

SIZES = (25, 50, 100)
ORDERS = ("desc", "asc")
# What a sort looks at. Of equal values and among missing ones the opening decides, then the id.
SORTS = {
    "opened": "conversations.started_at",
    "closed": "conversations.closed_at",
    "contacts": "conversations.contact_count",
    "transfers": "conversations.transfer_count",
    "csat": "conversations.csat_score",
    "amount": "conversations.transaction_amount",
    "duration": "conversations.resolution_seconds",
}
COLUMNS = (
    "conversation_id",
    "source",
    "visitor_id",
    "channel",
    "time_zone",
    "started_at",
    "closed_at",
    "agent_path",
    "contact_count",
    "transfer_count",
    "automation_level",
    "csat_score",
    "transaction_amount",
    "currency",
    "resolution_seconds",
)
WINDOW_ROWS = 20_480
WINDOW_GROWTH = 4
MOST_TAGS = 200
LONGEST_CURSOR = 600
BEFORE_HIT, AFTER_HIT = 50, 110
# Around what was found, in an excerpt; a message cannot hold them there.
HIT_START, HIT_END = "\x02", "\x03"


@dataclass(frozen=True)
class Cursor:
    """A place in the order: a row, which is not part of the page itself.

    Attributes:
        sort, order: the order that it is a place in.
        value: of the column that is sorted by; None when it is missing.
        started_at: of the row.
        conversation_id: of the row.
    """

    sort: str
    order: str
    value: Any
    started_at: datetime
    conversation_id: str

    def to_text(self) -> str:
        """The cursor as an address carries it."""
        value = self.value
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Decimal):
            value = str(value)
        parts = [self.sort, self.order, value, self.started_at.isoformat(), self.conversation_id]
        packed = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")

    @staticmethod
    def read(text: str, sort: str, order: str) -> Cursor | None:
        """The cursor of an address; None when it is none, or one of another order."""
        if len(text) > LONGEST_CURSOR or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
            return None
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            made_sort, made_order, value, started_at, conversation_id = json.loads(packed)
            if (made_sort, made_order) != (sort, order) or not isinstance(conversation_id, str):
                return None
            return Cursor(sort, order, _value(sort, value), _moment(started_at), conversation_id)
        except (ValueError, TypeError, RecursionError, InvalidOperation):
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


@dataclass(frozen=True)
class Page:
    """A page of the log.

    Attributes:
        rows: COLUMNS of each conversation, in order.
        next, previous: where the neighbouring pages begin; None when there is none.
    """

    rows: list[Row]
    next: Cursor | None
    previous: Cursor | None


def find(
    snapshot: Snapshot,
    wanted: Filter,
    *,
    sort: str = "opened",
    order: str = "desc",
    size: int = SIZES[0],
    after: Cursor | None = None,
    before: Cursor | None = None,
) -> Page:
    """A page of the conversations that a filter finds.

    Args:
        snapshot: where to look.
        wanted: which conversations.
        sort: a name in SORTS; missing values come last in both orders.
        order: `asc` or `desc`.
        size: at most so many rows.
        after: the last row of the page before; the first page without it.
        before: the first row of the page behind; looked at when `after` is not given.
    """
    backwards = before is not None and after is None
    place = before if backwards else after
    ascending = (order == "asc") != backwards
    if sort == "opened":
        rows = _in_windows(snapshot, wanted, ascending, place, size + 1)
    else:
        rows = _sorted(snapshot, wanted, sort, ascending, backwards, place, size + 1)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    first, last = (_cursor(row, sort, order) for row in (rows[0], rows[-1]))
    has_next = backwards or more
    has_previous = more if backwards else place is not None
    return Page(rows, last if has_next else None, first if has_previous else None)


def _conditions(snapshot: Snapshot, wanted: Filter, *, windowed: bool = False) -> list[Condition]:
    search = wanted.search(windowed=windowed)
    found = [*wanted.conditions(windowed=windowed), *([search] if search else [])]
    if wanted.id:
        found.append(_places_of_id(snapshot, wanted.id))
    return found


def _places_of_id(snapshot: Snapshot, id: str) -> Condition:
    """Where the conversations of an id lie, so that only those places are read."""
    rows = snapshot.rows(
        "select distinct conversation_started_at as at from marts.conversation_ids"
        f" where id_hash = {filters.ID_HASH} and id = $id and conversation_started_at is not null",
        {"id": id},
    )
    moments = {f"id_at_{number}": row["at"] for number, row in enumerate(rows)}
    if not moments:
        return Condition("false")
    names = ", ".join("$" + name for name in moments)
    return Condition(f"conversations.started_at in ({names})", moments)


def _cursor(row: Row, sort: str, order: str) -> Cursor:
    value = row[SORTS[sort].partition(".")[2]]
    return Cursor(sort, order, value, row["started_at"], row["conversation_id"])


def _in_windows(
    snapshot: Snapshot, wanted: Filter, ascending: bool, place: Cursor | None, most: int
) -> list[Row]:
    direction, beyond = ("asc", ">") if ascending else ("desc", "<")
    conditions = _conditions(snapshot, wanted, windowed=True)
    if place:
        conditions.append(
            Condition(
                f"(conversations.started_at {beyond} $place_at or"
                " (conversations.started_at = $place_at"
                f" and conversations.conversation_id {beyond} $place_id))",
                {"place_at": place.started_at, "place_id": place.conversation_id},
            )
        )
    joined = filters.where(conditions)
    sql = (
        f"select {_columns()} from marts.conversations as conversations"
        f" where {filters.WINDOW.format(column='conversations.started_at')} and {joined.sql}"
        f" order by conversations.started_at {direction},"
        f" conversations.conversation_id {direction} limit $most"
    )
    rows: list[Row] = []
    # An id leads to a place or two by itself.
    bounds = [] if wanted.id else choices(snapshot).bounds
    for start, end in _windows(bounds, ascending, place):
        values = {**joined.values, "window_start": start, "window_end": end}
        rows += snapshot.rows(sql, {**values, "most": most - len(rows)})
        if len(rows) >= most:
            break
    return rows


def _windows(
    bounds: Sequence[datetime], ascending: bool, place: Cursor | None
) -> list[tuple[datetime, datetime]]:
    """Growing windows from the place on, which together hold all that lies beyond it."""
    edges = [datetime.min, *bounds[1:], datetime.max]
    count = len(edges) - 1
    found = []
    step = 1
    if ascending:
        low = max(bisect_right(edges, place.started_at) - 1, 0) if place else 0
        while low < count:
            high = min(low + step, count)
            found.append((edges[low], edges[high]))
            low, step = high, step * WINDOW_GROWTH
    else:
        high = min(bisect_right(edges, place.started_at), count) if place else count
        while high > 0:
            low = max(high - step, 0)
            found.append((edges[low], edges[high]))
            high, step = low, step * WINDOW_GROWTH
    return found


def _sorted(
    snapshot: Snapshot,
    wanted: Filter,
    sort: str,
    ascending: bool,
    backwards: bool,
    place: Cursor | None,
    most: int,
) -> list[Row]:
    column = SORTS[sort]
    direction = "asc" if ascending else "desc"
    nulls = "first" if backwards else "last"
    conditions = _conditions(snapshot, wanted)
    if place:
        conditions.append(_beyond(column, ascending, backwards, place))
    joined = filters.where(conditions)
    order = (
        f" order by conversations.{{0}} {direction} nulls {nulls},"
        f" conversations.started_at {direction}, conversations.conversation_id {direction}"
    ).format(column.partition(".")[2])
    # The rows are chosen by the few columns that the order needs, and only those read as a whole.
    return snapshot.rows(
        f"select {_columns()} from marts.conversations as conversations"
        " where conversations.rowid in (select conversations.rowid"
        f" from marts.conversations as conversations where {joined.sql}{order} limit $most){order}",
        {**joined.values, "most": most},
    )


def _beyond(column: str, ascending: bool, backwards: bool, place: Cursor) -> Condition:
    beyond = ">" if ascending else "<"
    values: dict[str, Any] = {
        "place_at": place.started_at,
        "place_id": place.conversation_id,
    }
    tie = (
        f"(conversations.started_at {beyond} $place_at or (conversations.started_at = $place_at"
        f" and conversations.conversation_id {beyond} $place_id))"
    )
    # Missing values are the last ones: behind every value, and all before when going backwards.
    if place.value is None:
        missing = f"({column} is null and {tie})"
        return Condition(f"({missing} or {column} is not null)" if backwards else missing, values)
    values["place_value"] = place.value
    known = f"{column} {beyond} $place_value or ({column} = $place_value and {tie})"
    return Condition(f"({known})" if backwards else f"({known} or {column} is null)", values)


def _columns() -> str:
    return ", ".join(f"conversations.{name}" for name in COLUMNS)


def count(snapshot: Snapshot, wanted: Filter, *, seconds: float | None = None) -> tuple[int, int]:
    """How many conversations a filter finds, and how many contacts they have.

    Raises:
        QueryTooLongError: it took longer than `seconds`, or than a query may.
    """
    joined = filters.where(_conditions(snapshot, wanted))
    (row,) = snapshot.rows(
        "select count(*) as conversations, cast(coalesce(sum(contact_count), 0) as bigint)"
        f" as contacts from marts.conversations as conversations where {joined.sql}",
        joined.values,
        seconds=seconds,
    )
    return row["conversations"], row["contacts"]


def finds_any(snapshot: Snapshot, wanted: Filter) -> bool:
    """Whether a filter finds any conversation."""
    return bool(find(snapshot, wanted, size=1).rows)


@dataclass(frozen=True)
class Excerpt:
    """Where words were found in a conversation.

    Attributes:
        parts: pieces of text in order, each with whether it was looked for.
        author_kind: who wrote it.
    """

    parts: list[tuple[str, bool]]
    author_kind: str


def excerpts(snapshot: Snapshot, words: str, keys: Sequence[Key]) -> dict[str, Excerpt]:
    """The first message of each conversation in which a word was found.

    Args:
        snapshot: where to look.
        words: the free text of the filter.
        keys: conversations that the search found.

    Returns:
        By conversation id; a conversation without a hit is left out.
    """
    patterns = filters.word_patterns(words)
    if not patterns or not keys:
        return {}
    any_word = "|".join(f"(?:{pattern})" for pattern in patterns)
    # The moments stand as a list of parameters, by which row groups are passed over.
    moments = {f"moment_{number}": key.started_at for number, key in enumerate(keys)}
    rows = snapshot.rows(
        "select conversation_id, author_kind, starts_with(body, excerpt) as is_start,"
        " ends_with(body, excerpt) as is_end,"
        " regexp_replace(translate(excerpt, $marks, ''), $any_word, $marked, 'g') as excerpt"
        " from (select conversation_id, author_kind, body,"
        " regexp_extract(body, $around) as excerpt from marts.messages"
        f" where conversation_started_at in ({', '.join('$' + name for name in moments)})"
        " and conversation_id in (select unnest(cast($ids as varchar[])))"
        " and regexp_matches(body, $any_word)"
        " qualify row_number() over (partition by conversation_id order by message_no) = 1)",
        {
            **moments,
            "ids": [key.conversation_id for key in keys],
            "any_word": any_word,
            "around": f"(?s).{{0,{BEFORE_HIT}}}(?:{any_word}).{{0,{AFTER_HIT}}}",
            "marks": HIT_START + HIT_END,
            "marked": f"{HIT_START}\\0{HIT_END}",
        },
    )
    return {row["conversation_id"]: _excerpt(row) for row in rows}


def _excerpt(row: Row) -> Excerpt:
    parts: list[tuple[str, bool]] = []
    if not row["is_start"]:
        parts.append(("…", False))
    for piece in re.split(f"({HIT_START}[^{HIT_END}]*{HIT_END})", row["excerpt"]):
        if piece.startswith(HIT_START):
            parts.append((piece[1:-1], True))
        elif piece:
            parts.append((piece, False))
    if not row["is_end"]:
        parts.append(("…", False))
    return Excerpt(parts, row["author_kind"])


@dataclass(frozen=True)
class Choices:
    """What the filters of one version can be chosen from.

    Attributes:
        sources: slugs.
        channels, languages: codes.
        tags: the most frequent ones, in the order of the alphabet.
        bounds: openings that cut the mart into windows of WINDOW_ROWS, in order.
    """

    sources: list[str]
    channels: list[str]
    languages: list[str]
    tags: list[str]
    bounds: list[datetime]


def choices(snapshot: Snapshot) -> Choices:
    """The choices of a version, read once."""
    return snapshot.once(_choices)


def _choices(snapshot: Snapshot) -> Choices:
    listed = (
        "select distinct {0} as value from marts.conversations where {0} is not null order by 1"
    )
    columns = {
        name: [row["value"] for row in snapshot.rows(listed.format(name))]
        for name in ("source", "channel", "language")
    }
    tags = snapshot.rows(
        "select tag from (select unnest(string_split(tags, ',')) as tag from marts.contacts)"
        " where tag <> '' group by tag order by count(*) desc, tag limit $most",
        {"most": MOST_TAGS},
    )
    bounds = snapshot.rows(
        "select min(started_at) as bound from marts.conversations"
        " group by rowid // $rows order by bound",
        {"rows": WINDOW_ROWS},
    )
    return Choices(
        sources=columns["source"],
        channels=columns["channel"],
        languages=columns["language"],
        tags=sorted(row["tag"] for row in tags),
        bounds=sorted({row["bound"] for row in bounds}),
    )
