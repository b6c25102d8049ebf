"""Real incidents with hand-overs between agents, against figures computed outside this project.

The data is not part of the repository: without `../shared/data` these tests are skipped. The logs
come in thirty parts, each of a stretch of days, in no order of time. By default all but the
last come at once; `REAL_DELIVERIES=30`, for the night, delivers each by itself, and after each one
compares what stands with a rebuild.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from harness import REPOSITORY, Pipeline
from rebuilt import Rebuilt

PARTS = 30
DELIVERIES = int(os.environ.get("REAL_DELIVERIES", "2"))
# By log: which of its columns says when.
TIMES = {"contacts": "started_at", "transfers": "transferred_at", "messages": "sent_at"}

DATA = REPOSITORY.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real logs, ../shared/data, are not there"
)


def _parts(log: str) -> Iterator[list[dict[str, str]]]:
    """The rows of a log in equal stretches of time, in their order."""
    [path] = (DATA / "landing" / "servicenow" / log).iterdir()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row[TIMES[log]])
    for part in range(PARTS):
        yield rows[part * len(rows) // PARTS : (part + 1) * len(rows) // PARTS]


def _deliver(pipeline: Pipeline) -> Iterator[int]:
    """Write the parts shuffled, what comes at once before each answer: how many have come."""
    order = random.Random(498).sample(range(PARTS), PARTS)
    parts = {log: list(_parts(log)) for log in TIMES}
    for come, part in enumerate(order, 1):
        for log in TIMES:
            pipeline.write("servicenow", log, parts[log][part], name=f"part_{part:02}")
        if come > PARTS - DELIVERIES:
            yield come


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    home = tmp_path_factory.mktemp("real_data")
    pipeline, rebuilt = Pipeline(home / "refreshed"), Rebuilt(home / "rebuilt")
    for come in _deliver(pipeline):
        pipeline.run()
        assert pipeline.is_refresh is (pipeline.runs > 1), pipeline.planned
        if come == PARTS or DELIVERIES == PARTS:
            rebuilt.build(pipeline)
            found = rebuilt.differences(pipeline, is_published=True)
            assert not found, f"after {come} parts:\n" + "\n".join(found)
    return pipeline


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DATA / "expected" / "servicenow.json").read_bytes())
    return content


def _one(pipeline: Pipeline, sql: str) -> Any:
    (row,) = pipeline.query(sql)
    (value,) = row.values()
    return value


def test_the_partition_equals_the_one_of_six_other_engines(
    pipeline: Pipeline, expected: dict[str, Any]
) -> None:
    rows = pipeline.query(
        "select contact_id, min(contact_id) over (partition by conversation_id) as smallest"
        " from marts.contacts order by contact_id"
    )
    lines = "\n".join(f"{row['contact_id']}\t{row['smallest']}" for row in rows)
    assert hashlib.sha256(lines.encode()).hexdigest() == expected["partition_sha256"]


def test_contacts_transfers_and_conversations_are_counted_right(
    pipeline: Pipeline, expected: dict[str, Any]
) -> None:
    conversations = "select count(*) from marts.conversations"
    found = {
        "contacts_rows": _one(pipeline, "select count(*) from marts.contacts"),
        "transfers_rows": _one(pipeline, "select count(*) from marts.transfers"),
        "conversations": _one(pipeline, conversations),
        "conversations_single_contact": _one(pipeline, f"{conversations} where contact_count = 1"),
        "conversations_with_transfer": _one(pipeline, f"{conversations} where is_transferred"),
        "conversations_more_than_one_agent": _one(
            pipeline, f"{conversations} where agent_count > 1"
        ),
        "max_contacts_in_conversation": _one(
            pipeline, "select max(contact_count) from marts.conversations"
        ),
        "contacts_per_conversation_hist": {
            str(row["contact_count"]): row["conversations"]
            for row in pipeline.query(
                "select contact_count, count(*) as conversations from marts.conversations"
                " group by contact_count order by contact_count"
            )
        },
        "contacts_missing_agent": _one(
            pipeline, "select count(*) from marts.contacts where agent_id is null"
        ),
        "distinct_agents": _one(pipeline, "select count(distinct agent_id) from marts.contacts"),
    }
    assert found == {name: value for name, value in expected.items() if name in found}
    assert set(expected) - set(found) == {"partition_sha256"}


def test_every_contact_id_leads_to_its_conversation(pipeline: Pipeline) -> None:
    rows = pipeline.query(
        "select count(*) as wrong from marts.contacts as contacts"
        " left join marts.conversation_ids as ids"
        " on ids.source = contacts.source and ids.id = contacts.contact_id"
        " where ids.conversation_id is distinct from contacts.conversation_id"
    )
    assert rows == [{"wrong": 0}]


def test_both_reports_hold_every_conversation_and_every_contact_once(
    pipeline: Pipeline, expected: dict[str, Any]
) -> None:
    closed = _one(pipeline, "select count(*) from marts.conversations where is_closed")
    for grain in ("day", "week", "month"):
        statistical, contacts = (
            pipeline.query(
                "select sum(conversations) as total from reports.statistical_report"
                " where dimension = 'all' and period_grain = ?",
                [grain],
            ),
            pipeline.query(
                "select sum(contacts) as total from reports.contacts_report"
                " where dimension = 'all' and period_grain = ?",
                [grain],
            ),
        )
        assert statistical == [{"total": closed}]
        assert contacts == [{"total": expected["contacts_rows"]}]
