"""Logs with the faults that real ones have, and what the marts make of them.

Belongs here: one small source per fault, all loaded into one warehouse, and what stands in the
public tables and in the warnings afterwards. Does not belong here: files that do not load
(tests/landing), shapes of conversations (the golden scenarios).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from harness import Pipeline, Row

Log = Sequence[Mapping[str, Any]]

# The agents log and one contact name kinds that no vocabulary knows.
UNKNOWN_KIND: dict[str, Log] = {
    "agents": [
        {"agent_id": "va", "agent_kind": "virtual assistant"},
        {"agent_id": "ann", "agent_kind": "human"},
    ],
    "contacts": [
        {
            "contact_id": "c1",
            "agent_id": "x",
            "agent_kind": "chatbot",
            "started_at": "2026-03-02T10:00:00Z",
            "answered_at": "2026-03-02T10:00:02Z",
            "ended_at": "2026-03-02T10:05:00Z",
        },
        {
            "contact_id": "c2",
            "agent_id": "ann",
            "agent_kind": "human",
            "started_at": "2026-03-02T10:05:00Z",
            "answered_at": "2026-03-02T10:10:00Z",
            "ended_at": "2026-03-02T10:30:00Z",
            "previous_contact_id": "c1",
        },
        {
            "contact_id": "c3",
            "agent_id": "va",
            "started_at": "2026-03-02T12:00:00Z",
            "answered_at": "2026-03-02T12:00:05Z",
            "ended_at": "2026-03-02T12:05:00Z",
        },
        {
            "contact_id": "c4",
            "agent_id": "never_said",
            "started_at": "2026-03-02T13:00:00Z",
            "answered_at": "2026-03-02T13:00:05Z",
            "ended_at": "2026-03-02T13:05:00Z",
        },
    ],
    "transfers": [
        {
            "from_contact_id": "c4",
            "to_contact_id": "lost",
            "requested_at": "2026-03-02T13:04:00Z",
            "outcome": "accepted",
        }
    ],
    "messages": [
        {
            "contact_id": "lost",
            "sent_at": "2026-03-02T13:06:00Z",
            "author_kind": "agent",
            "author_id": "somebody",
            "body": "Hello",
        }
    ],
}

EXTRA: dict[str, Log] = {
    "contacts": [
        {
            "contact_id": "c1",
            "started_at": "2026-03-02T09:00:00Z",
            "ended_at": "2026-03-02T09:10:00Z",
        },
        {
            "contact_id": "c2",
            "started_at": "2026-03-02T09:10:00Z",
            "ended_at": "2026-03-02T09:20:00Z",
            "previous_contact_id": "c1",
            "mood": "glad",
        },
        {
            "contact_id": "c3",
            "started_at": "2026-03-02T09:20:00Z",
            "ended_at": "2026-03-02T09:30:00Z",
            "previous_contact_id": "c2",
            "mood": "sad",
        },
        {
            "contact_id": "alone",
            "started_at": "2026-03-02T11:00:00Z",
            "ended_at": "2026-03-02T11:10:00Z",
            "mood": "calm",
        },
    ]
}


def _pair(first: str, second: str, hour: int) -> list[Row]:
    return [
        {
            "contact_id": name,
            "started_at": f"2026-03-02T{hour:02d}:{minute}:00Z",
            "ended_at": f"2026-03-02T{hour:02d}:{minute + 10}:00Z",
        }
        for name, minute in ((first, 10), (second, 20))
    ]


OUTCOME_WORDS: dict[str, Log] = {
    "contacts": [
        *_pair("a1", "a2", 8),
        *_pair("b1", "b2", 9),
        *_pair("c1", "c2", 10),
        *_pair("d1", "d2", 11),
        *_pair("e1", "e2", 12),
    ],
    "transfers": [
        {
            "transfer_id": name,
            "from_contact_id": f"{name}1",
            "to_contact_id": to,
            "requested_at": "2026-03-02T08:20:00Z",
            "outcome": outcome,
        }
        for name, to, outcome in (
            ("a", "a2", "Completed"),
            ("b", "b2", "success"),
            ("c", "c2", "done"),
            ("d", "d2", "durchgestellt"),
            ("e", "lost", "durchgestellt"),
        )
    ]
    + [
        {
            "transfer_id": "nobody_yet",
            "from_contact_id": "e2",
            "requested_at": "2026-03-02T12:29:00Z",
            "outcome": "pending",
        }
    ],
}


def _strangers(prefix: str, column: str, word: str) -> list[Row]:
    """Five contacts of five visitors, who have nothing in common but a word in one column."""
    return [
        {
            "contact_id": f"{prefix}{number}",
            "started_at": f"2026-03-0{number}T09:00:00Z",
            "ended_at": f"2026-03-0{number}T09:10:00Z",
            "visitor_id": f"{prefix}_visitor_{number}",
            column: word,
        }
        for number in range(1, 6)
    ]


NIL = "00000000-0000-0000-0000-000000000000"
WORDS = ("NULL", "null", r"\N", "None", "nan", "NaN", "N/A", "undefined", NIL)
PLACEHOLDERS: dict[str, Log] = {
    "contacts": [
        row
        for number, word in enumerate(WORDS)
        for column in ("conversation_ref", "previous_contact_id")
        for row in _strangers(f"{column}_{number}_", column, word)
    ]
    + [
        {
            "contact_id": f"asked_{number}",
            "started_at": "2026-03-02T09:00:00Z",
            "ended_at": "2026-03-02T09:10:00Z",
            "visitor_id": word,
        }
        for number, word in enumerate(WORDS)
    ],
    "transfers": [
        {
            "from_contact_id": f"asked_{number}",
            "to_contact_id": word,
            "requested_at": "2026-03-02T09:09:00Z",
            "outcome": "failed",
        }
        for number, word in enumerate(WORDS)
    ],
    "transactions": [
        {
            "transaction_id": "t1",
            "occurred_at": "2026-03-02T09:09:00Z",
            "amount": "10",
            "contact_id": "NULL",
            "visitor_id": "None",
        }
    ],
}
ZEROS: dict[str, Log] = {
    "contacts": [
        *_strangers("previous_", "previous_contact_id", "0"),
        *_strangers("reference_", "conversation_ref", "0"),
        # Three visitors may be one person with three devices.
        *_strangers("family_", "conversation_ref", "family")[:3],
    ]
}

TRANSCRIPT = (
    ("m1", "09:00:10", "visitor", "v"),
    ("m2", "09:00:40", "agent", "ann"),
    ("m3", "09:06:00", "agent", "bob"),
)
TRANSCRIPT_TWICE: dict[str, Log] = {
    "contacts": [
        {
            "contact_id": "c1",
            "agent_id": "ann",
            "started_at": "2026-03-02T09:00:00Z",
            "ended_at": "2026-03-02T09:05:00Z",
        },
        {
            "contact_id": "c2",
            "agent_id": "bob",
            "started_at": "2026-03-02T09:05:30Z",
            "ended_at": "2026-03-02T09:20:00Z",
            "previous_contact_id": "c1",
        },
        {
            "contact_id": "other",
            "agent_id": "ann",
            "started_at": "2026-03-02T11:00:00Z",
            "ended_at": "2026-03-02T11:20:00Z",
        },
    ],
    "messages": [
        {
            "contact_id": contact,
            "message_id": name,
            "sent_at": f"2026-03-02T{moment}Z",
            "author_kind": kind,
            "author_id": author,
            "body": f"{name}",
        }
        for contact in ("c1", "c2")
        for name, moment, kind, author in TRANSCRIPT
    ]
    + [
        {
            "contact_id": contact,
            "message_id": "m9",
            "sent_at": "2026-03-02T09:10:00Z",
            "author_kind": "visitor",
            "body": "between two conversations",
        }
        for contact in ("c2", "other")
    ],
}

REUSED_ID: dict[str, Log] = {
    "contacts": [
        {
            "contact_id": "1001",
            "agent_id": agent,
            "visitor_id": visitor,
            "started_at": f"{year}-03-02T09:00:00Z",
            "ended_at": f"{year}-03-02T09:10:00Z",
            "updated_at": f"{year}-03-02T09:10:00Z",
        }
        for year, agent, visitor in ((2026, "bob", "v2"), (2024, "ann", "v1"))
    ]
    + [
        {
            "contact_id": "1002",
            "agent_id": "ann",
            "visitor_id": "v3",
            "started_at": "2026-03-02T10:00:00Z",
            "ended_at": ended,
        }
        for ended in (None, "2026-03-02T10:10:00Z")
    ],
}

SPANS: dict[str, Log] = {
    "contacts": [
        {
            "contact_id": name,
            "agent_id": "ann",
            "started_at": "2026-03-02T10:00:00Z",
            "ended_at": "2026-03-02T10:10:00Z",
            "answered_at": "2026-03-02T09:00:00Z" if name == "early_reply" else None,
        }
        for name in ("early_reply", "ten_years", "late", "mail", "agent_before")
    ],
    "messages": [
        {
            "contact_id": name,
            "sent_at": f"{moment}Z",
            "author_kind": kind,
            "author_id": "ann" if kind == "agent" else None,
            "body": f"{name} {moment}",
        }
        for name, moment, kind in (
            ("ten_years", "2016-03-02T10:00:00", "visitor"),
            ("ten_years", "2026-03-02T10:02:00", "agent"),
            ("late", "2026-03-02T10:01:00", "visitor"),
            ("late", "2026-03-02T10:15:00", "agent"),
            ("mail", "2026-03-01T10:00:00", "visitor"),
            ("mail", "2026-03-02T10:01:00", "agent"),
            ("agent_before", "2026-03-02T09:59:00", "agent"),
            ("agent_before", "2026-03-02T10:01:00", "visitor"),
            ("agent_before", "2026-03-02T10:02:00", "agent"),
        )
    ],
}

UNKNOWN_ENDS: dict[str, Log] = {
    "contacts": [{"contact_id": "c1", "started_at": "2026-03-02T10:00:00Z"}],
    "transfers": [
        {
            "from_contact_id": "x1",
            "to_contact_id": "x2",
            "requested_at": "2026-03-02T10:00:00Z",
        },
        {"from_contact_id": "x3", "requested_at": "2026-03-02T10:00:00Z", "outcome": "failed"},
    ],
}

SOURCES: dict[str, dict[str, Log]] = {
    "placeholders": PLACEHOLDERS,
    "zeros": ZEROS,
    "transcript_twice": TRANSCRIPT_TWICE,
    "reused_id": REUSED_ID,
    "spans": SPANS,
    "unknown_ends": UNKNOWN_ENDS,
    "outcome_words": OUTCOME_WORDS,
    "unknown_kind": UNKNOWN_KIND,
    "extra": EXTRA,
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("faulty_logs"))
    for source, logs in SOURCES.items():
        for log, rows in logs.items():
            pipeline.write(source, log, rows, fmt="jsonl")
    pipeline.run()
    return pipeline


def _contacts(pipeline: Pipeline, source: str) -> dict[str, Row]:
    rows = pipeline.query("from marts.contacts where source = ?", [source])
    return {row["contact_id"]: row for row in rows}


def _conversation_of(pipeline: Pipeline, source: str, contact_id: str) -> Row:
    (row,) = pipeline.query(
        "from marts.conversations where conversation_id = ("
        "select conversation_id from marts.conversation_ids where source = ? and id = ?)",
        [source, contact_id],
    )
    return row


def _findings(pipeline: Pipeline, source: str) -> dict[str, dict[str, float]]:
    """What graph_quality holds of a source: code -> contact -> how much."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in pipeline.query("from marts.graph_quality where source = ?", [source]):
        found[row["code"]][row["contact_id"]] = row["value"]
    return dict(found)


def _warned(pipeline: Pipeline, test: str, source: str) -> list[Row]:
    """What a data test that warns shows of a source: its SQL, as dbt compiled it."""
    (path,) = pipeline.settings.dbt_target_dir.glob(f"compiled/**/{test}.sql")
    rows = pipeline.query(path.read_text(encoding="utf-8"))
    return [row for row in rows if row["source"] == source]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02 {text}")


def test_a_respondent_of_an_unknown_kind_is_not_human(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "unknown_kind")
    kinds = {name: (row["agent_kind"], row["is_human"]) for name, row in contacts.items()}
    assert kinds == {
        "c1": (None, False),
        "c2": ("human", True),
        "c3": (None, False),
        "c4": ("human", True),
    }


def test_the_reply_of_an_unknown_kind_is_no_human_reply(pipeline: Pipeline) -> None:
    joined = _conversation_of(pipeline, "unknown_kind", "c1")
    assert joined["first_human_reply_at"] == _at("10:10:00")
    assert joined["human_contact_count"] == 1
    alone = _conversation_of(pipeline, "unknown_kind", "c3")
    assert alone["is_answered"]
    assert not alone["is_answered_by_human"]
    assert alone["first_human_reply_at"] is None


def test_who_speaks_for_a_missing_contact_is_not_known_to_be_human(pipeline: Pipeline) -> None:
    conversation = _conversation_of(pipeline, "unknown_kind", "lost")
    # Of c4, by its log: the message in the missing contact is nobody's reply.
    assert conversation["first_human_reply_at"] == _at("13:00:05")
    (transfer,) = pipeline.query("from marts.transfers where source = 'unknown_kind'")
    assert transfer["to_agent_kind"] is None


def test_columns_that_the_contract_does_not_know_are_carried_through(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "extra")
    assert {name: row["extra"] for name, row in contacts.items()} == {
        "c1": None,
        "c2": '{"mood":"glad"}',
        "c3": '{"mood":"sad"}',
        "alone": '{"mood":"calm"}',
    }
    # That of the first contact that has any.
    assert _conversation_of(pipeline, "extra", "c1")["extra"] == '{"mood":"glad"}'
    assert _conversation_of(pipeline, "extra", "alone")["extra"] == '{"mood":"calm"}'


def test_a_word_for_success_is_accepted_and_so_is_an_unknown_one_between_two_contacts(
    pipeline: Pipeline,
) -> None:
    rows = pipeline.query("from marts.transfers where source = 'outcome_words'")
    assert {row["transfer_id"]: row["outcome"] for row in rows} == {
        "a": "accepted",
        "b": "accepted",
        "c": "accepted",
        "d": "accepted",
        "e": "unknown",
        "nobody_yet": "pending",
    }
    assert {row["transfer_id"] for row in rows if row["is_completed"]} == set("abcd")
    counts = {
        name: _conversation_of(pipeline, "outcome_words", f"{name}1")["transfer_count"]
        for name in "abcde"
    }
    assert counts == {"a": 1, "b": 1, "c": 1, "d": 1, "e": 0}


def test_an_unknown_word_for_an_outcome_is_a_warning(pipeline: Pipeline) -> None:
    rows = _warned(pipeline, "assert_every_code_is_known", "outcome_words")
    assert [(row["vocabulary"], row["code"], row["record_count"]) for row in rows] == [
        ("outcome", "durchgestellt", 2)
    ]


def test_a_word_for_none_links_nothing(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "placeholders")
    assert len({row["conversation_id"] for row in contacts.values()}) == len(contacts)
    assert {row["conversation_ref"] for row in contacts.values()} == {None}
    assert {row["visitor_id"] for name, row in contacts.items() if "asked" in name} == {None}
    assert _findings(pipeline, "placeholders") == {}
    transfers = pipeline.query("from marts.transfers where source = 'placeholders'")
    assert {row["to_contact_id"] for row in transfers} == {None}
    (sale,) = pipeline.query("from marts.transactions where source = 'placeholders'")
    assert (sale["contact_id"], sale["visitor_id"]) == (None, None)


def test_words_for_none_stay_verbatim_in_raw_and_are_counted_in_a_warning(
    pipeline: Pipeline,
) -> None:
    raw = pipeline.query(
        "select distinct visitor_id from raw.contacts where source = 'placeholders'"
    )
    assert set(WORDS) <= {row["visitor_id"] for row in raw}
    counts: dict[str, int] = defaultdict(int)
    for row in _warned(pipeline, "assert_no_reference_is_a_word_for_none", "placeholders"):
        counts[f"{row['log']}.{row['column_name']}"] += row["value_count"]
    assert counts == {
        "contacts.conversation_ref": 5 * len(WORDS),
        "contacts.previous_contact_id": 5 * len(WORDS),
        "contacts.visitor_id": len(WORDS),
        "transfers.to_contact_id": len(WORDS),
        "transactions.contact_id": 1,
        "transactions.visitor_id": 1,
    }
    assert _warned(pipeline, "assert_no_reference_is_a_word_for_none", "zeros") == []


def test_a_reference_that_too_many_visitors_share_links_and_is_a_finding(
    pipeline: Pipeline,
) -> None:
    contacts = _contacts(pipeline, "zeros")
    assert len({row["conversation_id"] for row in contacts.values()}) == 3
    found = pipeline.query(
        "select contact_id, reference, value from marts.graph_quality"
        " where source = 'zeros' and code = 'shared_reference' order by contact_id"
    )
    assert [tuple(row.values()) for row in found] == [("0", "0", 5), ("reference_1", "0", 5)]


def test_a_transcript_under_every_contact_is_told_apart_by_time(pipeline: Pipeline) -> None:
    rows = pipeline.query("from marts.messages where source = 'transcript_twice'")
    assert {row["message_id"]: row["contact_id"] for row in rows} == {
        "m1": "c1",
        "m2": "c1",
        "m3": "c2",
        # Under contacts of two conversations: the newest, of one load the last.
        "m9": "other",
    }
    contacts = _contacts(pipeline, "transcript_twice")
    assert contacts["c1"]["is_answered"]
    assert contacts["c1"]["first_reply_seconds"] == 30
    found = _findings(pipeline, "transcript_twice")["message_under_several_contacts"]
    assert found == {"c1": 2, "c2": 1, "other": 1}


def test_a_contact_id_that_is_used_again_is_a_finding(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "reused_id")
    assert contacts["1001"]["agent_id"] == "bob"
    assert _findings(pipeline, "reused_id") == {"reused_contact_id": {"1001": 1}}


def test_a_reply_before_the_start_and_a_message_outside_are_findings(pipeline: Pipeline) -> None:
    assert _findings(pipeline, "spans") == {
        "negative_first_reply": {"early_reply": 3600},
        "message_outside_contact": {"ten_years": 1, "late": 1, "agent_before": 1},
    }


def test_no_duration_is_taken_from_a_message_outside_its_contact(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "spans")
    assert all(row["is_answered"] for row in contacts.values())
    # The replies that lie in their contacts, and one whose contact it does not lie in.
    assert {name: row["answered_at"] for name, row in contacts.items()} == {
        "early_reply": _at("09:00:00"),
        "ten_years": _at("10:02:00"),
        "late": None,
        "mail": _at("10:01:00"),
        "agent_before": _at("10:02:00"),
    }
    assert contacts["late"]["first_reply_seconds"] is None
    assert contacts["late"]["response_count"] == 0
    assert contacts["mail"]["first_reply_seconds"] == 86460
    assert contacts["agent_before"]["first_reply_seconds"] == 60
    ten_years = _conversation_of(pipeline, "spans", "ten_years")
    assert ten_years["first_visitor_message_at"] is None
    assert ten_years["resolution_seconds"] == 600
    # Shown all the same.
    assert ten_years["messages_received_count"] == 1
    assert len(pipeline.query("from marts.messages where contact_id = 'ten_years'")) == 2


def test_a_transfer_between_contacts_that_nobody_delivered_is_said(pipeline: Pipeline) -> None:
    assert _findings(pipeline, "unknown_ends") == {"missing_contact": {"x1": 1, "x2": 1}}
    rows = _warned(pipeline, "assert_every_record_names_a_known_contact", "unknown_ends")
    assert [(row["mart"], row["record_count"]) for row in rows] == [("transfers", 2)]


@pytest.fixture(scope="module")
def taken_back(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What each id leads to after each of three runs: linked, published, taken back, published."""
    pipeline = Pipeline(tmp_path_factory.mktemp("taken_back"))

    def contact(name: str, previous: str | None, version: int) -> Row:
        return {
            "contact_id": name,
            "started_at": "2026-03-02T09:00:00Z",
            "ended_at": "2026-03-02T09:10:00Z",
            "previous_contact_id": previous,
            "updated_at": f"2026-03-0{version}T12:00:00Z",
        }

    def transfer(name: str, origin: str, target: str | None, version: int) -> Row:
        return {
            "transfer_id": name,
            "from_contact_id": origin,
            "to_contact_id": target,
            "requested_at": "2026-03-02T09:09:00Z",
            "updated_at": f"2026-03-0{version}T12:00:00Z",
        }

    # far hangs on near, near on c1, and other on c2.
    pipeline.write("shop", "contacts", [contact("c1", None, 3), contact("c2", "other", 3)])
    pipeline.write(
        "shop", "transfers", [transfer("t1", "c1", "near", 3), transfer("t2", "near", "far", 3)]
    )
    told = []
    for later in (
        {},
        {"contacts": [contact("c2", None, 4)], "transfers": [transfer("t1", "c1", None, 4)]},
        {"transfers": [transfer("t2", "near", None, 5)]},
    ):
        for log, rows in later.items():
            pipeline.write("shop", log, rows)
        pipeline.run()
        ids = pipeline.query("select id, conversation_id from marts.conversation_ids")
        told.append({row["id"]: row["conversation_id"] for row in ids})
    return told


def test_the_id_of_a_missing_contact_resolves_after_its_link_was_taken_back(
    taken_back: list[dict[str, str]],
) -> None:
    expected = {
        "c1": "shop:c1",
        "c2": "shop:c2",
        "shop:c1": "shop:c1",
        "shop:c2": "shop:c2",
        "near": "shop:c1",
        "far": "shop:c1",
        "other": "shop:c2",
    }
    assert taken_back == [expected] * 3
