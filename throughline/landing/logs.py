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
    BOOLEAN = "boolean"
    # In the warehouse the text of a JSON array of texts: a comma in one of them divides nothing.
    LIST = "list"

    @property
    def sql_type(self) -> str:
        """The column's type in the warehouse."""
        return _SQL_TYPES.get(self, "varchar")


_SQL_TYPES = {
    Kind.INSTANT: "timestamp",
    Kind.SCORE: "double",
    Kind.AMOUNT: "decimal(18, 4)",
    Kind.BOOLEAN: "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column of a log.

    Attributes:
        name: the column's name in the raw table, and the usual one in files.
        about: what it means, in a sentence for those who deliver files.
        kind: what it holds.
        required: a file without the column, and a row without a value, is rejected.
        aliases: other names that files may use for it.
        vocabulary: the vocabulary that a value must be in, checked while loading. Optional codes
            have none: an unknown one is kept and shows in a check after loading.
    """

    name: str
    about: str
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
        about: what one of its records is, in a sentence that begins "One row per".
        columns: in the contract's order, which is also the order of the timestamp bits.
        key: the column that identifies a record, when the record has it.
        fallback_key: the columns that identify a record without `key`; empty when the key alone
            does (together with the columns of `key_with`).
        key_with: further columns that always belong to the key.
        score_ranges: what `score` may be, by question.
        event: the column that says when what a record tells of came about; none where nothing did.
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    key: str
    event: str | None = None
    key_with: tuple[str, ...] = ()
    fallback_key: tuple[str, ...] = ()
    score_ranges: tuple[ScoreRange, ...] = ()

    @property
    def timestamp_bits(self) -> dict[str, int]:
        """The bit in `local_times` and `placeholder_times` of each timestamp column."""
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


_UPDATED_AT = Column(
    "updated_at",
    "When the source last changed the record: the newest version counts.",
    Kind.INSTANT,
)

_CONTACTS = Log(
    name="contacts",
    about="One row per version of a contact: what one respondent and one visitor had with each "
    "other, until a transfer, a snooze or a close.",
    columns=(
        Column("contact_id", "The contact's id, unique in its source.", required=True),
        Column("started_at", "When the contact began.", Kind.INSTANT, required=True),
        Column("agent_id", "Who answers: an agent or a bot."),
        Column("agent_kind", "What the agent is.", Kind.CODE),
        Column("visitor_id", "Who asks."),
        Column("project_id", "The website or brand; it may have a time zone of its own."),
        Column("channel", "Where it takes place, such as chat or email.", Kind.CODE),
        Column("group_id", "The team that the contact belongs to."),
        Column("answered_at", "When the agent first replied.", Kind.INSTANT),
        Column("ended_at", "When the contact ended; none while it is open.", Kind.INSTANT),
        Column("end_reason", "Why it ended.", Kind.CODE),
        Column("conversation_ref", "The source's own conversation id: who shares it is linked."),
        Column("previous_contact_id", "The contact that this one goes on from: a link."),
        Column("language", "The language.", Kind.CODE),
        Column("tags", "The tags.", Kind.LIST),
        _UPDATED_AT,
    ),
    key="contact_id",
    event="started_at",
)

_TRANSFERS = Log(
    name="transfers",
    about="One row per version of a requested transfer: a contact to be handed over to an agent, "
    "a group or a bot.",
    columns=(
        Column("from_contact_id", "The contact that is handed over.", required=True),
        Column(
            "requested_at",
            "When it was asked for.",
            Kind.INSTANT,
            required=True,
            aliases=("transferred_at",),
        ),
        Column("to_contact_id", "The contact that opened for it: a link, and an accepted one."),
        Column("transfer_id", "The transfer's id, unique in its source."),
        Column("kind", "How it came about, such as manual or bot_escalation.", Kind.CODE),
        Column("target_kind", "What it goes to.", Kind.CODE),
        Column("target_id", "Which agent, group or bot it goes to."),
        Column("outcome", "What became of it.", Kind.CODE),
        _UPDATED_AT,
    ),
    key="transfer_id",
    event="requested_at",
    fallback_key=("from_contact_id", "requested_at", "to_contact_id"),
)

_MESSAGES = Log(
    name="messages",
    about="One row per message of a contact.",
    columns=(
        Column("contact_id", "The contact that it was written in.", required=True),
        Column("sent_at", "When it was sent.", Kind.INSTANT, required=True),
        Column("author_kind", "Who wrote it.", Kind.CODE, required=True, vocabulary="author_kind"),
        Column("message_id", "The message's id, unique in its source."),
        Column("author_id", "Which agent, bot or visitor wrote it."),
        Column("body", "The text.", Kind.TEXT),
        Column("content_type", "What the text is, such as text/plain.", Kind.CODE),
        Column("is_private", "A note among agents: shown, never a reply.", Kind.BOOLEAN),
    ),
    key="message_id",
    event="sent_at",
    fallback_key=("contact_id", "sent_at", "author_kind", "author_id", "body", "content_type"),
)

_RATINGS = Log(
    name="ratings",
    about="One row per version of a visitor's answer to one question.",
    columns=(
        Column("contact_id", "The contact after which it was asked.", required=True),
        Column("question", "What was asked.", Kind.CODE, required=True, vocabulary="question"),
        Column("answered_at", "When the visitor answered.", Kind.INSTANT, required=True),
        Column("rating_id", "The answer's id, unique in its source."),
        Column("score", "The answer as a number.", Kind.SCORE),
        Column("comment", "The answer in words.", Kind.TEXT),
    ),
    key="rating_id",
    event="answered_at",
    fallback_key=("contact_id", "question", "answered_at"),
    score_ranges=(ScoreRange("csat", 1, 5), ScoreRange("nps", 0, 10)),
)

_TRANSACTIONS = Log(
    name="transactions",
    about="One row per version of a purchase or a refund.",
    columns=(
        Column("transaction_id", "The transaction's id, unique in its source.", required=True),
        Column("occurred_at", "When it took place.", Kind.INSTANT, required=True),
        Column("amount", "How much; a refund is negative.", Kind.AMOUNT, required=True),
        Column(
            "currency", "The currency, as EUR; none is that of the project or source.", Kind.CODE
        ),
        Column("contact_id", "The contact that it belongs to."),
        Column("visitor_id", "Who paid."),
    ),
    key="transaction_id",
    event="occurred_at",
)

_AGENTS = Log(
    name="agents",
    about="One row per version of an agent's record.",
    columns=(
        Column("agent_id", "The agent's id, unique in its source.", required=True),
        Column("agent_kind", "What the agent is.", Kind.CODE),
        Column("display_name", "The name to show.", Kind.TEXT),
        Column("group_id", "The agent's team."),
        Column("group_name", "The team's name to show.", Kind.TEXT),
        Column("valid_from", "Since when the record holds; none for always.", Kind.INSTANT),
        _UPDATED_AT,
    ),
    key="agent_id",
    key_with=("valid_from",),
)

# In the order in which logs are loaded, which is the order of load numbers.
LOGS: Mapping[str, Log] = {
    log.name: log for log in (_CONTACTS, _TRANSFERS, _MESSAGES, _RATINGS, _TRANSACTIONS, _AGENTS)
}
