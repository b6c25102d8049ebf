"""Parameters: the period rule, and input that is wrong or hostile. Nothing of it gives a 5xx."""

from __future__ import annotations

import itertools
from datetime import date
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from serving.api import conversations, resources, statistic
from serving.api.envelope import RefusedError
from serving.api.parameters import Parameters, like_pattern, period
from serving.parameters import Moment
from serving.snapshot import Snapshot

PUBLISHED = date(2026, 5, 31)


def _period(**given: str) -> tuple[str, str]:
    pairs = [(f"filters[{name}]", value) for name, value in given.items()]
    found = period(Parameters(pairs, conversations.FILTERS), PUBLISHED)

    def text(moment: Moment | None) -> str:
        if moment is None:
            return ""
        return f"{moment.at:%Y-%m-%d}" if moment.is_day else f"{moment.at:%Y-%m-%d %H:%M:%S}"

    return text(found.first), text(found.last)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("2026-02-28", "")),
        ({"from": "2025-11-30"}, ("2025-11-30", "2026-02-28")),
        ({"to": "2026-03-31"}, ("2025-12-31", "2026-03-31")),
        ({"from": "2026-01-15", "to": "2026-04-15"}, ("2026-01-15", "2026-04-15")),
        ({"from": "2026-01-15 08:00:00"}, ("2026-01-15 08:00:00", "2026-04-15 08:00:00")),
        ({"from": "2026-01-15", "to": "2026-01-15"}, ("2026-01-15", "2026-01-15")),
        ({"from": " ", "to": ""}, ("2026-02-28", "")),
    ],
    ids=str,
)
def test_the_period_rule_is_the_platforms(given: dict[str, str], expected: tuple[str, str]) -> None:
    assert _period(**given) == expected


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"from": "2026-01-15", "to": "2026-04-16"}, "error", "over 3 months"),
        ({"from": "2026-01-15 00:00:00", "to": "2026-04-15 00:00:01"}, "error", "over 3 months"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "fail", "'to' is not valid"),
        ({"from": "2026-02-30"}, "fail", "'from' is not valid"),
        ({"from": "2026-2-3"}, "fail", "'from' is not valid"),
        ({"to": "2026-02-03 25:00:00"}, "fail", "'to' is not valid"),
        ({"to": "0001-01-01"}, "fail", "'to' is not valid"),
        ({"from": "9999-12-31"}, "fail", "'from' is not valid"),
        (
            {"from": "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661"},
            "fail",
            "'from' is not valid",
        ),
    ],
    ids=str,
)
def test_a_period_that_cannot_be_is_refused(given: dict[str, str], status: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words) as refused:
        _period(**given)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("filters[colour]=red", "Unknown filter 'colour'"),
        ("filters[]=1", "Unknown filter ''"),
        ("filters[channel", "Unknown parameter 'filters[channel'"),
        ("filter[operator_id]=9", "Unknown parameter 'filter[operator_id]'"),
        ("filters=1", "Unknown parameter 'filters'"),
        ("filters[operator_id][name]=9", "Unknown parameter 'filters[operator_id][name]'"),
        ("filters[operator_id]x=9", "Unknown parameter 'filters[operator_id]x'"),
        ("filters[[operator_id]]=9", "Unknown parameter 'filters[[operator_id]]'"),
        ("Filters[operator_id]=9", "a filter is written as filters[name]"),
        ("operator=9", "This resource takes: fields, formatHistory, full, limit, page, source"),
        ("sort=created_at", "Unknown parameter 'sort'"),
        ("utm_source=mail", "Unknown parameter 'utm_source'"),
        ("nope=", "Unknown parameter 'nope'"),
        ("_=1764350000000", ""),
        ("fields[0]=id&fields[1]=channel&fields[]=label", ""),
        ("filters[page_type]=3", "Unknown filter 'page_type'"),
        ("zone=Mars/Olympus", "'zone' is not valid. Give an IANA time zone"),
        ("version=../../etc", "Version '../../etc' is not kept. Kept are: "),
        ("from=2026-10-01", "written as filters[from]"),
        ("channel=chat", "written as filters[channel]"),
        ("filters[skill_id]=3", ""),
        ("filters[rule_id]=3", ""),
        ("filters[channel]=chat&filters[channel]=call", "more than once"),
        ("limit=5&limit=6", "more than once"),
        ("filters[source]=a&source=b", "more than once"),
        ("limit=0", "'limit' is not valid"),
        ("limit=101", "'limit' is not valid"),
        ("limit=-5", "'limit' is not valid"),
        ("limit=1e2", "'limit' is not valid"),
        ("limit=\u0663", "'limit' is not valid"),
        ("limit=" + "9" * 4000, "'limit' is not valid"),
        ("page=0", "'page' is not valid"),
        ("page=-1", "'page' is not valid"),
        ("page=99999999999999999999", "'page' is not valid"),
        ("page=1;drop table x", "'page' is not valid"),
        ("full=perhaps", "'full' is not valid"),
        ("formatHistory=2", "'formatHistory' is not valid"),
        ("filters[transferred]=maybe", "'transferred' is not valid"),
        ("filters[answered]=2", "'answered' is not valid"),
        ("filters[min_score]=nan", "'min_score' is not valid"),
        ("filters[min_score]=-1", "'min_score' is not valid"),
        ("filters[max_score]=1e400", "'max_score' is not valid"),
        ("filters[max_score]=11", "'max_score' is not valid"),
        ("filters[automation_level]=none", "'automation_level' is not valid"),
        ("filters[visitor_id]=" + "v" * 201, "'visitor_id' is not valid"),
        ("filters[website_id]=" + ",".join(map(str, range(101))), "'website_id' is not valid"),
        ("filters[conversation_id][]=1&filters[conversation_id][]=2", "takes one value"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_taken_is_refused_by_name(
    client: TestClient, query: str, words: str
) -> None:
    answer = client.get(f"/api/2/conversation?{query}")
    assert answer.status_code == 200
    content = answer.json()
    if not words:
        assert content["meta"]["status"] == "success"
        return
    assert set(content) == {"meta"}
    assert content["meta"]["status"] == "fail"
    assert words in content["meta"]["message"]


HOSTILE = (
    "\x00",
    "a\x00b*",
    "' or '1'='1",
    "'; drop table marts.conversations; --",
    "\"; attach '/tmp/x'; --",
    "$limit",
    "%",
    "_",
    "\\",
    "*",
    "***",
    "\\%*",
    "[",
    "{}",
    "\u202e\ufeff",
    "\U0001d54f" * 50,
    "e\u0301\u0300" * 60,
    "1" * 200,
    "-0",
    "null",
    "!null",
    "\r\nSet-Cookie: a=b",
    "../../etc/passwd",
)


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_no_value_breaks_an_answer(client: TestClient, value: str) -> None:
    asked = [("/api/2/conversation", row.name) for row in conversations.FILTERS]
    asked += [("/api/2/statistic", row.name) for row in statistic.FILTERS]
    asked += [
        (f"/api/2/{resource.name}", row.name)
        for resource in resources.RESOURCES
        for row in resource.list_rows
        if row.is_filter
    ]
    for path, name in asked:
        answer = client.get(path, params={f"filters[{name}]": value})
        assert answer.status_code == 200, (path, name)
        assert answer.json()["meta"]["status"] in ("success", "fail")
    for path in (
        f"/api/2/conversation/{quote(value, safe='')}",
        f"/api/2/conversation.json/x?source={quote(value, safe='')}",
        f"/api/2/changes?since={quote(value, safe='')}",
        f"/api/2/changes?limit={quote(value, safe='')}",
        f"/api/2/conversation?{quote(value, safe='')}={quote(value, safe='')}",
        f"/api/2/conversation?filters[{quote(value, safe='')}]=1",
    ):
        answer = client.get(path)
        # A path with `..` is another path by the time that it is asked for.
        expected = (200, 404) if ".." in value else (200,)
        assert answer.status_code in expected, path
        assert "meta" in answer.json()
        assert "a" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_what_is_a_wildcard_in_sql_is_text_here(client: TestClient) -> None:
    for value in ("%", "_", "%a%", "\\", "9_", "____________"):
        answer = client.get("/api/2/conversation", params={"filters[visitor_id]": value}).json()
        assert answer["pagination"]["count"] == 0, value
        starred = client.get(
            "/api/2/conversation", params={"filters[visitor_id]": value + "*"}
        ).json()
        assert starred["pagination"]["count"] == 0, value
    everything = client.get("/api/2/conversation", params={"filters[visitor_id]": "*"}).json()
    assert everything["pagination"]["count"] > 0


def test_a_pattern_matches_its_own_text_alone(snapshot: Snapshot) -> None:
    texts = ("a%b", "a_b", "a\\b", "axb", "ab", "a*b", "", "%")
    for text, value in itertools.product(texts, texts):
        found = snapshot.value(
            "select $text like $pattern escape '\\'", {"text": text, "pattern": like_pattern(value)}
        )
        expected = text == value or (
            value == "a*b" and text.startswith("a") and text.endswith("b") and len(text) > 1
        )
        assert found is expected, (text, value)


def test_only_reading_is_possible_and_a_head_is_a_get_without_its_content(
    client: TestClient,
) -> None:
    for path in ("/api/2/conversation", "/api/2/changes", "/api/2/statistic"):
        assert client.post(path).status_code == 405
        assert client.post(path).json()["meta"]["status"] == "error"
        head = client.head(path)
        assert head.status_code == 200
        assert head.headers["etag"] == client.get(path).headers["etag"]


def test_what_the_client_has_already_is_not_sent_again(
    client: TestClient, snapshot: Snapshot
) -> None:
    path = "/api/2/conversation?limit=2"
    first = client.get(path)
    assert first.headers["x-data-version"] == snapshot.version
    tag = first.headers["etag"]
    for given in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": given})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == tag
    assert client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.get("/api/2/conversation?limit=3").headers["etag"] != tag
    refused = client.get("/api/2/conversation?limit=x", headers={"If-None-Match": "*"})
    assert refused.json()["meta"]["status"] == "fail"


def test_an_unknown_resource_is_an_error_in_the_envelope(client: TestClient) -> None:
    answer = client.get("/api/2/operators")
    assert answer.status_code == 404
    assert answer.json()["meta"]["status"] == "error"
