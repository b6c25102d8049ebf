"""What changed: nothing lost, nothing twice, whichever page size and whichever version."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient

from serving.api.changes import CONVERSATION, MERGE, PARAMETERS, Cursor, changes
from serving.api.parameters import Parameters
from serving.snapshot import Snapshot

PATH = "/api/2/changes"


def _read(client: TestClient, limit: int, since: str = "") -> tuple[list[dict[str, Any]], str]:
    """Everything behind a cursor, and the cursor at its end."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(PATH, params={"limit": limit, "since": since}).json()
        assert answer["meta"]["status"] == "success"
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
            "select conversation_id from marts.conversations"
            " order by changed_publication_no, changed_at, conversation_id"
        )
    ]
    assert merges
    assert [(item["old_id"], item["new_id"], item["evidence"]) for item in merges] == [
        (row["old_conversation_id"], row["new_conversation_id"], row["evidence"])
        for row in snapshot.rows(
            "select * from marts.conversation_merges"
            " order by publication_no, merged_at, old_conversation_id, new_conversation_id"
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
    """A version of a few rows, asked by the real query: (publication, day, kind, id, new_id)."""

    def __init__(self, rows: list[tuple[int, int, int, str, str]]) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(
            "create schema marts;"
            " create table marts.conversations (changed_publication_no bigint,"
            " changed_at timestamp, conversation_id varchar, source varchar);"
            " create table marts.conversation_merges (publication_no bigint, merged_at timestamp,"
            " old_conversation_id varchar, new_conversation_id varchar, source varchar,"
            " evidence varchar, transfer_id varchar)"
        )
        for publication, day, kind, id, new_id in rows:
            values = [publication, datetime(2026, 1, day), id]
            if kind == CONVERSATION:
                sql = "insert into marts.conversations values ($1, $2, $3, 's')"
            else:
                sql = (
                    "insert into marts.conversation_merges values"
                    " ($1, $2, $3, $4, 's', 'policy', null)"
                )
                values.append(new_id)
            self._connection.execute(sql, values)

    def rows(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._connection.execute(sql, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def row(self, sql: str, values: dict[str, Any]) -> dict[str, Any] | None:
        return next(iter(self.rows(sql, values)), None)


def _page(version: _Version, limit: int, since: str = "") -> tuple[list[str], str]:
    pairs = [("limit", str(limit)), ("since", since)]
    found = changes(version, Parameters(pairs, PARAMETERS))  # type: ignore[arg-type]
    ids = [item.get("id") or f"{item['old_id']}>{item['new_id']}" for item in found.items]
    return ids, found.pagination["next"]


def test_a_later_version_goes_on_where_the_earlier_one_was_left() -> None:
    first = _Version([(1, 1, CONVERSATION, "a", ""), (1, 2, CONVERSATION, "b", "")])
    # b changed again, c is new, and a went into c.
    second = _Version(
        [(2, 3, CONVERSATION, "b", ""), (2, 3, CONVERSATION, "c", ""), (2, 3, MERGE, "a", "c")],
    )
    read, cursor = _page(first, 1)
    assert read == ["a"]
    assert _page(second, 10, cursor)[0] == ["b", "c", "a>c"]
    read, cursor = _page(first, 10)
    assert read == ["a", "b"]
    assert _page(second, 10, cursor)[0] == ["b", "c", "a>c"]


def test_what_is_loaded_after_the_clock_went_back_is_behind_the_cursor() -> None:
    rows = [(1, 20, CONVERSATION, "a", "")]
    read, cursor = _page(_Version(rows), 10)
    assert read == ["a"]
    # The clock of the loading machine was a fortnight ahead, and is right now.
    rows += [(2, 6, CONVERSATION, "b", ""), (2, 6, MERGE, "m", "b")]
    read, cursor = _page(_Version(rows), 10, cursor)
    assert read == ["b", "m>b"]
    assert _page(_Version(rows), 10, cursor) == ([], cursor)
    rows += [(3, 7, CONVERSATION, "c", "")]
    assert _page(_Version(rows), 10, cursor)[0] == ["c"]


def test_a_merge_that_a_policy_caused_comes_once_though_its_moment_was_read() -> None:
    rows = [(1, 1, CONVERSATION, "a", ""), (1, 2, CONVERSATION, "z", "")]
    read, cursor = _page(_Version(rows), 10)
    assert read == ["a", "z"]
    # The same loads, another policy: the merge bears the moment of the newest load.
    rows += [(2, 2, MERGE, "m", "n")]
    read, cursor = _page(_Version(rows), 10, cursor)
    assert read == ["m>n"]
    # One more of the same moment, before it in the order of ids.
    rows += [(3, 2, MERGE, "b", "n")]
    assert _page(_Version(rows), 10, cursor)[0] == ["b>n"]


def _of_the_first_form(day: int, kind: int, id: str, new_id: str = "") -> str:
    moment = (datetime(2026, 1, day) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    text = json.dumps([1, "v", moment, kind, id, new_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_a_cursor_of_the_first_form_loses_nothing() -> None:
    rows = [
        (1, 1, CONVERSATION, "a", ""),
        (2, 20, CONVERSATION, "b", ""),
        (2, 20, CONVERSATION, "c", ""),
        # Loaded after the clock was set back: the cursor never led there.
        (3, 6, CONVERSATION, "d", ""),
        (4, 21, CONVERSATION, "e", ""),
    ]
    found, cursor = _page(_Version(rows), 10, _of_the_first_form(20, CONVERSATION, "c"))
    # The publication in which it was read comes again, once; a client knows changes by their ids.
    assert found == ["b", "c", "d", "e"]
    assert _page(_Version(rows), 10, cursor) == ([], cursor)
    # What bore its moment has changed again: then everything is given, rather than too little.
    later = [(1, 1, CONVERSATION, "a", ""), (3, 6, CONVERSATION, "d", "")]
    found, cursor = _page(_Version(later), 10, _of_the_first_form(20, CONVERSATION, "c"))
    assert found == ["a", "d"]
    assert _page(_Version(later), 10, cursor) == ([], cursor)
    # Where nothing is left to read, a client that keeps asking gets a cursor that says so.
    read = [(1, 1, CONVERSATION, "a", "")]
    _, cursor = _page(_Version(read), 10, _of_the_first_form(1, CONVERSATION, "a"))
    assert Cursor.read(cursor).publication == 1


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
        base64.urlsafe_b64encode(b'[2,-1,1,0,"",""]').decode(),
        base64.urlsafe_b64encode(f'[2,{10**40},1,0,"",""]'.encode()).decode(),
        base64.urlsafe_b64encode(b'[3,1,1,0,"",""]').decode(),
        base64.urlsafe_b64encode(b'[true,"v",1,0,"",""]').decode(),
        base64.urlsafe_b64encode(b'[1,"v",1,0,"\\ud800",""]').decode(),
        base64.urlsafe_b64encode(b"[" * 2000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "A" * 5000,
    ],
    ids=range(19),
)
def test_what_is_no_cursor_is_refused(client: TestClient, cursor: str) -> None:
    answer = client.get(PATH, params={"since": cursor})
    assert answer.status_code == 200
    assert answer.json()["meta"]["status"] == "fail"
    assert "'since'" in answer.json()["meta"]["message"]


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(7, 1_790_000_000_000_001, MERGE, "a:é/%", "b")
    assert Cursor.read(cursor.encoded()) == cursor
    assert json.loads(base64.urlsafe_b64decode(cursor.encoded() + "=="))[0] == 2
