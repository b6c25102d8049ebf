"""Real incidents with hand-overs between agents, against figures computed outside this project.

The data is not part of the repository: without `../shared/data` these tests are skipped.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from harness import REPOSITORY, Pipeline

DATA = REPOSITORY.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real logs, ../shared/data, are not there"
)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("real_data"), landing_dir=DATA / "landing")
    pipeline.run()
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
