"""One warehouse for the tests of metrics: the sample logs, and a source for each rule.

Belongs here: landing these logs and building them once. Does not belong here: what is expected.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence

import pytest
from harness import REPOSITORY, Pipeline

Record = Mapping[str, str | int | float | None]


def contact(
    contact_id: str, start: str, reply: str | None, end: str | None, **more: str
) -> dict[str, str | None]:
    """A contact of 2 March 2026; the times are `HH:MM:SS`, or a whole timestamp."""

    def moment(text: str | None) -> str | None:
        return f"2026-03-02T{text}Z" if text and len(text) == 8 else text

    return {
        "contact_id": contact_id,
        "agent_id": f"agent of {contact_id}",
        "agent_kind": "human",
        "started_at": moment(start),
        "answered_at": moment(reply),
        "ended_at": moment(end),
        "end_reason": "close" if end else None,
        **more,
    }


def _transfer(origin: str, target: str, at: str) -> Record:
    return {
        "from_contact_id": origin,
        "to_contact_id": target,
        "requested_at": f"2026-03-02T{at}Z",
        "outcome": "accepted",
    }


def _sale(transaction_id: str, contact_id: str, amount: float, currency: str) -> Record:
    return {
        "transaction_id": transaction_id,
        "contact_id": contact_id,
        "occurred_at": "2026-03-02T12:00:00Z",
        "amount": amount,
        "currency": currency,
    }


def _exchange(contact_id: str, asked_at: str, replied_at: str) -> list[Record]:
    return [
        {"contact_id": contact_id, "sent_at": sent_at, "author_kind": kind, "body": kind}
        for sent_at, kind in ((asked_at, "visitor"), (replied_at, "agent"))
    ]


def _recommendation(contact_id: str, score: int) -> Record:
    return {
        "contact_id": contact_id,
        "question": "nps",
        "score": score,
        "answered_at": "2026-03-02T12:00:00Z",
    }


ONE = contact("c1", "09:00:00", "09:00:30", "09:10:00")
TWO = contact("c2", "09:00:00", "09:00:30", "09:10:00")

RULES: dict[str, dict[str, Sequence[Record]]] = {
    # Two conversations, each with a sale in a currency of its own.
    "rule_currencies": {
        "contacts": [ONE, TWO],
        "transactions": [_sale("p1", "c1", 10, "EUR"), _sale("p2", "c2", 20, "GBP")],
    },
    # One conversation with both.
    "rule_currencies_inside": {
        "contacts": [ONE],
        "transactions": [_sale("p1", "c1", 10, "EUR"), _sale("p2", "c1", 20, "GBP")],
    },
    # One visitor buys and gives all of it back, another gives something back.
    "rule_refunds": {
        "contacts": [ONE, TWO],
        "transactions": [
            _sale("p1", "c1", 100, "EUR"),
            _sale("p2", "c1", -100, "EUR"),
            _sale("p3", "c2", -40, "EUR"),
        ],
    },
    # First replies after 10, 20 and 30 seconds on Monday and 1,000 on Tuesday.
    "rule_medians": {
        "contacts": [
            contact("c1", "09:00:00", "09:00:10", "09:10:00"),
            contact("c2", "09:00:00", "09:00:20", "09:10:00"),
            contact("c3", "09:00:00", "09:00:30", "09:10:00"),
            contact("c4", "2026-03-03T09:00:00Z", "2026-03-03T09:16:40Z", "2026-03-03T09:30:00Z"),
        ],
        "messages": [
            *_exchange("c1", "2026-03-02T09:00:00Z", "2026-03-02T09:00:10Z"),
            *_exchange("c2", "2026-03-02T09:00:00Z", "2026-03-02T09:00:20Z"),
            *_exchange("c3", "2026-03-02T09:00:00Z", "2026-03-02T09:00:30Z"),
            *_exchange("c4", "2026-03-03T09:00:00Z", "2026-03-03T09:16:40Z"),
        ],
    },
    # A chat that Ana answers after 120 seconds, and a call that Bob answers after 6.
    "rule_pickup": {
        "contacts": [
            contact("chat", "09:00:00", "09:02:00", "09:10:00"),
            contact("call", "09:00:00", "09:00:06", "09:10:00"),
        ],
        "messages": _exchange("chat", "2026-03-02T09:00:00Z", "2026-03-02T09:02:00Z"),
    },
    # A bot for 60 seconds, then a human for 600.
    "rule_handling": {
        "contacts": [
            contact("c1", "09:00:00", "09:00:01", "09:01:00", agent_kind="bot"),
            contact("c2", "09:01:00", "09:02:00", "09:11:00"),
        ],
        "transfers": [_transfer("c1", "c2", "09:01:00")],
    },
    # One promoter, one passive, two detractors.
    "rule_nps": {
        "contacts": [
            ONE,
            TWO,
            contact("c3", "09:00:00", "09:00:30", "09:10:00"),
            contact("c4", "09:00:00", "09:00:30", "09:10:00"),
        ],
        "ratings": [
            _recommendation("c1", 10),
            _recommendation("c2", 8),
            _recommendation("c3", 6),
            _recommendation("c4", 0),
        ],
    },
    # Snoozed and not back yet.
    "rule_snoozed": {
        "contacts": [contact("c1", "09:00:00", "09:00:30", "09:10:00", end_reason="snooze")]
    },
    # A contact in which the visitor wrote nothing and nobody answered.
    "rule_unanswered": {
        "contacts": [
            contact("c1", "09:00:00", None, "09:10:00"),
            contact("c2", "09:00:00", "09:00:30", "09:10:00"),
        ]
    },
}


def _registry(name: str) -> list[dict[str, str]]:
    with (REPOSITORY / "seeds" / "registry" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The published warehouse. Read it only."""
    home = tmp_path_factory.mktemp("metrics")
    shutil.copytree(REPOSITORY / "seeds" / "sample_logs", home / "landing")
    pipeline = Pipeline(home, sources=_registry("sources.csv"), projects=_registry("projects.csv"))
    for source, logs in RULES.items():
        for log, rows in logs.items():
            pipeline.write(source, log, rows)
    pipeline.run()
    return pipeline
