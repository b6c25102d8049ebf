"""What changed: nothing lost, nothing twice, whichever page size and whichever version."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.api.changes import CONVERSATION, MERGE, Cursor, changes
from serving.api.parameters import Parameters
from serving.snapshot import Snapshot

PATH = "/api/2/changes"


def _read(client: TestClient, limit: int, since: str = "") -> tuple[list[dict[str, Any]], str]:
    """Everything behind a cursor, and the cursor at its end."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(PATH, params={"limit": limit, "since": since}).json()
        assert answer["meta"] == {"status": "success"}
        assert answer["pagination"]["limit"] == limit
        found += answer["data"]
        assert len(answer["data"]) == limit or not answer["pagination"]["has_more"]
        since = answer["pagination"]["next"]
        if not answer["pagination"]["has_more"]:
            return found, since


def test_the_changes_are_every_conversation_and_every_merge_once(
    client: TestClient, snapshot: Snapshot
) -> None:
    found, end = _read(client, 100)
    conversations = [item for item in found if item["type"] == "conversation"]
    merges = [item for item in found if item["type"] == "merge"]
    assert [item["id"] for item in conversations] == [
        row["conversation_id"]
        for row in snapshot.rows(
            "select conversation_id from marts.conversations order by changed_at, conversation_id"
        )
    ]
    assert merges
    assert [(item["old_id"], item["new_id"], item["evidence"]) for item in merges] == [
        (row["old_conversation_id"], row["new_conversation_id"], row["evidence"])
        for row in snapshot.rows(
            "select * from marts.conversation_merges"
            " order by merged_at, old_conversation_id, new_conversation_id"
        )
    ]
    moments = [item.get("changed_at") or item["merged_at"] for item in found]
    assert moments == sorted(moments)
    assert _read(client, 100, end) == ([], end)


def test_the_size_of_a_page_changes_nothing(client: TestClient) -> None:
    whole, end = _read(client, 100)
    assert _read(client, 37) == (whole, end)


def test_a_merge_leads_to_where_the_conversation_is_now(client: TestClient) -> None:
    found, _ = _read(client, 100)
    for merge in [item for item in found if item["type"] == "merge"][::20]:
        old = client.get(f"/api/2/conversation/{merge['old_id']}").json()["data"]
        new = client.get("/api/2" + merge["_link"]).json()["data"]
        assert old == new
        assert merge["old_id"] in [alias["id"] for alias in new["aliases"]]


class _Version:
    """A version made of a few rows, as the query gives them."""

    def __init__(self, version: str, rows: list[tuple[int, int, str, str]]) -> None:
        self.version = version
        self._rows = rows

    def rows(self, _: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        after = (values["at"], values["kind"], values["id"], values["new_id"])
        known = sorted((datetime(2026, 1, day), *rest) for day, *rest in self._rows)
        return [
            {
                "moment": row[0],
                "kind": row[1],
                "id": row[2],
                "new_id": row[3],
                "source": "s",
                "evidence": "policy",
                "transfer_id": None,
            }
            for row in known
            if row > after
        ][: values["limit"]]


def _page(version: _Version, limit: int, since: str = "") -> tuple[list[str], str]:
    pairs = [("limit", str(limit)), ("since", since)]
    found = changes(version, Parameters(pairs))  # type: ignore[arg-type]
    ids = [item.get("id") or f"{item['old_id']}>{item['new_id']}" for item in found.items]
    return ids, found.pagination["next"]


def test_a_later_version_goes_on_where_the_earlier_one_was_left() -> None:
    first = _Version("v1", [(1, CONVERSATION, "a", ""), (2, CONVERSATION, "b", "")])
    # b changed again, c is new, and a went into c.
    second = _Version(
        "v2",
        [(3, CONVERSATION, "b", ""), (3, CONVERSATION, "c", ""), (3, MERGE, "a", "c")],
    )
    read, cursor = _page(first, 1)
    assert read == ["a"]
    assert _page(second, 10, cursor)[0] == ["b", "c", "a>c"]
    read, cursor = _page(first, 10)
    assert read == ["a", "b"]
    assert _page(second, 10, cursor)[0] == ["b", "c", "a>c"]


def test_a_merge_that_a_policy_caused_is_not_lost_though_its_moment_was_read() -> None:
    rows = [(1, CONVERSATION, "a", ""), (2, CONVERSATION, "z", "")]
    read, cursor = _page(_Version("v1", rows), 10)
    assert read == ["a", "z"]
    # The same loads, another policy: the merge bears the moment of the newest load.
    later = [*rows, (2, MERGE, "m", "n")]
    read, cursor = _page(_Version("v2", later), 10, cursor)
    assert read == ["m>n"]
    # One more of the same moment, before it in the order: that moment's merges are given again.
    latest = [*later, (2, MERGE, "b", "n")]
    assert _page(_Version("v2", later), 10, cursor)[0] == []
    assert _page(_Version("v3", latest), 10, cursor)[0] == ["b>n", "m>n"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "\x00",
        "W10",
        base64.urlsafe_b64encode(b"[1,2,3,4,5,6]").decode(),
        base64.urlsafe_b64encode(b'[1,"v",-1,0,"",""]').decode(),
        base64.urlsafe_b64encode(b'[1,"v",1e30,0,"",""]').decode(),
        base64.urlsafe_b64encode(f'[1,"v",{10**40},0,"",""]'.encode()).decode(),
        base64.urlsafe_b64encode(b'[1,"v",1,2,"",""]').decode(),
        base64.urlsafe_b64encode(b'[1,"v",true,0,"",""]').decode(),
        base64.urlsafe_b64encode(b'[2,"v",1,0,"",""]').decode(),
        base64.urlsafe_b64encode(b'[1,"v",1,0,"\\ud800",""]').decode(),
        base64.urlsafe_b64encode(b"[" * 2000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "A" * 5000,
    ],
    ids=range(15),
)
def test_what_is_no_cursor_is_refused(client: TestClient, cursor: str) -> None:
    answer = client.get(PATH, params={"since": cursor})
    assert answer.status_code == 200
    assert answer.json()["meta"]["status"] == "fail"
    assert "'since'" in answer.json()["meta"]["message"]


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor("v1", 1_790_000_000_000_001, MERGE, "a:é/%", "b")
    assert Cursor.read(cursor.encoded()) == cursor
    assert json.loads(base64.urlsafe_b64decode(cursor.encoded() + "=="))[0] == 1
