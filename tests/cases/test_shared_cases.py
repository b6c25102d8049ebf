"""Inputs that once went wrong, all of them in one warehouse, against what is right.

The inputs are not part of the repository: without `../shared/cases` these tests are skipped. Each
rule has a test of its own, with rows of its own, where its subject is; here nothing is told apart.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from typing import Any

import pytest
from harness import REPOSITORY, Pipeline, Row

CASES = REPOSITORY.parent / "shared" / "cases"

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="the inputs, ../shared/cases, are not there"
)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Every case loaded, each under a source of its own: `<case>_<source>`."""
    sources = []
    for path in sorted(CASES.glob("*/registry/sources.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                sources.append({**row, "source": f"{path.parts[-3]}_{row['source']}"})
    pipeline = Pipeline(tmp_path_factory.mktemp("cases"), sources=sources)
    for path in sorted(CASES.glob("*/landing/*/**/*")):
        if path.is_file():
            case, _, source, *rest = path.relative_to(CASES).parts
            target = pipeline.settings.landing_dir.joinpath(f"{case}_{source}", *rest)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    pipeline.run()
    return pipeline


def _rows(pipeline: Pipeline, table: str, source: str, columns: str, order: str) -> list[Row]:
    return pipeline.query(
        f"select {columns} from {table} where source = ? order by {order}", [source]
    )


def _contacts(pipeline: Pipeline, source: str, columns: str) -> dict[str, Any]:
    rows = _rows(pipeline, "marts.contacts", source, f"contact_id, {columns}", "contact_id")
    return {row.pop("contact_id"): row for row in rows}


def _findings(pipeline: Pipeline, source: str) -> Counter[str]:
    return Counter(
        row["code"] for row in _rows(pipeline, "marts.graph_quality", source, "code", "code")
    )


def _one(rows: list[Row]) -> Row:
    (row,) = rows
    return row


def test_far_dates_are_no_dates(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "far_dates_paris", "is_open, answered_at, ended_at")
    assert contacts["p1"]["is_open"]
    assert contacts["p1"]["ended_at"] is None
    assert not contacts["p2"]["is_open"]
    assert contacts["p2"]["answered_at"] is None
    assert list(_contacts(pipeline, "far_dates_plain", "is_open")) == ["c2"]
    loads = pipeline.query(
        "select source, sum(placeholder_times) as n from raw.loads where source like 'far_dates_%'"
        " group by source order by source"
    )
    assert loads == [{"source": "far_dates_paris", "n": 2}, {"source": "far_dates_plain", "n": 1}]


def test_an_unknown_kind_is_nobodys_first_human_reply(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "unknown_kind_s", "agent_kind, is_human")
    assert {name: row["agent_kind"] for name, row in contacts.items()} == {
        "c1": None,
        "c2": "human",
        "c3": None,
    }
    assert [row["is_human"] for row in contacts.values()] == [False, True, False]
    replies = pipeline.query(
        "select date_diff('second', started_at, first_human_reply_at) as seconds,"
        " is_answered_by_human from marts.conversations where source = 'unknown_kind_s'"
        " order by started_at"
    )
    assert replies == [
        {"seconds": 600, "is_answered_by_human": True},
        {"seconds": None, "is_answered_by_human": False},
    ]


def test_parquet_text_without_its_mark_is_text(pipeline: Pipeline) -> None:
    source = "unmarked_parquet_s"
    found = [
        *_rows(pipeline, "marts.contacts", source, "contact_id as text", "1"),
        *_rows(pipeline, "marts.messages", source, "body as text", "1"),
    ]
    assert found
    assert not [row for row in found if "\\x" in row["text"]]
    assert any(not row["text"].isascii() for row in found)


@pytest.mark.parametrize(
    "word", ["conversation_null", "conversation_n", "conversation_none", "previous_null"]
)
def test_a_word_for_none_joins_nobody(word: str, pipeline: Pipeline) -> None:
    conversations = _rows(
        pipeline, "marts.conversations", f"placeholder_ids_{word}", "contact_count", "1"
    )
    assert [row["contact_count"] for row in conversations] == [1] * 8


def test_a_reference_of_more_visitors_than_a_person_can_be_is_a_finding(
    pipeline: Pipeline,
) -> None:
    source = "placeholder_ids_conversation_zero"
    assert _one(_rows(pipeline, "marts.conversations", source, "contact_count", "1")) == {
        "contact_count": 8
    }
    assert _findings(pipeline, source)["shared_reference"] >= 1
    assert _findings(pipeline, "placeholder_ids_previous_zero")["shared_reference"] >= 1


def test_a_decimal_that_is_whole_is_the_whole_number(pipeline: Pipeline) -> None:
    conversations = _rows(
        pipeline, "marts.conversations", "decimal_ids_s", "contact_count, is_transferred", "1"
    )
    assert conversations == [{"contact_count": 2, "is_transferred": True}]


def test_folders_fill_columns(pipeline: Pipeline) -> None:
    assert _contacts(pipeline, "folder_values_s", "project_id") == {
        "c1": {"project_id": "101"},
        "c2": {"project_id": "102"},
    }
    assert (
        pipeline.query("select path from raw.loads where path like '%\\_SUCCESS' escape '\\'") == []
    )


def test_how_a_clock_was_written_is_no_identity(pipeline: Pipeline) -> None:
    source = "local_and_utc_paris"
    assert len(_rows(pipeline, "marts.transfers", source, "transfer_id", "1")) == 1
    assert len(_rows(pipeline, "marts.ratings", source, "score", "1")) == 1
    messages = _rows(pipeline, "marts.messages", source, "body", "1")
    assert [row["body"] for row in messages] == ["hello", "ok", "ok"]


def test_a_text_that_was_removed_is_gone(pipeline: Pipeline) -> None:
    messages = _rows(pipeline, "marts.messages", "anonymised_s", "body", "1")
    assert messages == [{"body": None}]


def test_a_transcript_under_both_contacts_belongs_to_each_in_its_time(pipeline: Pipeline) -> None:
    source = "transcript_twice_s"
    rows = _rows(pipeline, "marts.messages", source, "message_id, contact_id", "message_id")
    assert {row["message_id"]: row["contact_id"] for row in rows} == {
        "m1": "c1",
        "m2": "c1",
        "m3": "c2",
    }
    assert all(row["is_answered"] for row in _contacts(pipeline, source, "is_answered").values())
    assert _findings(pipeline, source)["message_under_several_contacts"] >= 1


def test_an_id_that_is_used_again_is_a_finding(pipeline: Pipeline) -> None:
    assert _contacts(pipeline, "reused_id_s", "agent_id")["1001"] == {"agent_id": "X"}
    assert _findings(pipeline, "reused_id_s")["reused_contact_id"] == 1


def test_what_lies_outside_of_its_contact_is_a_finding_and_no_duration(pipeline: Pipeline) -> None:
    findings = _findings(pipeline, "spans_s")
    assert findings["negative_first_reply"] == 1
    assert findings["message_outside_contact"] == 2
    contacts = _contacts(pipeline, "spans_s", "first_reply_seconds, response_seconds_sum")
    for row in contacts.values():
        assert all(value is None or 0 <= value <= 600 for value in row.values())
    assert len(_rows(pipeline, "marts.messages", "spans_s", "body", "1")) == 4


def test_a_transfer_of_unknown_ends_is_two_findings(pipeline: Pipeline) -> None:
    assert _findings(pipeline, "unknown_ends_s")["missing_contact"] == 2


def test_a_greeting_is_no_reply_and_the_visitor_speaks_first(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "first_reply_s", "first_reply_seconds, response_count")
    assert contacts == {
        "greet": {"first_reply_seconds": 1170, "response_count": 1},
        "tie": {"first_reply_seconds": 0, "response_count": 1},
    }
    conversations = pipeline.query(
        "select first_reply_seconds from marts.conversations where source = 'first_reply_s'"
        " order by anchor_contact_id"
    )
    assert [row["first_reply_seconds"] for row in conversations] == [1170, 0]


@pytest.mark.parametrize("form", ["glued", "arrays", "comma"])
def test_json_in_every_form_loads(form: str, pipeline: Pipeline) -> None:
    assert list(_contacts(pipeline, f"json_forms_{form}", "is_open")) == ["1", "2"]


def test_a_trailing_comma_is_told_in_plain_words(pipeline: Pipeline) -> None:
    told = pipeline.query(
        "select reason from raw.rejected_rows where source = 'json_forms_comma'"
        " union all select reason from raw.loads"
        " where source = 'json_forms_comma' and reason is not null"
    )
    assert told
    assert not [row for row in told if "input length" in row["reason"]]


def test_refunds_are_neither_transactions_nor_conversions(pipeline: Pipeline) -> None:
    report = pipeline.query(
        "select sum(transactions) as transactions, sum(converted) as converted,"
        " sum(refunds) as refunds, sum(revenue) as revenue from reports.statistical_report"
        " where dimension = 'source' and dimension_value = 'refunds_s' and period_grain = 'month'"
    )
    assert report == [{"transactions": 1, "converted": 1, "refunds": 2, "revenue": -40}]


def test_a_private_note_is_no_reply(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "private_notes_s", "first_reply_seconds, messages_sent_count")
    assert contacts == {"c1": {"first_reply_seconds": 1200, "messages_sent_count": 1}}
    messages = _rows(pipeline, "marts.messages", "private_notes_s", "is_private", "message_id")
    assert [row["is_private"] for row in messages] == [False, True, False]


def test_a_transfer_whose_contact_opened_was_accepted(pipeline: Pipeline) -> None:
    transfers = _rows(
        pipeline, "marts.transfers", "outcome_words_s", "outcome, is_completed", "requested_at"
    )
    assert transfers == [{"outcome": "accepted", "is_completed": True}] * 2
    conversations = _rows(
        pipeline, "marts.conversations", "outcome_words_s", "contact_count", "started_at"
    )
    assert [row["contact_count"] for row in conversations] == [2, 2]


def test_every_form_of_iso_8601_loads(pipeline: Pipeline) -> None:
    contacts = _contacts(pipeline, "iso_forms_s", "started_at")
    assert {name: row["started_at"].isoformat() for name, row in contacts.items()} == {
        "basic": "2026-11-28T10:00:00",
        "comma": "2026-11-28T10:00:00.123000",
        "hour": "2026-11-28T10:00:00",
        "leap": "2017-01-01T00:00:00",
        "lower": "2026-11-28T10:00:00",
    }


def test_a_list_of_tags_is_a_list_of_tags(pipeline: Pipeline) -> None:
    rows = _contacts(pipeline, "tags_array_s", "tags")
    assert {name: list(row["tags"] or []) for name, row in rows.items()} == {
        "c1": ["299029", "5"],
        "c2": ["a", "b"],
        "c3": [],
        "c4": ["a", "b"],
    }
