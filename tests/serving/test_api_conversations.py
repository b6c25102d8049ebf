"""The conversation resource: which conversations, in which order, and what a document holds.

Figures to compare with are computed here, from the snapshot, in another way than the resource does.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from serving.api import history
from serving.snapshot import Snapshot

LIST = "/api/2/conversation"
Rows = list[dict[str, Any]]


def _answer(client: TestClient, path: str, **parameters: object) -> dict[str, Any]:
    answer = client.get(path, params={name: str(value) for name, value in parameters.items()})
    assert answer.status_code == 200
    return dict(answer.json())


def _all(client: TestClient, zone: str = "", **filters: object) -> list[str]:
    """The ids of every page."""
    found: list[str] = []
    page = 1
    while True:
        answer = _answer(
            client,
            LIST,
            limit=100,
            page=page,
            zone=zone,
            **{f"filters[{name}]": value for name, value in filters.items()},
        )
        assert answer["meta"]["status"] == "success", answer
        found += [item["id"] for item in answer["data"]]
        if page == answer["pagination"]["pages"]:
            assert len(found) == answer["pagination"]["count"]
            return found
        page += 1


def _ids(snapshot: Snapshot, condition: str, **values: object) -> set[str]:
    return {
        row["conversation_id"]
        for row in snapshot.rows(
            f"select conversation_id from marts.conversations where {condition}",
            values,
        )
    }


def _local(at: datetime, zone: str) -> str:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def test_the_list_holds_every_conversation_once_the_newest_first(
    client: TestClient, snapshot: Snapshot
) -> None:
    rows = snapshot.rows(
        "select conversation_id from marts.conversations order by started_at desc,"
        " conversation_id desc"
    )
    assert _all(client) == [row["conversation_id"] for row in rows]


def test_a_list_item_is_an_id_and_a_link_that_leads_there(client: TestClient) -> None:
    answer = _answer(client, LIST)
    assert answer["pagination"]["limit"] == len(answer["data"]) == 20
    for item in answer["data"]:
        assert set(item) == {"id", "_link"}
        assert _answer(client, "/api/2" + item["_link"])["data"]["id"] == item["id"]


def test_full_shows_the_documents_that_the_single_resource_shows(client: TestClient) -> None:
    page = _answer(client, LIST, full=1, limit=30, page=7)["data"]
    assert len(page) == 30
    for shown in page:
        assert shown == _answer(client, "/api/2" + shown["_link"])["data"]


def test_a_page_behind_the_last_is_the_last_and_nothing_is_one_page(client: TestClient) -> None:
    pages = _answer(client, LIST)["pagination"]["pages"]
    last = _answer(client, LIST, page=pages)
    assert 0 < len(last["data"]) <= 20
    for page in (pages + 1, 10_000):
        assert _answer(client, LIST, page=page) == last
    nothing = _answer(client, LIST, **{"filters[visitor_id]": "nobody"})
    assert nothing["pagination"] == {"page": 1, "pages": 1, "limit": 20, "count": 0}


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({"website_id": "101"}, "project_id = '101'"),
        ({"website_id": "101, 102,west"}, "project_id in ('101', '102', 'west')"),
        ({"website_id": "10*"}, "project_id like '10%'"),
        ({"channel": "chat"}, "channel = 'chat'"),
        ({"channel": "CHAT,call"}, "channel in ('chat', 'call')"),
        ({"channel": "social"}, "channel not in ('chat', 'call', 'video')"),
        ({"channel": "appleBusinessChat"}, "channel = 'apple_business_chat'"),
        ({"automation_level": "fully_automated"}, "human_contact_count = 0"),
        ({"transferred": 1}, "transfer_count > 0"),
        ({"transferred": 0}, "transfer_count = 0"),
        ({"answered": "false"}, "not is_answered"),
        ({"min_score": 4}, "csat_score >= 4"),
        ({"min_score": 2, "max_score": "3.5"}, "csat_score between 2 and 3.5"),
        ({"source": "harbor_telecom"}, "source = 'harbor_telecom'"),
        ({"operator_id": "9"}, "list_contains(agent_path, '9')"),
        (
            {"operator_id": "9", "source": "maison_lumiere"},
            "list_contains(agent_path, '9') and source = 'maison_lumiere'",
        ),
        ({"operator_id": "a-90*"}, "list_has_any(agent_path, ['a-901', 'a-902'])"),
        (
            {"tag_id": "vip"},
            "conversation_id in"
            " (select conversation_id from marts.contacts where list_contains(tags, 'vip'))",
        ),
        ({"tag_id": "vip", "channel": "chat", "answered": 1}, None),
    ],
    ids=str,
)
def test_a_filter_selects_what_it_says(
    client: TestClient, snapshot: Snapshot, filters: dict[str, object], condition: str | None
) -> None:
    condition = condition or (
        "channel = 'chat' and is_answered and conversation_id in"
        " (select conversation_id from marts.contacts where list_contains(tags, 'vip'))"
    )
    expected = _ids(snapshot, condition)
    assert expected
    assert set(_all(client, **filters)) == expected


def test_a_visitor_is_found_by_the_whole_id_and_by_its_beginning(
    client: TestClient, snapshot: Snapshot
) -> None:
    visitor = snapshot.value("select min(visitor_id) from marts.conversations")
    assert set(_all(client, visitor_id=visitor)) == _ids(snapshot, "visitor_id = $v", v=visitor)
    assert set(_all(client, visitor_id=visitor[:2] + "*")) == _ids(
        snapshot, "starts_with(visitor_id, $v)", v=visitor[:2]
    )


@pytest.mark.parametrize("zone", ["", "Europe/Paris", "America/Toronto", "Pacific/Auckland"])
def test_a_period_is_of_the_one_clock_of_the_request(
    client: TestClient, snapshot: Snapshot, zone: str
) -> None:
    opened = {
        row["conversation_id"]: _local(row["started_at"], zone or "UTC")
        for row in snapshot.rows("select conversation_id, started_at from marts.conversations")
    }
    for first, last in (
        ("2026-10-01", "2026-10-03"),
        ("2026-10-24 22:15:00", "2026-10-25 23:59:59"),
        ("2026-11-01 03:30:00", "2026-11-01"),
        ("2026-09-20", "2026-09-20 12:00:00"),
    ):
        start = first if " " in first else f"{first} 00:00:00"
        end = last if " " in last else f"{last} 23:59:59"
        expected = {id for id, at in opened.items() if start <= at <= end}
        assert expected
        assert set(_all(client, zone, **{"from": first, "to": last})) == expected


def test_a_period_bound_is_the_opening_that_the_document_shows(client: TestClient) -> None:
    documents = _answer(client, LIST, full=1, limit=100)["data"]
    for document in documents[::25]:
        at = document["created_at"]
        assert document["id"] in _all(client, **{"from": at, "to": at})


def test_any_id_of_a_conversation_leads_to_it(client: TestClient, snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select id, source, conversation_id, id_kind from marts.conversation_ids"
        " qualify row_number() over (partition by id_kind order by md5(id)) <= 25"
    )
    assert {row["id_kind"] for row in rows} == {
        "contact",
        "conversation",
        "former_conversation",
        "missing_contact",
    }
    for row in rows:
        path = f"{LIST}/{quote(row['id'], safe='')}"
        found = _answer(client, path, source=row["source"])
        assert found["data"]["id"] == row["conversation_id"]
        inside = _answer(client, path, **{"filters[source]": row["source"]})
        assert inside == found
        listed = _all(client, conversation_id=row["id"], source=row["source"])
        assert listed == [row["conversation_id"]]


def test_an_id_of_two_sources_asks_for_the_source(client: TestClient, snapshot: Snapshot) -> None:
    row = snapshot.row(
        "select id, list(source order by source) as sources from marts.conversation_ids"
        " where id_kind = 'contact' group by id having count(distinct source) > 1 order by id"
    )
    assert row is not None
    answer = _answer(client, f"{LIST}/{row['id']}")
    assert answer["meta"]["status"] == "fail"
    assert all(source in answer["meta"]["message"] for source in row["sources"])
    assert len(_all(client, conversation_id=row["id"])) == 2


def test_an_unknown_id_gets_the_platforms_words(client: TestClient) -> None:
    for id in ("456", "no/such id", "100%", "é", "a:b:c", "a\x00b", "' or 1=1 --"):
        answer = _answer(client, f"{LIST}/{quote(id, safe='')}")
        assert answer == {
            "meta": {"status": "fail", "message": f"Unknown 'conversation' with 'id' {id}."}
        }


def test_the_document_says_what_the_marts_say(client: TestClient, snapshot: Snapshot) -> None:
    rows = snapshot.rows(
        "select * from marts.conversations"
        " order by contact_count desc, transaction_count desc, conversation_id limit 40"
    )
    for row in rows:
        id, zone = row["conversation_id"], row["time_zone"]
        found = _answer(client, f"{LIST}/{id}")["data"]
        assert found["id"] == id
        assert found["visitor_uid"] == found["visitor_id"] == row["visitor_id"]
        assert found["website_id"] == row["project_id"]
        assert found["operator_id"] == row["last_agent_id"]
        assert found["operator_ids"] == list(dict.fromkeys(row["agent_path"]))
        assert found["created_at"] == _local(row["started_at"], "UTC")
        closed = row["closed_at"]
        assert found["closed_at"] == (_local(closed, "UTC") if closed else None)
        on_its_own = _answer(client, f"{LIST}/{id}", zone=zone)
        assert on_its_own["meta"]["zone"] == zone
        assert on_its_own["data"]["created_at"] == _local(row["started_at"], zone)
        assert found["started_at"] == row["started_at"].isoformat() + "Z"
        assert found["operator_answered"] is found["operator_answer"] is row["is_answered"]
        assert found["operator_closed"] is (row["close_reason"] == "close")
        assert found["waiting_list"] is found["waitinglist"] is None
        contacts = snapshot.rows(
            "select * from marts.contacts where conversation_id = $id order by contact_no",
            {"id": id},
        )
        assert [contact["contact_id"] for contact in found["contacts"]] == [
            contact["contact_id"] for contact in contacts
        ]
        assert [contact["seq"] for contact in found["contacts"]] == list(
            range(1, len(contacts) + 1)
        )
        assert len(contacts) == found["contact_count"] == row["contact_count"]
        assert set(found["tag_list"]) == {
            tag for contact in contacts for tag in contact["tags"] or ()
        }
        for table, part in (
            ("transfers", found["transfers"]),
            ("messages", found["messages"]),
            ("ratings", found["satisfaction"]["answers"]),
            ("transactions", found["transactions"]),
        ):
            count = f"select count(*) from marts.{table} where conversation_id = $id"
            assert len(part) == snapshot.value(count, {"id": id}), table
        assert [message["seq"] for message in found["messages"]] == list(
            range(1, len(found["messages"]) + 1)
        )
        amount = row["transaction_amount"]
        assert found["transaction_amount"] == (None if amount is None else float(amount))
        assert found["satisfaction"]["csat_score"] == row["csat_score"]


def test_the_aliases_are_every_other_id_that_leads_here(
    client: TestClient, snapshot: Snapshot
) -> None:
    rows = snapshot.rows(
        "select conversation_id, list((id, id_kind, reason)) as ids from marts.conversation_ids"
        " where id <> conversation_id group by conversation_id"
        " order by count(distinct id_kind) desc, conversation_id limit 60"
    )
    kinds = set()
    for row in rows:
        aliases = _answer(client, f"{LIST}/{row['conversation_id']}")["data"]["aliases"]
        found = Counter((alias["id"], alias["kind"], alias["reason"]) for alias in aliases)
        assert found == Counter(row["ids"])
        assert all(alias["since"] for alias in aliases)
        kinds |= {alias["kind"] for alias in aliases}
    assert kinds == {"contact", "former_conversation", "missing_contact"}


def test_the_history_parses_and_holds_every_message_and_every_transfer(client: TestClient) -> None:
    documents = _answer(client, LIST, full=1, limit=100, **{"filters[transferred]": 1})["data"]
    for document in documents:
        entries = json.loads(f"[{document['history']}]")
        texts = Counter(entry[2] for entry in entries if entry[0] != 3)
        bodies = Counter(
            message["body"]
            for message in document["messages"]
            if message["author_kind"] in ("visitor", "agent", "bot")
        )
        assert texts == bodies
        clock = [entry[1] for entry in entries]
        assert clock == sorted(clock) or _crosses_a_clock_change(entries)
        for entry in entries:
            assert entry[0] in (1, 2, 3, 5, 6, 7)
            assert len(entry) == (4 if entry[0] in (1, 2) else 3)
            if entry[0] in (1, 2):
                at = datetime.fromtimestamp(entry[3] / 1000, UTC)
                assert entry[1] == at.strftime("%Y-%m-%d %H:%M:%S")
        handed = [entry[2] for entry in entries if entry[2] == "OPERATOR_TRANSFER"]
        taken = [entry[2] for entry in entries if entry[2].startswith("OPERATOR_TAKEOVER")]
        assert len(taken) == document["transfer_count"] > 0
        assert len(handed) >= document["transfer_count"]
        takers = {contact["contact_id"]: contact["operator_id"] for contact in document["contacts"]}
        assert Counter(taken) == Counter(
            f"OPERATOR_TAKEOVER {takers.get(transfer['to_contact_id']) or ''}".strip()
            for transfer in document["transfers"]
            if transfer["outcome"] == "accepted" and not transfer["is_rejected_link"]
        )


def _crosses_a_clock_change(entries: list[list[Any]]) -> bool:
    moments = [entry[3] for entry in entries if len(entry) == 4]
    return moments == sorted(moments)


def _message(contact: str, second: int, author: str, body: str, **more: Any) -> dict[str, Any]:
    return {
        "contact_id": contact,
        "sent_at": datetime(2026, 1, 1, 10, 0, second),
        "author_kind": author,
        "body": body,
        "content_type": None,
        "is_private": False,
        **more,
    }


def _contact(id: str, number: int, start: int, end: int, agent: str, reason: str) -> dict[str, Any]:
    return {
        "contact_id": id,
        "contact_no": number,
        "started_at": datetime(2026, 1, 1, 10, 0, start),
        "ended_at": datetime(2026, 1, 1, 10, 0, end),
        "end_reason": reason,
        "agent_id": agent,
    }


def _transfer(second: int, **more: Any) -> dict[str, Any]:
    return {
        "from_contact_id": "c1",
        "to_contact_id": "c2",
        "to_agent_id": None,
        "requested_at": datetime(2026, 1, 1, 10, 0, second),
        "outcome": "accepted",
        "is_completed": True,
        "is_rejected_link": False,
        **more,
    }


def _texts(messages: Rows, contacts: Rows, transfers: Rows) -> list[list[Any]]:
    text = history.encode(messages, contacts, transfers, lambda at: at.isoformat(" "))
    return [entry[:1] + entry[2:3] for entry in json.loads(f"[{text}]")]


CONTACTS = [_contact("c1", 1, 0, 20, "7", "transfer"), _contact("c2", 2, 22, 40, "9 b", "close")]


def test_a_transfer_that_the_messages_do_not_hold_is_written_from_the_log_of_transfers() -> None:
    messages = [
        _message("c1", 0, "visitor", "Hi"),
        _message("c1", 5, "agent", "Hello"),
        _message("c1", 20, "agent", "My colleague takes over"),
        _message("c2", 22, "agent", "I take over"),
        _message("c2", 30, "agent", "img.png", content_type="image"),
        _message("c2", 31, "visitor", "https://example.org", content_type="link"),
        _message("c2", 32, "visitor", 'He said "no",\n[1]'),
    ]
    assert _texts(messages, CONTACTS, [_transfer(20)]) == [
        [2, "Hi"],
        [1, "Hello"],
        [1, "My colleague takes over"],
        [3, "OPERATOR_TRANSFER"],
        [3, "OPERATOR_TAKEOVER 9 b"],
        [1, "I take over"],
        [6, "img.png"],
        [5, "https://example.org"],
        [2, 'He said "no",\n[1]'],
        [3, "OPERATOR_CHAT_CLOSE"],
    ]


def test_a_private_note_is_a_notification_and_not_said_to_the_visitor() -> None:
    messages = [
        _message("c1", 0, "visitor", "Hi"),
        _message("c1", 5, "agent", "A refund, I think", is_private=True),
        _message("c1", 6, "agent", "Hello"),
    ]
    assert _texts(messages, CONTACTS[:1], []) == [
        [2, "Hi"],
        [3, "A refund, I think"],
        [1, "Hello"],
    ]


def test_a_transfer_that_the_messages_hold_is_not_written_twice() -> None:
    messages = [
        _message("c1", 0, "visitor", "Hi"),
        _message("c1", 25, "system", "OPERATOR_TRANSFER"),
        _message("c2", 26, "bot", "Good day"),
        _message("c2", 40, "system", "OPERATOR_CHAT_CLOSE"),
    ]
    assert _texts(messages, CONTACTS, [_transfer(20)]) == [
        [2, "Hi"],
        [3, "OPERATOR_TRANSFER"],
        [3, "OPERATOR_TAKEOVER 9 b"],
        [1, "Good day"],
        [3, "OPERATOR_CHAT_CLOSE"],
    ]


def test_a_transfer_that_failed_or_joins_nothing_is_no_marker() -> None:
    transfers = [
        _transfer(20, outcome="failed", is_completed=False),
        _transfer(20, is_completed=False, is_rejected_link=True),
        _transfer(20, to_contact_id=None, outcome="unknown", is_completed=False),
    ]
    assert _texts([], CONTACTS, transfers) == [[3, "OPERATOR_CHAT_CLOSE"]]


def test_a_transfer_to_a_contact_that_no_log_has_says_what_is_known() -> None:
    transfers = [_transfer(20, to_contact_id="gone"), _transfer(21, to_agent_id="4")]
    transfers[1]["to_contact_id"] = None
    assert _texts([_message("c1", 20, "agent", "Bye")], CONTACTS[:1], transfers) == [
        [1, "Bye"],
        [3, "OPERATOR_TRANSFER"],
        [3, "OPERATOR_TAKEOVER"],
        [3, "OPERATOR_TRANSFER"],
        [3, "OPERATOR_TAKEOVER 4"],
    ]


def test_conversations_that_start_in_one_moment_are_told_apart(
    client: TestClient, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = snapshot.rows(
        "select conversation_id from marts.conversations"
        " qualify count(*) over (partition by started_at) > 1 order by conversation_id"
    )
    ids = [row["conversation_id"] for row in rows]
    ids += ["maison_lumiere:310001", "harbor_telecom:00440001"]
    found = [_answer(client, f"{LIST}/{id}") for id in ids]
    assert [answer["data"]["id"] for answer in found] == ids
    monkeypatch.setattr("serving.api.document.MOST_NEIGHBOURS", 0)
    assert [_answer(client, f"{LIST}/{id}") for id in ids] == found
