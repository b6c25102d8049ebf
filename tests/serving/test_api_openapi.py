"""The OpenAPI document is true: each answer validates, and what it leaves out is forbidden."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from serving.api import conversations, resources, statistic
from serving.api.document import UNKNOWN_FIELDS


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    answer = client.get("/api/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def _problems(document: dict[str, Any], path: str, status: str, content: Any) -> list[str]:
    pointer = path.replace("~", "~0").replace("/", "~1")
    validator = Draft202012Validator(
        {
            **document,
            "$ref": f"#/paths/{pointer}/get/responses/{status}/content/application~1json/schema",
        }
    )
    return [error.message[:300] for error in validator.iter_errors(content)]


def test_it_names_the_paths_the_filters_and_the_three_forms_of_the_key(
    document: dict[str, Any],
) -> None:
    assert document["openapi"].startswith("3.1")
    names = [resource.name for resource in resources.RESOURCES]
    assert set(document["paths"]) == {
        "/api/2/conversation",
        "/api/2/conversation/{id}",
        "/api/2/changes",
        "/api/2/statistic",
        *(f"/api/2/{name}" for name in names),
        *(f"/api/2/{name}/{{id}}" for name in names),
        *(f"/api/2{path.replace(':text', '')}" for path in resources.UNKNOWABLE),
    }
    for path, fields in (
        ("/api/2/conversation", conversations.FILTERS),
        ("/api/2/statistic", statistic.FILTERS),
    ):
        named = {parameter["name"] for parameter in document["paths"][path]["get"]["parameters"]}
        assert named >= {f"filters[{field.name}]" for field in fields}
    assert {scheme["type"] for scheme in document["components"]["securitySchemes"].values()} == {
        "apiKey",
        "http",
    }
    assert len(document["security"]) == 4


def test_every_conversation_validates(client: TestClient, document: dict[str, Any]) -> None:
    page, pages = 1, 1
    while page <= pages:
        content = client.get(f"/api/2/conversation?full=1&limit=100&page={page}").json()
        assert _problems(document, "/api/2/conversation", "200", content) == []
        pages = content["pagination"]["pages"]
        page += 1
    assert pages > 10


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/2/conversation", "/api/2/conversation?limit=3"),
        ("/api/2/conversation", "/api/2/conversation?filters[visitor_id]=nobody&full=1"),
        ("/api/2/conversation", "/api/2/conversation?limit=0"),
        ("/api/2/conversation", "/api/2/conversation.json-unicode?filters[from]=2020-01-01"),
        ("/api/2/conversation/{id}", "/api/2/conversation/00440001"),
        ("/api/2/conversation/{id}", "/api/2/conversation/310601"),
        ("/api/2/conversation/{id}", "/api/2/conversation/unknown"),
        ("/api/2/changes", "/api/2/changes"),
        ("/api/2/changes", "/api/2/changes?since=x"),
        ("/api/2/statistic", "/api/2/statistic"),
        ("/api/2/statistic", "/api/2/statistic?filters[website_list]=nowhere"),
        ("/api/2/statistic", "/api/2/statistic?filters[resource]=operator"),
        (
            "/api/2/statistic",
            "/api/2/statistic?filters[resource]=group&filters[granularity]=day"
            "&filters[indicators]=contact_duration",
        ),
        ("/api/2/statistic", "/api/2/statistic?filters[resource]=skill"),
        (
            "/api/2/statistic",
            "/api/2/statistic?filters[indicators]=contact_number,contact_waiting_number",
        ),
        ("/api/2/operator/live", "/api/2/operator/live"),
        ("/api/2/operator/{id}/live", "/api/2/operator/9/live"),
        ("/api/2/callmeeting", "/api/2/callmeeting"),
    ],
)
def test_every_kind_of_answer_validates(
    client: TestClient, document: dict[str, Any], path: str, address: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert _problems(document, path, "200", answer.json()) == []


@pytest.mark.parametrize("resource", resources.RESOURCES, ids=lambda resource: resource.name)
def test_every_item_of_a_resource_validates(
    client: TestClient, document: dict[str, Any], resource: resources.Resource
) -> None:
    path = f"/api/2/{resource.name}"
    page, pages = 1, 1
    while page <= min(pages, 5):
        full = client.get(f"{path}?full=1&limit=100&page={page}").json()
        assert _problems(document, path, "200", full) == []
        assert full["data"]
        pages = full["pagination"]["pages"]
        page += 1
    for item in client.get(path).json()["data"][:3]:
        one = client.get(f"/api/2{item['_link']}").json()
        assert _problems(document, f"{path}/{{id}}", "200", one) == []
        assert one["data"]["id"] == item["id"]


def test_every_change_validates(client: TestClient, document: dict[str, Any]) -> None:
    since, kinds = "", set()
    while True:
        content = client.get("/api/2/changes", params={"since": since, "limit": 100}).json()
        assert _problems(document, "/api/2/changes", "200", content) == []
        kinds |= {item["type"] for item in content["data"]}
        since = content["pagination"]["next"]
        if not content["pagination"]["has_more"]:
            assert kinds == {"conversation", "merge"}
            return


def test_a_refused_key_validates(keyed_client: TestClient, document: dict[str, Any]) -> None:
    answer = keyed_client.get("/api/2/conversation")
    assert answer.status_code == 401
    assert _problems(document, "/api/2/conversation", "401", answer.json()) == []


def test_a_member_that_is_not_described_does_not_validate(
    client: TestClient, document: dict[str, Any]
) -> None:
    content = client.get("/api/2/conversation/00440001").json()
    content["data"]["more"] = 1
    assert _problems(document, "/api/2/conversation/{id}", "200", content)


def test_a_field_that_no_log_holds_is_described_as_null(document: dict[str, Any]) -> None:
    described = document["components"]["schemas"]["Conversation"]
    for name in UNKNOWN_FIELDS:
        assert described["properties"][name]["type"] == "null"
        assert name in described["required"]


def test_the_examples_validate(document: dict[str, Any]) -> None:
    found = 0
    for name, described in document["components"]["schemas"].items():
        for example in described.get("examples", []):
            validator = Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})
            assert not list(validator.iter_errors(example)), name
            found += 1
    assert found >= 3
