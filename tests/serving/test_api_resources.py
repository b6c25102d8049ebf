"""The smaller resources: what is listed, what a filter selects, what a detail says.

Figures to compare with are computed here, from the snapshot, in another way than the resource does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from fastapi.testclient import TestClient

from serving.api import conversations, document, numbering, resources
from serving.api.clock import Clock
from serving.api.numbering import with_numbers
from serving.api.parameters import Parameters
from serving.snapshot import Snapshot

# Of each resource, the ids that there are, counted otherwise.
EVERYTHING = {
    "website": "select source, project_id as id from marts.projects",
    "operator": "select source, agent_id as id from marts.agents"
    " union select source, agent_id from marts.contacts where agent_id is not null",
    "group": "select source, group_id as id from marts.agents where group_id is not null"
    " union select source, group_id from marts.contacts where group_id is not null",
    "tag": "select distinct source, tag as id from marts.contacts, (select unnest(tags) as tag)",
    "visitor": "select distinct source, visitor_id as id from marts.contacts"
    " where visitor_id is not null",
    "transaction": "select source, transaction_id as id from marts.transactions",
    "satisfaction": "select source, rating_id as id from marts.ratings",
    "restatement": "select source, md5(array_to_string([publication_no::varchar, report,"
    " coalesce(period_grain, ''), coalesce(period_start, '0001-01-01'::date)::varchar,"
    " coalesce(dimension, ''), coalesce(source, ''), coalesce(dimension_value, ''), measure, cause,"
    " was_provisional::varchar], '|')) as id from reports.restatements",
}


def _all(client: TestClient, resource: str, /, **filters: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        asked = {f"filters[{filter_}]": str(value) for filter_, value in filters.items()}
        answer = client.get(
            f"/api/2/{resource}", params={"full": "1", "limit": "100", "page": str(page), **asked}
        ).json()
        assert answer["meta"]["status"] == "success", answer
        found += answer["data"]
        if page == answer["pagination"]["pages"]:
            assert len(found) == answer["pagination"]["count"]
            return found
        page += 1


def test_every_resource_is_looked_at_here() -> None:
    assert set(EVERYTHING) == {resource.name for resource in resources.RESOURCES}


def _told(value: object) -> str:
    """The name of a case: the same in every process, which a function's own name is not."""
    return "" if callable(value) else str(value)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_list_holds_every_item_once(client: TestClient, snapshot: Snapshot, name: str) -> None:
    found = [(item["source"], item["id"]) for item in _all(client, name)]
    assert len(found) == len(set(found))
    assert set(found) == {(row["source"], row["id"]) for row in snapshot.rows(EVERYTHING[name])}


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_item_is_an_id_and_a_link_that_leads_to_its_document(
    client: TestClient, name: str
) -> None:
    full = client.get(f"/api/2/{name}?full=1").json()
    listed = client.get(f"/api/2/{name}").json()
    assert listed["pagination"] == full["pagination"]
    for item, shown in zip(listed["data"], full["data"], strict=True):
        assert set(item) == {"id", "_link"}
        one = client.get(f"/api/2{item['_link']}").json()
        assert one["data"] == shown
        for spelling in (".json", ".json-unicode"):
            spelled = f"/api/2{item['_link'].replace(f'/{name}', f'/{name}{spelling}', 1)}"
            assert client.get(spelled).json() == one


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_unknown_id_gets_the_platforms_words(client: TestClient, name: str) -> None:
    answer = client.get(f"/api/2/{name}/no%2Fsuch id")
    assert answer.status_code == 200
    assert answer.json() == {
        "meta": {"status": "fail", "message": f"Unknown '{name}' with 'id' no/such id."}
    }


def test_an_id_of_two_sources_asks_for_the_source(client: TestClient) -> None:
    answer = client.get("/api/2/operator/9").json()
    assert answer["meta"]["status"] == "fail"
    assert "Several sources have a 'operator' with 'id' 9: " in answer["meta"]["message"]
    for source in ("maison_lumiere", "bluewing_travel"):
        one = client.get(f"/api/2/operator/9?source={source}").json()["data"]
        assert (one["id"], one["source"]) == ("9", source)


@pytest.mark.parametrize(
    ("name", "filters", "wanted"),
    [
        ("website", {"label": "*Lumi*"}, lambda each: "Lumi" in each["label"]),
        ("website", {"source": "harbor_telecom"}, lambda each: each["source"] == "harbor_telecom"),
        ("operator", {"id": "9, a-901"}, lambda each: each["id"] in ("9", "a-901")),
        ("operator", {"name": "*a*"}, lambda each: "a" in (each["name"] or "")),
        ("operator", {"group_id": "sales"}, lambda each: each["group_id"] == "sales"),
        ("operator", {"website_list": "101,east"}, lambda each: _in(each, "101", "east")),
        ("operator", {"website_id": "101"}, lambda each: _in(each, "101")),
        ("tag", {"website_id": "101"}, lambda each: "101" in each["website_id"]),
        (
            "visitor",
            {"website_id": "10*"},
            lambda each: any(id.startswith("10") for id in each["website_id"]),
        ),
        ("transaction", {"website_id": "101"}, lambda each: each["website_id"] == "101"),
        ("transaction", {"operator_id": "9"}, lambda each: each["operator_id"] == "9"),
        ("transaction", {"conversation_id": "!null"}, lambda each: each["conversation_id"]),
        ("satisfaction", {"website_id": "101"}, lambda each: each["website_id"] == "101"),
        (
            "satisfaction",
            {"from": "2026-10-01", "to": "2026-10-31 12:00:00"},
            lambda each: "2026-10-01" <= each["created_at"] <= "2026-10-31 12:00:00",
        ),
        ("transaction", {"from": "2026-11-01"}, lambda each: each["created_at"] >= "2026-11-01"),
    ],
    ids=_told,
)
def test_a_filter_selects_what_it_says(
    client: TestClient, name: str, filters: dict[str, str], wanted: Callable[[Any], object]
) -> None:
    everything = _all(client, name)
    expected = [each for each in everything if wanted(each)]
    assert expected
    assert _all(client, name, **filters) == expected


def _in(document: dict[str, Any], *websites: str) -> bool:
    return bool({*websites} & {*document["website_list"]})


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("operator", {"skill_id": "3"}),
        ("operator", {"external_id": "*"}),
        ("group", {"parent_id": "1987"}),
        ("visitor", {"external_id": "*"}),
    ],
    ids=_told,
)
def test_a_documented_filter_on_what_no_log_holds_matches_nothing(
    client: TestClient, name: str, filters: dict[str, str]
) -> None:
    assert _all(client, name, **filters) == []


def test_the_transactions_of_a_conversation_are_found_by_any_of_its_ids(
    client: TestClient, snapshot: Snapshot
) -> None:
    row = snapshot.row(
        "select conversations.conversation_id, conversations.source, contacts.contact_id"
        " from marts.conversations as conversations inner join marts.contacts as contacts"
        " on conversations.conversation_id = contacts.conversation_id"
        " where conversations.transaction_count > 0 order by 1 limit 1"
    )
    assert row is not None
    document = client.get(f"/api/2/conversation/{row['conversation_id']}").json()["data"]
    shown = sorted(each["transaction_id"] for each in document["transactions"])
    for id in (row["conversation_id"], row["contact_id"]):
        found = _all(client, "transaction", conversation_id=id, source=row["source"])
        assert sorted(each["id"] for each in found) == shown
        assert {each["conversation_id"] for each in found} == {row["conversation_id"]}


@pytest.mark.parametrize("name", ["transaction", "satisfaction"])
def test_what_has_a_moment_comes_newest_first_on_the_clock_of_the_request(
    client: TestClient, snapshot: Snapshot, name: str
) -> None:
    table, column = {
        "transaction": ("transactions", "occurred_at"),
        "satisfaction": ("ratings", "answered_at"),
    }[name]
    key = {"transaction": "transaction_id", "satisfaction": "rating_id"}[name]
    moments = {
        (row["source"], row[key]): row[column]
        for row in snapshot.rows(f"select source, {key}, {column} from marts.{table}")
    }
    items = client.get(f"/api/2/{name}?full=1&limit=100&zone=America/Toronto").json()["data"]
    at = [moments[item["source"], item["id"]] for item in items]
    assert at == sorted(moments.values(), reverse=True)[:100]
    for item, moment in zip(items, at, strict=True):
        local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo("America/Toronto"))
        assert item["created_at"] == local.strftime("%Y-%m-%d %H:%M:%S")


def test_a_period_that_ends_before_it_starts_is_refused(client: TestClient) -> None:
    answer = client.get("/api/2/transaction?filters[from]=2026-10-02&filters[to]=2026-10-01").json()
    assert answer["meta"]["status"] == "fail"
    assert "'to' is not valid" in answer["meta"]["message"]


def test_an_operator_is_what_the_logs_say(client: TestClient, snapshot: Snapshot) -> None:
    kinds = set()
    for operator in _all(client, "operator"):
        row = snapshot.row(
            "select * from marts.agents where source = $source and agent_id = $id and is_current",
            {"source": operator["source"], "id": operator["id"]},
        )
        if row is None:
            continue
        kinds.add(row["agent_kind"])
        assert operator["name"] == operator["pseudo"] == row["display_name"]
        assert operator["agent_kind"] == row["agent_kind"]
        assert operator["roles"] == {"human": ["operator"], "expert": ["expert"]}.get(
            row["agent_kind"], []
        )
        assert operator["role"] == (operator["roles"][0] if operator["roles"] else None)
        assert operator["email"] is None
    assert kinds >= {"human", "bot"}


@pytest.mark.parametrize("path", resources.UNKNOWABLE)
def test_what_cannot_be_known_says_why(client: TestClient, path: str) -> None:
    for spelling in ("", "?filters[connected]=0&full=1"):
        answer = client.get(f"/api/2{path.replace('{id:text}', '9')}{spelling}")
        assert answer.status_code == 200
        assert answer.json()["meta"]["status"] == "fail"
        assert resources.UNKNOWABLE[path] in answer.json()["meta"]["message"]


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_resource_refuses_what_it_does_not_understand(client: TestClient, name: str) -> None:
    for query in ("nope=1", "filters[nope]=1", "filters=1", "limit=0", "page=1&page=2"):
        answer = client.get(f"/api/2/{name}?{query}").json()
        assert answer["meta"]["status"] == "fail", query


def test_ids_are_numbers_where_the_registry_says_so_of_their_source(
    client: TestClient, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert snapshot.rows("select source from marts.sources where has_numeric_ids") == []
    plain = client.get("/api/2/conversation/310001?source=maison_lumiere").json()["data"]
    monkeypatch.setattr(numbering, "_numeric_sources", lambda _: frozenset({"maison_lumiere"}))
    found = client.get("/api/2/conversation/310001?source=maison_lumiere").json()["data"]
    assert found["operator_id"] == int(plain["operator_id"])
    assert found["operator_ids"] == list(map(int, plain["operator_ids"]))
    assert found["website_id"] == int(plain["website_id"])
    assert found["id"] == plain["id"]
    assert found["visitor_uid"] == plain["visitor_uid"]
    assert [each["contact_id"] for each in found["contacts"]] == [
        int(each["contact_id"]) for each in plain["contacts"]
    ]
    assert [each["body"] for each in found["messages"]] == [
        each["body"] for each in plain["messages"]
    ]
    websites = client.get("/api/2/website?full=1").json()["data"]
    assert {type(each["id"]) for each in websites if each["source"] == "maison_lumiere"} == {int}
    assert {type(each["id"]) for each in websites if each["source"] != "maison_lumiere"} == {str}
    operators = client.get(
        "/api/2/statistic?filters[resource]=operator&filters[indicators]=contact_number"
    ).json()["data"]
    assert {type(each["id"]) for each in operators if each["source"] == "maison_lumiere"} == {int}
    other = client.get("/api/2/conversation/00440001").json()["data"]
    assert other["contacts"][0]["contact_id"] == "00440001"


def test_a_skill_is_that_of_the_contacts_log_where_it_has_one() -> None:
    """A snapshot whose conversations carry the columns that the contract does not know."""
    extra = '{"skill_id": 3, "rule_id": "r-1"}'
    connection = duckdb.connect(":memory:")
    connection.execute(
        "create schema marts; create table marts.conversations as"
        " select * from (values ('shop:1', timestamp '2026-10-01 10:00:00',"
        f" '{extra}'), ('shop:2', timestamp '2026-10-01 11:00:00', null))"
        " as rows (conversation_id, started_at, extra)"
    )

    def rows(sql: str, values: Any = None) -> list[dict[str, Any]]:
        found = connection.execute(sql, values or {})
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    snapshot: Any = SimpleNamespace(
        rows=rows, once=lambda make: make(snapshot), published_at=datetime(2026, 11, 1, tzinfo=UTC)
    )
    for query, expected in (
        ([("filters[skill_id]", "3")], ["shop:1"]),
        ([("filters[rule_id]", "r-*")], ["shop:1"]),
        ([("filters[skill_id]", "4")], []),
    ):
        parameters = Parameters(query, conversations.LIST)
        found = conversations.many(snapshot, Clock(), parameters)
        assert [item["id"] for item in found.items] == expected
    row: Any = defaultdict(lambda: None, conversation_id="shop:1", extra=extra)
    row |= {"started_at": datetime(2026, 10, 1), "changed_at": datetime(2026, 10, 1)}
    made = document._document(Clock(), row, [], [], [], [], [], ())
    assert (made["skill_id"], made["rule_id"]) == ("3", "r-1")
    row["extra"] = None
    made = document._document(Clock(), row, [], [], [], [], [], ())
    assert made["skill_id"] is made["rule_id"] is None


@pytest.mark.parametrize(
    ("value", "answered"),
    [("9", 9), ("0", 0), ("0044123", "0044123"), ("-4", "-4"), ("9" * 16, "9" * 16), ("٣", "٣")],
)
def test_only_a_whole_number_that_stays_what_it_is_becomes_one(
    value: str, answered: object
) -> None:
    snapshot: Any = SimpleNamespace(once=lambda make: frozenset({"shop"}))
    made = with_numbers(snapshot, {"source": "shop", "operator_id": value, "body": value})
    assert made == {"source": "shop", "operator_id": answered, "body": value}
