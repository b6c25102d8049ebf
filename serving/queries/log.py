"""The rows of the log, conversations or contacts: a page of them, and their number.

Belongs here: what is listed, sorting and paging. Does not belong here: filters (`filters`), where
words were found (`excerpts`), HTML.

Pages are found by the place of their neighbour in the order and not by a number, so that the last
page costs what the first one costs. The mart lies in the order of the opening, so the default order
is read newest first in windows that grow: a common word fills the page out of the first, a rare one
costs one reading of everything. A listing of contacts is sorted as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serving import filters
from serving.filters import IS_ID, Condition, Filter, to_conversation
from serving.queries.cursors import Cursor, beyond
from serving.queries.windows import bounds, windows
from serving.snapshot import Row, Snapshot

SIZES = (25, 50, 100)
ORDERS = ("desc", "asc")


@dataclass(frozen=True)
class Listing:
    """What the log lists.

    Attributes:
        table: the mart, under its alias.
        alias: of the mart.
        columns: what is shown of a row.
        sorts: what a sort looks at, by its name. Missing values come last in both orders.
        tie: what decides among equal values and among missing ones.
    """

    table: str
    alias: str
    columns: tuple[str, ...]
    sorts: Mapping[str, str]
    tie: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The columns as SQL."""
        return ", ".join(f"{self.alias}.{name}" for name in self.columns)

    def row_mark(self, snapshot: Snapshot) -> str:
        """What tells its rows apart, as SQL."""
        if self.alias == "conversations":
            return snapshot.mark
        return "(contacts.conversation_started_at, contacts.conversation_id, contacts.contact_no)"


CONVERSATIONS = Listing(
    table="marts.conversations as conversations",
    alias="conversations",
    columns=(
        "conversation_id",
        "source",
        "visitor_id",
        "channel",
        "time_zone",
        "started_at",
        "closed_at",
        "is_closed",
        "is_waiting",
        "close_reason",
        "agent_path",
        "contact_count",
        "transfer_count",
        "automation_level",
        "csat_score",
        "transaction_amount",
        "currency",
        "resolution_seconds",
    ),
    sorts={
        "opened": "conversations.started_at",
        "closed": "conversations.closed_at",
        "contacts": "conversations.contact_count",
        "transfers": "conversations.transfer_count",
        "csat": "conversations.csat_score",
        "amount": "conversations.transaction_amount",
        "duration": "conversations.resolution_seconds",
    },
    tie=("conversations.started_at", "conversations.conversation_id"),
)
CONTACTS = Listing(
    table="marts.contacts as contacts",
    alias="contacts",
    columns=(
        "contact_id",
        "source",
        "conversation_id",
        "conversation_started_at",
        "contact_no",
        "visitor_id",
        "channel",
        "time_zone",
        "agent_id",
        "agent_kind",
        "group_id",
        "started_at",
        "ended_at",
        "end_reason",
        "is_open",
        "first_reply_seconds",
        "duration_seconds",
        "csat_score",
        "transaction_amount",
        "currency",
    ),
    sorts={
        "opened": "contacts.started_at",
        "closed": "contacts.ended_at",
        "reply": "contacts.first_reply_seconds",
        "duration": "contacts.duration_seconds",
        "csat": "contacts.csat_score",
        "amount": "contacts.transaction_amount",
    },
    tie=("contacts.started_at", "contacts.conversation_id", "contacts.contact_no"),
)
#: By what a filter asks for.
LISTINGS = {"conversations": CONVERSATIONS, "contacts": CONTACTS}


@dataclass(frozen=True)
class Page:
    """A page of the log.

    Attributes:
        rows: the columns of its Listing, in order.
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
    """A page of what a filter finds: conversations, or contacts when it asks for these.

    Args:
        snapshot: where to look.
        wanted: which conversations.
        sort: a name in the sorts of the Listing; missing values come last in both orders.
        order: `asc` or `desc`.
        size: at most so many rows.
        after: the last row of the page before; the first page without it.
        before: the first row of the page behind; looked at when `after` is not given.
    """
    backwards = before is not None and after is None
    place = before if backwards else after
    ascending = (order == "asc") != backwards
    listing = LISTINGS[wanted.rows]
    way = _Way(sort, ascending, backwards, place)
    if listing is CONVERSATIONS and sort == "opened":
        rows = _in_windows(snapshot, wanted, way, size + 1)
    else:
        rows = _sorted(snapshot, wanted, way, size + 1)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    column = listing.sorts[sort].partition(".")[2]
    first, last = (_cursor(row, column, sort, order) for row in (rows[0], rows[-1]))
    has_next = backwards or more
    has_previous = more if backwards else place is not None
    return Page(rows, last if has_next else None, first if has_previous else None)


@dataclass(frozen=True)
class _Way:
    """The order in which rows are read, which is turned round on the way to a page before."""

    sort: str
    ascending: bool
    backwards: bool
    place: Cursor | None

    @property
    def direction(self) -> str:
        return "asc" if self.ascending else "desc"


def _source(
    snapshot: Snapshot, wanted: Filter, *, windowed: bool = False, more: tuple[Condition, ...] = ()
) -> tuple[str, Condition]:
    """Where the rows that a filter asks for are looked for, and what they have to meet."""
    found = wanted.search(windowed=windowed)
    looked_for = [found] if found else []
    places = _places_of_id(snapshot, wanted.id) if wanted.id else []
    if wanted.rows == "conversations":
        conditions = wanted.conditions(windowed=windowed)
        return CONVERSATIONS.table, filters.where([*conditions, *looked_for, *places, *more])
    asked = [*wanted.conversation_conditions(), *looked_for, *places]
    # Without a word about the conversation the contacts alone are read.
    table = CONTACTS.table + (to_conversation("contacts") if asked else "")
    return table, filters.where([*asked, *wanted.contact_conditions(), *more])


def _places_of_id(snapshot: Snapshot, id: str) -> list[Condition]:
    """Where the conversations of an id lie, so that only those places are read."""
    rows = snapshot.rows(
        "select distinct conversation_started_at as at from marts.conversation_ids"
        f" where {IS_ID} and conversation_started_at is not null",
        {"id": id},
    )
    moments = {f"id_at_{number}": row["at"] for number, row in enumerate(rows)}
    if not moments:
        return [Condition("false")]
    names = ", ".join("$" + name for name in moments)
    return [Condition(f"conversations.started_at in ({names})", moments)]


def _cursor(row: Row, column: str, sort: str, order: str) -> Cursor:
    return Cursor(
        sort,
        order,
        row[column],
        row["started_at"],
        row["conversation_id"],
        row.get("contact_no", 0),
    )


def _in_windows(snapshot: Snapshot, wanted: Filter, way: _Way, most: int) -> list[Row]:
    past = ">" if way.ascending else "<"
    more: list[Condition] = []
    if way.place:
        more.append(
            Condition(
                f"(conversations.started_at {past} $place_at or"
                " (conversations.started_at = $place_at"
                f" and conversations.conversation_id {past} $place_id))",
                {"place_at": way.place.started_at, "place_id": way.place.conversation_id},
            )
        )
    source, joined = _source(snapshot, wanted, windowed=True, more=tuple(more))
    sql = (
        f"select {CONVERSATIONS.shown} from {source}"
        f" where {filters.WINDOW.format(column='conversations.started_at')} and {joined.sql}"
        f" order by conversations.started_at {way.direction},"
        f" conversations.conversation_id {way.direction} limit $most"
    )
    rows: list[Row] = []
    # An id leads to a place or two by itself.
    cuts = [] if wanted.id else bounds(snapshot)
    for start, end in windows(cuts, way.ascending, way.place):
        values = {**joined.values, "window_start": start, "window_end": end}
        rows += snapshot.rows(sql, {**values, "most": most - len(rows)})
        if len(rows) >= most:
            break
    return rows


def _sorted(snapshot: Snapshot, wanted: Filter, way: _Way, most: int) -> list[Row]:
    listing = LISTINGS[wanted.rows]
    column = listing.sorts[way.sort]
    more: list[Condition] = []
    if way.place:
        more.append(
            beyond(
                column,
                listing.tie,
                way.place,
                ascending=way.ascending,
                backwards=way.backwards,
            )
        )
    source, joined = _source(snapshot, wanted, more=tuple(more))
    nulls = "first" if way.backwards else "last"
    order = f" order by {column} {way.direction} nulls {nulls}, " + ", ".join(
        f"{each} {way.direction}" for each in listing.tie
    )
    mark = listing.row_mark(snapshot)
    # The rows are chosen by the few columns that the order needs, and only those read as a whole.
    return snapshot.rows(
        f"select {listing.shown} from {listing.table} where {mark} in"
        f" (select {mark} from {source} where {joined.sql}{order} limit $most){order}",
        {**joined.values, "most": most},
    )


def count(snapshot: Snapshot, wanted: Filter, *, seconds: float | None = None) -> tuple[int, int]:
    """How many conversations a filter finds, and how many contacts they have.

    Of a listing of contacts: how many these are, and in how many conversations.

    Raises:
        QueryTooLongError: it took longer than `seconds`, or than a query may.
    """
    if wanted.rows == "contacts":
        source, joined = _source(snapshot, wanted)
        (row,) = snapshot.rows(
            "select count(*) as contacts, count(distinct (contacts.conversation_started_at,"
            f" contacts.conversation_id)) as conversations from {source} where {joined.sql}",
            joined.values,
            seconds=seconds,
        )
        return row["conversations"], row["contacts"]
    source, joined = _source(snapshot, wanted)
    (row,) = snapshot.rows(
        "select count(*) as conversations, cast(coalesce(sum(contact_count), 0) as bigint)"
        f" as contacts from {source} where {joined.sql}",
        joined.values,
        seconds=seconds,
    )
    return row["conversations"], row["contacts"]


def finds_any(snapshot: Snapshot, wanted: Filter) -> bool:
    """Whether a filter finds anything."""
    return bool(find(snapshot, wanted, size=1).rows)
