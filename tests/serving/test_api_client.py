"""Clients that were written for the platform's REST API, pointed here.

They know the platform's documents and nothing of this project: where the answers are, how to ask
for pages, what a history looks like. And they believe `meta`, not the HTTP status. One of them
sends what the platform's own PHP client sends, to the letter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.keys import Key, Keys, hashed
from serving.snapshot import Snapshot
from throughline.settings import ServingSettings

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


class _PhpClient:
    """The requests of iadvize/api-rest-client, in its order and spelling, and its loop."""

    def __init__(self, http: TestClient, key: str = KEY) -> None:
        self._http = http
        self._key = key
        self.sent: list[str] = []
        self.meta: dict[str, Any] = {}

    def get_resource(self, name: str, identifier: object) -> Any:
        # It asks for the first page, of 20, of a single resource too.
        return self._proceed(f"{name}/{identifier}", {"page": 1, "limit": 20}).get("data")

    def get_resources(
        self, name: str, *, full: bool = False, filters: Mapping[str, Any] | None = None
    ) -> Any:
        # A page and a limit of null overwrite nothing: those of the request stay.
        return self._proceed(name, self._parameters(full, filters or {}, 1)).get("data")

    def get_all_resources(
        self, name: str, *, full: bool = False, filters: Mapping[str, Any] | None = None
    ) -> list[Any]:
        data: list[Any] = []
        page = 1
        while True:
            content = self._proceed(name, self._parameters(full, filters or {}, page))
            data += content.get("data") or []
            page += 1
            pagination = content.get("pagination") or {}
            if pagination.get("page") == pagination.get("pages"):
                return data

    @staticmethod
    def _parameters(full: bool, filters: Mapping[str, Any], page: int) -> dict[str, Any]:
        return {
            **({"full": True} if full else {}),
            **({"filters": filters} if filters else {}),
            "page": page,
            "limit": 20,
        }

    def _proceed(self, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        address = f"/api/2/{path}?{'&'.join(_http_build_query(parameters))}"
        self.sent.append(address)
        answer = self._http.get(address, headers={"X-API-Key": self._key})
        content: dict[str, Any] = json.loads(answer.content)
        self.meta = content["meta"]
        return content


def _http_build_query(value: object, name: str = "") -> Iterator[str]:
    """What PHP makes of nested arrays: brackets, whole numbers as keys of lists, true as 1."""
    if isinstance(value, Mapping):
        pairs: Sequence[tuple[object, object]] = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        written = str(int(value)) if isinstance(value, bool) else str(value)
        yield f"{quote_plus(name)}={quote_plus(written)}"
        return
    for key, each in pairs:
        yield from _http_build_query(each, f"{name}[{key}]" if name else str(key))


def test_the_platforms_php_client_walks_websites_first_and_then_all_that_it_knows(
    keyed_client: TestClient, snapshot: Snapshot
) -> None:
    client = _PhpClient(keyed_client)
    websites = client.get_all_resources("website", full=True)
    assert client.sent[0] == "/api/2/website?full=1&page=1&limit=20"
    assert {(website["source"], website["id"]) for website in websites} == {
        (row["source"], row["project_id"])
        for row in snapshot.rows("select source, project_id from marts.projects")
    }
    for website in websites:
        assert website["label"]
        assert "url" in website
    one = client.get_resource("website", "101")
    assert client.sent[-1] == "/api/2/website/101?page=1&limit=20"
    assert one["name"] == "Maison Lumière France"
    assert client.get_resource("website", 123) is None
    assert client.meta["message"] == "Unknown 'website' with 'id' 123."
    filters = {"website_id": "101", "from": "2026-10-01", "to": "2026-10-31"}
    conversations = client.get_all_resources("conversation", full=True, filters=filters)
    assert client.sent[-1].startswith(
        "/api/2/conversation?full=1&filters%5Bwebsite_id%5D=101&filters%5Bfrom%5D=2026-10-01"
    )
    assert len({conversation["id"] for conversation in conversations}) == len(conversations) > 40
    conversation = client.get_resource("conversation", conversations[0]["id"])
    assert conversation == conversations[0]
    for name in ("operator", "group", "tag"):
        items = client.get_all_resources(name, full=True)
        assert items, name
        again = [client.get_resources(name, full=True), items[:20]]
        assert again[0] == again[1]
    known = {operator["id"] for operator in client.get_all_resources("operator", full=True)}
    assert {id for conversation in conversations for id in conversation["operator_ids"]} <= known


def test_the_platforms_statistics_example_is_answered_with_null_for_what_nobody_knows(
    keyed_client: TestClient,
) -> None:
    client = _PhpClient(keyed_client)
    indicators = [
        "contact_duration",
        "contact_waiting_duration",
        "contact_number",
        "contact_simultaneous_number",
        "contact_waiting_number",
    ]
    resources = client.get_resources(
        "statistic",
        full=True,
        filters={
            "website_id": 101,
            "channel": "chat",
            "resource": "operator",
            "indicators": indicators,
            "from": "2026-10-01",
            "to": "2026-10-31",
        },
    )
    assert "filters%5Bindicators%5D%5B4%5D=contact_waiting_number" in client.sent[-1]
    assert resources
    for resource in resources:
        assert set(resource) == {"id", "source", *indicators}
        assert resource["contact_number"] > 0
        assert resource["contact_waiting_number"] is None
    assert set(client.meta["unavailable"]) == {
        "contact_waiting_duration",
        "contact_simultaneous_number",
        "contact_waiting_number",
    }


def test_the_platforms_live_examples_are_told_why_there_is_no_answer(
    keyed_client: TestClient,
) -> None:
    client = _PhpClient(keyed_client)
    for path in ("operator/live", "operator/123/live", "callmeeting", "skill", "client"):
        assert client.get_resources(path) is None
        assert client.meta["status"] == "fail"
        assert "No log of this warehouse holds" in client.meta["message"]


def test_an_hourly_client_with_the_key_of_one_source_gets_every_conversation_of_it(
    settings: ServingSettings, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sets the next `from` to the newest `created_at` that it has, an hour at a time."""
    bound = Key("brand", hashed(KEY), sources=("maison_lumiere",))
    monkeypatch.setattr(Keys, "all", lambda self: [bound])
    with TestClient(create_app(settings.replaced()), follow_redirects=False) as http:
        client = _PhpClient(http)
        since, got = "2026-10-24 00:00:00", dict[str, str]()
        for hour in range(1, 60):
            # What is published by then is what had opened by then.
            until = snapshot.value(
                "select strftime(timezone('Europe/Paris', timestamptz '2026-10-23 22:00:00+00'"
                " + to_hours($hour)), '%Y-%m-%d %H:%M:%S')",
                {"hour": hour},
            )
            found = client.get_all_resources(
                "conversation", full=True, filters={"from": since, "to": until}
            )
            assert client.meta["zone"] == "Europe/Paris"
            got |= {each["id"]: each["created_at"] for each in found}
            since = max(got.values(), default=since)
        expected = snapshot.rows(
            "select conversation_id from marts.conversations where source = 'maison_lumiere'"
            " and started_at >= '2026-10-23 22:00:00' and started_at < '2026-10-26 09:00:00'"
        )
        assert set(got) == {row["conversation_id"] for row in expected}
        assert len(got) > 10
