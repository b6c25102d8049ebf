"""The world that both modes describe: who there is, what happens how often, what is delivered how.

Belongs here: sources, projects, shapes, rates and the layout of each source's files, as data.
Does not belong here: drawing from it (`stories.py`, `volume.py`) or writing it (`delivery.py`).

Long because it is a table of rates and layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Shares that the sample and the volume mode have in common, in thousandths.
TRANSFER_PER_MILLE = 300  # contacts that end by an accepted transfer (volume mode)
SNOOZE_PER_MILLE = 20  # contacts that end by a snooze and come back (volume mode)
UNMET_TRANSFER_PER_MILLE = 30  # contacts with a refused or abandoned request (volume mode)
BOT_FIRST_PER_MILLE = 350  # conversations that a bot opens (volume mode)
UNANSWERED_PER_MILLE = 45
CSAT_PER_MILLE = 330
CSAT_CHANGED_PER_MILLE = 120  # of those who rate
NPS_PER_MILLE = 160
COMMENT_PER_MILLE = 90
TRANSACTION_PER_MILLE = 110
SECOND_TRANSACTION_PER_MILLE = 140  # of those who buy
LATE_PER_MILLE = 15
REPEAT_PER_MILLE = 12
VOLUME_REPEAT_PER_MILLE = 5
EARLY_VERSION_PER_MILLE = 20  # records first delivered unfinished, then again, finished

LOGS = ("contacts", "transfers", "messages", "ratings", "transactions", "agents")


@dataclass(frozen=True)
class Project:
    """One site of a source; its days start in its own time zone."""

    project_id: str
    name: str
    time_zone: str
    currency: str
    languages: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Feed:
    """How a source delivers one log.

    Attributes:
        format: file suffix: csv, csv.gz, jsonl, ndjson, jsonl.zst, json, parquet, …
        cadence: `week`, `fortnight`, `month` or `once`: what one file covers.
        columns: (name in the file, name in the contract) in file order; a name that the contract
            does not know is an extra column.
        times: `local` (no offset: wall clock of the source), `offset`, `utc` or, in Parquet,
            always a UTC timestamp.
        newline: line end of text files.
        byte_order_mark: whether the file starts with one, as spreadsheets write it.
    """

    format: str
    cadence: str
    columns: tuple[tuple[str, str], ...]
    times: str = "utc"
    newline: str = "\n"
    byte_order_mark: bool = False


@dataclass(frozen=True)
class Source:
    """One platform account: its registry row, its people and its habits.

    Attributes:
        share: its share of all conversations, in thousandths.
        first_contact_no, contact_id_form: how contact ids are made; two sources share some.
        link_by: what a return without a transfer leaves behind: `previous_contact_id` or
            `conversation_ref`.
        codes: the source's own words for the contract's codes, by vocabulary.
        has_yearly_folders: whether files lie in one folder per year below the log.
    """

    name: str
    trade: str
    time_zone: str
    currency: str
    reject_visitor_mismatch: bool
    max_gap_days: int | None
    share: int
    projects: tuple[Project, ...]
    channels: tuple[tuple[str, int], ...]
    topics: tuple[str, ...]
    groups: tuple[tuple[str, str], ...]
    first_contact_no: int
    contact_id_form: str
    link_by: str
    codes: Mapping[str, Mapping[str, str]]
    feeds: Mapping[str, Feed]
    has_yearly_folders: bool = False

    def code(self, vocabulary: str, value: str) -> str:
        """The source's own word for a code."""
        return self.codes.get(vocabulary, {}).get(value, value)


def _columns(*names: str) -> tuple[tuple[str, str], ...]:
    """Pairs (name in the file, name in the contract); `a=b` renames b to a."""
    pairs = []
    for name in names:
        own, _, contract = name.partition("=")
        pairs.append((own, contract or own))
    return tuple(pairs)


_AGENTS = _columns(
    "agent_id", "agent_kind", "display_name", "group_id", "group_name", "valid_from", "updated_at"
)

SOURCES = (
    Source(
        name="maison_lumiere",
        trade="retail",
        time_zone="Europe/Paris",
        currency="EUR",
        reject_visitor_mismatch=False,
        max_gap_days=None,
        share=450,
        projects=(
            Project("101", "Maison Lumière France", "Europe/Paris", "EUR", (("fr", 1),)),
            Project("102", "Maison Lumière UK", "Europe/London", "GBP", (("en", 1),)),
            Project(
                "103", "Maison Lumière Canada", "America/Toronto", "CAD", (("fr", 3), ("en", 2))
            ),
        ),
        channels=(
            ("chat", 62),
            ("whatsapp", 14),
            ("facebook", 6),
            ("instagram", 5),
            ("call", 8),
            ("video", 5),
        ),
        topics=("delivery", "returns", "invoice", "advice"),
        groups=(("g1", "Ventes"), ("g2", "Service après-vente"), ("g3", "Customer care UK")),
        first_contact_no=310_001,
        contact_id_form="{}",
        link_by="previous_contact_id",
        codes={},
        feeds={
            # No agent_kind here: it has to come from the agents log.
            "contacts": Feed(
                "csv",
                "week",
                _columns(
                    "contact_id",
                    "visitor_id",
                    "project_id",
                    "channel",
                    "agent_id",
                    "group_id",
                    "started_at",
                    "answered_at",
                    "ended_at",
                    "end_reason",
                    "previous_contact_id",
                    "language",
                    "tags",
                    "device",
                    "landing_page",
                    "updated_at",
                ),
                times="local",
            ),
            "transfers": Feed(
                "csv",
                "month",
                _columns(
                    "transfer_id",
                    "from_contact_id",
                    "to_contact_id",
                    "requested_at",
                    "kind",
                    "target_kind",
                    "target_id",
                    "outcome",
                    "updated_at",
                ),
                times="local",
            ),
            "messages": Feed(
                "csv.gz",
                "fortnight",
                _columns(
                    "message_id",
                    "contact_id",
                    "sent_at",
                    "author_kind",
                    "author_id",
                    "content_type",
                    "body",
                ),
                times="offset",
            ),
            "ratings": Feed(
                "csv",
                "month",
                _columns("rating_id", "contact_id", "question", "score", "comment", "answered_at"),
                times="local",
            ),
            "transactions": Feed(
                "csv.gz",
                "month",
                _columns(
                    "transaction_id",
                    "occurred_at",
                    "amount",
                    "currency",
                    "contact_id",
                    "visitor_id",
                ),
                times="offset",
            ),
            "agents": Feed("csv", "once", _AGENTS, times="local"),
        },
    ),
    Source(
        name="harbor_telecom",
        has_yearly_folders=True,
        trade="telecom",
        time_zone="America/New_York",
        currency="USD",
        reject_visitor_mismatch=False,
        max_gap_days=None,
        share=300,
        projects=(
            Project("east", "Harbor East", "America/New_York", "USD", (("en", 1),)),
            Project("west", "Harbor West", "America/Los_Angeles", "USD", (("en", 1),)),
            Project("quebec", "Harbor Québec", "America/Toronto", "CAD", (("fr", 4), ("en", 1))),
        ),
        channels=(("chat", 55), ("call", 22), ("sms", 12), ("mobile_app", 11)),
        topics=("broadband", "mobile", "invoice"),
        groups=(("tech", "Technical support"), ("billing", "Billing"), ("retention", "Retention")),
        first_contact_no=440_001,
        # The zeros are part of the id.
        contact_id_form="{:08d}",
        link_by="conversation_ref",
        codes={
            "agent_kind": {"human": "employee"},
            "author_kind": {"visitor": "customer", "agent": "operator"},
            "outcome": {"failed": "refused"},
        },
        feeds={
            "contacts": Feed(
                "jsonl",
                "week",
                _columns(
                    "contact_id",
                    "conversation_ref",
                    "visitor_id",
                    "project_id",
                    "channel",
                    "agent_id",
                    "agent_kind",
                    "group_id",
                    "started_at",
                    "answered_at",
                    "ended_at",
                    "end_reason",
                    "language",
                    "tags",
                    "queue_priority",
                    "updated_at",
                ),
            ),
            # No transfer_id: the key is who, when and to whom.
            "transfers": Feed(
                "json",
                "month",
                _columns(
                    "from_contact_id",
                    "to_contact_id",
                    "requested_at",
                    "kind",
                    "target_kind",
                    "target_id",
                    "outcome",
                ),
            ),
            "messages": Feed(
                "jsonl.zst",
                "fortnight",
                _columns(
                    "contact_id", "sent_at", "author_kind", "author_id", "content_type", "body"
                ),
            ),
            "ratings": Feed(
                "ndjson",
                "month",
                _columns("contact_id", "question", "score", "comment", "answered_at"),
            ),
            "transactions": Feed(
                "json",
                "month",
                _columns(
                    "transaction_id",
                    "occurred_at",
                    "amount",
                    "currency",
                    "contact_id",
                    "visitor_id",
                ),
                times="offset",
            ),
            "agents": Feed("json", "once", _AGENTS),
        },
    ),
    Source(
        name="bluewing_travel",
        trade="travel",
        time_zone="Europe/London",
        currency="GBP",
        reject_visitor_mismatch=True,
        max_gap_days=30,
        share=250,
        projects=(
            Project("1", "Bluewing UK", "Europe/London", "GBP", (("en", 1),)),
            Project("2", "Bluewing France", "Europe/Paris", "EUR", (("fr", 1),)),
            Project("3", "Bluewing Asia", "Asia/Singapore", "SGD", (("en", 1),)),
            Project("4", "Bluewing New Zealand", "Pacific/Auckland", "NZD", (("en", 1),)),
        ),
        channels=(
            ("chat", 50),
            ("whatsapp", 20),
            ("call", 15),
            ("video", 5),
            ("apple_business_chat", 10),
        ),
        topics=("booking", "invoice", "advice"),
        groups=(("sales", "Sales"), ("care", "Customer care"), ("disruption", "Disruption desk")),
        # Numbers that maison_lumiere uses too: an id means nothing without its source.
        first_contact_no=310_601,
        contact_id_form="{}",
        link_by="previous_contact_id",
        codes={
            "agent_kind": {"human": "professional", "bot": "copilot"},
            "author_kind": {"bot": "copilot"},
            "end_reason": {"transfer": "transferred", "close": "closed"},
        },
        feeds={
            "contacts": Feed(
                "parquet",
                "fortnight",
                _columns(
                    "contact_id",
                    "started_at",
                    "answered_at",
                    "ended_at",
                    "end_reason",
                    "agent_id",
                    "agent_kind",
                    "group_id",
                    "visitor_id",
                    "project_id",
                    "channel",
                    "language",
                    "previous_contact_id",
                    "routing_rule",
                    "updated_at",
                ),
            ),
            "transfers": Feed(
                "parquet",
                "month",
                _columns(
                    "transfer_id",
                    "from_contact_id",
                    "to_contact_id",
                    "transferred_at=requested_at",
                    "kind",
                    "target_kind",
                    "target_id",
                    "outcome",
                    "updated_at",
                ),
            ),
            "messages": Feed(
                "parquet",
                "month",
                _columns("message_id", "contact_id", "sent_at", "author_kind", "author_id", "body"),
            ),
            "ratings": Feed(
                "csv.zst",
                "month",
                _columns("rating_id", "contact_id", "answered_at", "question", "score", "comment"),
                newline="\r\n",
            ),
            "transactions": Feed(
                "jsonl.gz",
                "month",
                _columns("transaction_id", "occurred_at", "amount", "contact_id", "visitor_id"),
            ),
            "agents": Feed("csv", "once", _AGENTS, newline="\r\n", byte_order_mark=True),
        },
    ),
)


@dataclass(frozen=True)
class Leg:
    """One contact of a shape, and how it passes on to the next.

    Attributes:
        who: `bot`, `second_bot`, `human` (one who was not there before), `first` (who opened the
            conversation), `expert`, or `silent` (a human who never answers).
        end: `close`, `timeout`, `snooze`, `transfer` or `open` (never ends).
        target_kind: whom a transfer asks for: `agent`, `group` or `bot`.
        unmet: outcomes of requests that led nowhere, made before the contact's end.
        is_lost: the contact and its messages are never delivered.
    """

    who: str
    end: str = "close"
    target_kind: str = "agent"
    unmet: tuple[str, ...] = ()
    is_lost: bool = False


def _bot(**changes: object) -> Leg:
    return Leg("bot", "transfer", "group", **changes)  # type: ignore[arg-type]


# Shape -> (weight, contacts). Every shape appears, however small the sample.
SHAPES: Mapping[str, tuple[int, tuple[Leg, ...]]] = {
    "one_agent": (330, (Leg("human"),)),
    "bot_only": (110, (Leg("bot"),)),
    "bot_to_agent": (150, (_bot(), Leg("human"))),
    "bot_to_agent_to_agent": (35, (_bot(), Leg("human", "transfer"), Leg("human"))),
    "agent_to_agent": (50, (Leg("human", "transfer"), Leg("human"))),
    "agent_to_group": (35, (Leg("human", "transfer", "group"), Leg("human"))),
    "agent_to_bot": (12, (Leg("human", "transfer", "bot"), Leg("bot"))),
    "bot_to_bot_to_agent": (
        10,
        (
            Leg("bot", "transfer", "bot"),
            Leg("second_bot", "transfer", "group"),
            Leg("human"),
        ),
    ),
    "ping_pong": (14, (Leg("human", "transfer"), Leg("human", "transfer"), Leg("first"))),
    "long_chain": (
        6,
        (
            _bot(),
            Leg("human", "transfer"),
            Leg("human", "transfer", "group"),
            Leg("human", "snooze"),
            Leg("human", "transfer"),
            Leg("human"),
        ),
    ),
    "refused_then_kept": (22, (Leg("human", unmet=("failed",)),)),
    "refused_then_accepted": (14, (Leg("human", "transfer", unmet=("failed",)), Leg("human"))),
    "abandoned": (18, (Leg("human", "timeout", unmet=("abandoned",)),)),
    "bot_transfer_failed": (22, (Leg("bot", "close", "group", unmet=("failed",)),)),
    "snooze_same_agent": (35, (Leg("human", "snooze"), Leg("first"))),
    "snooze_then_transfer": (14, (Leg("human", "snooze"), Leg("human", "transfer"), Leg("human"))),
    "unanswered": (45, (Leg("silent", "timeout"),)),
    "pushed_again": (12, (_bot(), Leg("silent", "timeout"), Leg("human"))),
    "expert": (30, (Leg("expert"),)),
    "bot_to_expert_to_agent": (12, (_bot(), Leg("expert", "transfer"), Leg("human"))),
    "lost_middle": (4, (_bot(), Leg("human", "transfer", is_lost=True), Leg("human"))),
    "lost_first": (3, (Leg("human", "transfer", is_lost=True), Leg("human"))),
    "lost_last": (3, (Leg("human", "transfer"), Leg("human", is_lost=True))),
    "forgotten_open": (5, (Leg("human", "open"),)),
}
