"""The six raw logs, declared once: columns, types, which are required, keys, checks.

Belongs here: what a log *is*. Does not belong here: how a file is read or a value is converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a column holds."""

    ID = "id"
    CODE = "code"
    TEXT = "text"
    INSTANT = "instant"
    SCORE = "score"
    AMOUNT = "amount"

    @property
    def sql_type(self) -> str:
        """The column's type in the warehouse."""
        return _SQL_TYPES.get(self, "varchar")


_SQL_TYPES = {Kind.INSTANT: "timestamp", Kind.SCORE: "double", Kind.AMOUNT: "decimal(18, 4)"}


@dataclass(frozen=True)
class Column:
    """One column of a log.

    Attributes:
        name: the column's name in the raw table, and the usual one in files.
        kind: what it holds.
        required: a file without the column, and a row without a value, is rejected.
        aliases: other names that files may use for it.
        vocabulary: the vocabulary that a value must be in, checked while loading. Optional codes
            have none: an unknown one is kept and shows in a check after loading.
    """

    name: str
    kind: Kind = Kind.ID
    required: bool = False
    aliases: tuple[str, ...] = ()
    vocabulary: str | None = None


@dataclass(frozen=True)
class ScoreRange:
    """The scores that a question allows, both ends included."""

    question: str
    lowest: int
    highest: int


@dataclass(frozen=True)
class Log:
    """One log.

    Attributes:
        name: the folder's name under a source, and the raw table's.
        columns: in the contract's order, which is also the order of the timestamp bits.
        key: the column that identifies a record, when the record has it.
        fallback_key: the columns that identify a record without `key`; empty when the key alone
            does (together with the columns of `key_with`).
        key_with: further columns that always belong to the key.
        score_ranges: what `score` may be, by question.
    """

    name: str
    columns: tuple[Column, ...]
    key: str
    key_with: tuple[str, ...] = ()
    fallback_key: tuple[str, ...] = ()
    score_ranges: tuple[ScoreRange, ...] = ()

    @property
    def timestamp_bits(self) -> dict[str, int]:
        """The bit in `local_times` of each timestamp column."""
        instants = [column.name for column in self.columns if column.kind is Kind.INSTANT]
        return {name: 1 << position for position, name in enumerate(instants)}

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the required columns."""
        return tuple(column.name for column in self.columns if column.required)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: the log has none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def column_for(self, header: str) -> tuple[Column, int] | None:
        """The column that a name in a file means, and its rank among the names for it (0 first)."""
        name = header.strip().lower()
        for column in self.columns:
            names = (column.name, *column.aliases)
            if name in names:
                return column, names.index(name)
        return None


def _ids(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


_UPDATED_AT = Column("updated_at", Kind.INSTANT)

_CONTACTS = Log(
    name="contacts",
    columns=(
        Column("contact_id", required=True),
        Column("started_at", Kind.INSTANT, required=True),
        Column("agent_id"),
        Column("agent_kind", Kind.CODE),
        *_ids("visitor_id", "project_id"),
        Column("channel", Kind.CODE),
        Column("group_id"),
        Column("answered_at", Kind.INSTANT),
        Column("ended_at", Kind.INSTANT),
        Column("end_reason", Kind.CODE),
        *_ids("conversation_ref", "previous_contact_id"),
        Column("language", Kind.CODE),
        Column("tags", Kind.TEXT),
        _UPDATED_AT,
    ),
    key="contact_id",
)

_TRANSFERS = Log(
    name="transfers",
    columns=(
        Column("from_contact_id", required=True),
        Column("requested_at", Kind.INSTANT, required=True, aliases=("transferred_at",)),
        *_ids("to_contact_id", "transfer_id"),
        Column("kind", Kind.CODE),
        Column("target_kind", Kind.CODE),
        Column("target_id"),
        Column("outcome", Kind.CODE),
        _UPDATED_AT,
    ),
    key="transfer_id",
    fallback_key=("from_contact_id", "requested_at", "to_contact_id"),
)

_MESSAGES = Log(
    name="messages",
    columns=(
        Column("contact_id", required=True),
        Column("sent_at", Kind.INSTANT, required=True),
        Column("author_kind", Kind.CODE, required=True, vocabulary="author_kind"),
        *_ids("message_id", "author_id"),
        Column("body", Kind.TEXT),
        Column("content_type", Kind.CODE),
    ),
    key="message_id",
    fallback_key=("contact_id", "sent_at", "author_kind", "author_id", "body", "content_type"),
)

_RATINGS = Log(
    name="ratings",
    columns=(
        Column("contact_id", required=True),
        Column("question", Kind.CODE, required=True, vocabulary="question"),
        Column("answered_at", Kind.INSTANT, required=True),
        Column("rating_id"),
        Column("score", Kind.SCORE),
        Column("comment", Kind.TEXT),
    ),
    key="rating_id",
    fallback_key=("contact_id", "question", "answered_at"),
    score_ranges=(ScoreRange("csat", 1, 5), ScoreRange("nps", 0, 10)),
)

_TRANSACTIONS = Log(
    name="transactions",
    columns=(
        Column("transaction_id", required=True),
        Column("occurred_at", Kind.INSTANT, required=True),
        Column("amount", Kind.AMOUNT, required=True),
        Column("currency", Kind.CODE),
        *_ids("contact_id", "visitor_id"),
    ),
    key="transaction_id",
)

_AGENTS = Log(
    name="agents",
    columns=(
        Column("agent_id", required=True),
        Column("agent_kind", Kind.CODE),
        Column("display_name", Kind.TEXT),
        Column("group_id"),
        Column("group_name", Kind.TEXT),
        Column("valid_from", Kind.INSTANT),
        _UPDATED_AT,
    ),
    key="agent_id",
    key_with=("valid_from",),
)

# In the order in which logs are loaded, which is the order of load numbers.
LOGS: Mapping[str, Log] = {
    log.name: log for log in (_CONTACTS, _TRANSFERS, _MESSAGES, _RATINGS, _TRANSACTIONS, _AGENTS)
}
