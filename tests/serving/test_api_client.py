"""A client that was written for the platform's REST API, pointed here.

It knows the platform's documents and nothing of this project: where the answers are, how to ask for
pages, what a history looks like. And it believes `meta`, not the HTTP status.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.snapshot import Snapshot

KEY = "open sesame"


class _Client:
    """What an integration does with the platform: `getAllResources` and `getResource`."""

    def __init__(self, http: TestClient, key: str = KEY) -> None:
        name = base64.b64encode(f"{key}:anything".encode()).decode()
        self._http = http
        self._headers = {"Authorization": f"Basic {name}"}

    def _get(self, address: str, **parameters: object) -> dict[str, Any]:
        answer = self._http.get(
            f"/api/2/{address}",
            params={name: str(value) for name, value in parameters.items()},
            headers=self._headers,
        )
        content: dict[str, Any] = json.loads(answer.content)
        if content["meta"]["status"] != "success":
            raise LookupError(content["meta"]["message"])
        return content

    def resource(self, name: str, identifier: object, **parameters: object) -> Any:
        return self._get(f"{name}/{identifier}", **parameters)["data"]

    def all_resources(self, name: str, **filters: object) -> list[dict[str, Any]]:
        wanted = {f"filters[{filter_}]": value for filter_, value in filters.items()}
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            content = self._get(name, full=1, page=page, limit=100, **wanted)
            found += content["data"]
            # As the platform's own client does: it would never end with 0 pages.
            if content["pagination"]["page"] == content["pagination"]["pages"]:
                return found
            page += 1


def _history(value: str) -> list[list[Any]]:
    entries: list[list[Any]] = json.loads("[" + value + "]")
    return entries


def test_a_client_of_the_platform_exports_its_conversations(
    keyed_client: TestClient, snapshot: Snapshot
) -> None:
    client = _Client(keyed_client)
    conversations = client.all_resources(
        "conversation.json-unicode", **{"from": "2026-10-01", "to": "2026-10-31"}, channel="chat"
    )
    assert len(conversations) == snapshot.value(
        "select count(*) from marts.conversations where channel = 'chat'"
        " and started_on between '2026-10-01' and '2026-10-31'"
    )
    lines = 0
    for conversation in conversations:
        assert conversation["created_at"][:7] == "2026-10"
        assert conversation["closed_at"] is None or conversation["closed_at"] > "2026-10"
        # The names of the table of the documents, and those of their sample.
        for name in ("operator_answer", "operator_answered", "operator_closed"):
            assert isinstance(conversation[name], bool)
        for name in ("waitinglist", "waiting_list", "skill_id", "rule_id", "page_type", "xmpp_id"):
            assert name in conversation
        assert isinstance(conversation["tag_list"], list)
        assert conversation["_link"].startswith("/conversation/")
        for code, at, text, *epoch in _history(conversation["history"]):
            assert code in (1, 2, 3, 5, 6, 7)
            assert len(at) == 19
            assert isinstance(text, str)
            lines += bool(epoch)
    assert lines > 1000


def test_a_client_of_the_platform_reads_one_conversation_by_the_id_it_kept(
    keyed_client: TestClient, snapshot: Snapshot
) -> None:
    kept = snapshot.row(
        "select contact_id, conversation_id from marts.contacts where is_transferred_in"
        " and source = 'harbor_telecom' order by contact_id"
    )
    assert kept is not None
    client = _Client(keyed_client)
    for name in ("conversation", "conversation.json", "conversation.json-unicode"):
        found = client.resource(name, kept["contact_id"], formatHistory=0)
        assert found["id"] == kept["conversation_id"]
        texts = [entry[2] for entry in _history(found["history"])]
        assert "OPERATOR_TRANSFER" in texts


def test_a_client_of_the_platform_reads_the_statistics_of_its_operators(
    keyed_client: TestClient, snapshot: Snapshot
) -> None:
    client = _Client(keyed_client)
    asked = {
        "filters[website_id]": "101",
        "filters[channel]": "chat",
        "filters[resource]": "operator",
        "filters[indicators][0]": "contact_duration",
        "filters[indicators][1]": "contact_number",
        "filters[from]": "2026-10-01",
        "filters[to]": "2026-10-31",
        "full": 1,
    }
    found = client._get("statistic", **asked)["data"]
    assert sum(resource["contact_number"] for resource in found) == snapshot.value(
        "select count(*) from marts.contacts where project_id = '101' and channel = 'chat'"
        " and agent_id is not null and started_on between '2026-10-01' and '2026-10-31'"
    )
    assert all(set(each) >= {"id", "contact_duration", "contact_number"} for each in found)


def test_a_client_of_the_platform_reads_what_went_wrong_in_meta(keyed_client: TestClient) -> None:
    with pytest.raises(LookupError, match=r"^Forbidden$"):
        _Client(keyed_client, "another key").resource("conversation", 1)
    client = _Client(keyed_client)
    with pytest.raises(LookupError, match=r"^Unknown 'conversation' with 'id' 456\.$"):
        client.resource("conversation", 456)
    with pytest.raises(LookupError, match="over 3 months"):
        client.all_resources("conversation", **{"from": "2026-01-01", "to": "2026-12-31"})
    with pytest.raises(LookupError, match=r"^Value of field 'from' is not valid\."):
        client.all_resources("conversation", **{"from": "yesterday"})


def test_nothing_is_one_empty_page_for_the_loop_of_the_platforms_client(
    keyed_client: TestClient,
) -> None:
    assert _Client(keyed_client).all_resources("conversation", channel="carrier pigeon") == []
