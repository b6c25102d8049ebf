"""Rows that are told again in other words are the rows that they were.

Belongs here: identity and content of a row, from files written differently to the public tables.
Does not belong here: what a file may look like (tests/landing), shapes of conversations (the golden
scenarios).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import Pipeline, Row

CONTACTS = [
    {"contact_id": "c1", "started_at": "2026-11-02T10:00:00Z", "ended_at": "2026-11-02T10:10:00Z"},
    {"contact_id": "c2", "started_at": "2026-11-02T10:10:00Z", "ended_at": "2026-11-02T11:20:00Z"},
    {
        "contact_id": "c3",
        "started_at": "2026-11-03T10:00:00Z",
        "ended_at": "9999-12-31T23:59:59",
        "channel": "chat",
        "tags": "a,299029",
    },
]


def message(contact: str, sent_at: str, body: str | None, **more: Any) -> Row:
    return {
        "contact_id": contact,
        "sent_at": sent_at,
        "author_kind": "visitor",
        "body": body,
        **more,
    }


# Each log once with the clocks of Paris, and once more in UTC.
LOCAL: dict[str, list[Row]] = {
    "contacts": CONTACTS,
    "transfers": [
        {"from_contact_id": "c1", "to_contact_id": "c2", "requested_at": "2026-11-02 11:10:00"}
    ],
    "messages": [
        message("c1", "2026-11-02 11:00:30", "hello"),
        message("c2", "2026-11-02 12:01:00", "ok"),
        message("c2", "2026-11-02 11:30:00", "with an id", message_id="m1"),
        message("c1", "2026-11-02 11:05:00", "my card is 4711"),
        message("c1", "2026-11-02 11:05:00", "and my name is Ann"),
        message("c1", "2026-11-02 11:05:00", "bot", author_kind="bot"),
    ],
    "ratings": [
        {"contact_id": "c2", "question": "csat", "answered_at": "2026-11-02 12:30:00", "score": 4}
    ],
    "transactions": [
        {
            "transaction_id": "t1",
            "contact_id": "c3",
            "occurred_at": "2026-11-03 12:30:00",
            "amount": 10,
        }
    ],
}
UTC: dict[str, list[Row]] = {
    "contacts": [
        {
            "contact_id": "c3",
            "started_at": "2026-11-03 11:00:00",
            "ended_at": None,
            "channel": "CHAT",
            "tags": ["a", 299029],
        },
        {"contact_id": "c4", "started_at": "2026-11-04T10:00:00Z", "channel": "Chat", "tags": "b"},
        {"contact_id": "c5", "started_at": "2026-11-04T11:00:00Z", "tags": ["b, c", "é"]},
    ],
    "transfers": [
        {"from_contact_id": "c1", "to_contact_id": "c2", "requested_at": "2026-11-02T10:10:00Z"}
    ],
    "messages": [
        message("c1", "2026-11-02T10:00:30Z", "hello"),
        # Only looks like the one above.
        message("c2", "2026-11-02T12:01:00Z", "ok"),
        message("c2", "2026-11-02T10:30:00Z", "with an id", message_id="m1"),
    ],
    "ratings": [
        {"contact_id": "c2", "question": "csat", "answered_at": "2026-11-02T11:30:00Z", "score": 4}
    ],
    "transactions": [
        {
            "transaction_id": "t1",
            "contact_id": "c3",
            "occurred_at": "2026-11-03T11:30:00Z",
            "amount": 10,
        }
    ],
}
WITHOUT_TEXT = [message("c1", "2026-11-02T10:05:00Z", None)]
ONCE_MORE = [message("c1", "2026-11-02T10:05:00.0Z", "my card is 4711")]


class Told:
    """The public tables after each delivery."""

    def __init__(self, home: Path) -> None:
        pipeline = Pipeline(home, sources=[{"source": "paris", "time_zone": "Europe/Paris"}])
        self.after: dict[str, dict[str, list[Row]]] = {}
        for name, logs in {
            "local": LOCAL,
            "utc": UTC,
            "anonymised": {"messages": WITHOUT_TEXT},
            "again": {"messages": ONCE_MORE},
        }.items():
            for log, rows in logs.items():
                pipeline.write("paris", log, rows, fmt="jsonl")
            pipeline.land()
            pipeline.build()
            self.after[name] = pipeline.snapshot()

    def changed_at(self, name: str) -> dict[str, Any]:
        """When each conversation changed, by its id."""
        rows = self.after[name]["marts.conversations"]
        return {row["conversation_id"]: row["changed_at"] for row in rows}

    def bodies(self, name: str) -> list[Any]:
        """What the messages of c1 at the instant with several of them say."""
        return sorted(
            (row["author_kind"], row["body"])
            for row in self.after[name]["marts.messages"]
            if row["sent_at"].minute == 5
        )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("told"))


def test_a_row_without_an_id_is_known_by_its_instant_and_not_by_how_its_clock_was_written(
    told: Told,
) -> None:
    tables = told.after["utc"]
    assert len(tables["marts.transfers"]) == 1
    assert len(tables["marts.ratings"]) == 1
    bodies = [row["body"] for row in tables["marts.messages"] if row["sent_at"].minute != 5]
    assert sorted(bodies) == ["hello", "ok", "ok", "with an id"]


def test_a_clock_that_is_written_otherwise_changes_no_conversation(told: Told) -> None:
    before, after = told.changed_at("local"), told.changed_at("utc")
    # The second "ok" is news for the one, and nothing is for the other with its sale.
    assert {name for name in before if before[name] != after[name]} == {"paris:c1"}
    assert set(before) == {"paris:c1", "paris:c3"}


def test_a_list_of_tags_is_a_list_of_tags_and_a_channel_one_channel_however_they_are_written(
    told: Told,
) -> None:
    rows = {row["contact_id"]: row for row in told.after["utc"]["marts.contacts"]}
    assert {name: row["tags"] for name, row in rows.items()} == {
        "c1": None,
        "c2": None,
        "c3": ["a", "299029"],
        "c4": ["b"],
        "c5": ["b, c", "é"],
    }
    assert (rows["c3"]["channel"], rows["c4"]["channel"]) == ("chat", "chat")


def test_a_message_whose_text_was_removed_stays_one_message_without_a_text(told: Told) -> None:
    texts = [("visitor", "and my name is Ann"), ("visitor", "my card is 4711")]
    assert told.bodies("utc") == [("bot", "bot"), *texts]
    assert told.bodies("anonymised") == [("bot", "bot"), ("visitor", None), ("visitor", None)]
    assert told.changed_at("anonymised")["paris:c1"] > told.changed_at("utc")["paris:c1"]


def test_a_removed_text_does_not_come_back_with_an_old_file(told: Told) -> None:
    assert told.after["again"]["marts.messages"] == told.after["anonymised"]["marts.messages"]
    assert told.changed_at("again") == told.changed_at("anonymised")


def test_an_end_that_is_far_off_is_none(told: Told) -> None:
    [contact] = [row for row in told.after["utc"]["marts.contacts"] if row["contact_id"] == "c3"]
    assert (contact["ended_at"], contact["is_open"]) == (None, True)
