"""Pages and exports refuse what they do not understand, by name and with the remedy.

Belongs here: what holds of every address. Does not belong here: what a value selects.
"""

from __future__ import annotations

import html
import importlib
import pkgutil

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from serving import pages, places
from serving.export import routes as exports

PATHS = {
    "/": "/",
    "/conversations": "/conversations",
    "/conversations/count": "/conversations/count",
    "/conversations/export": "/conversations/export",
    "/conversations/{id:any_text}": "/conversations/310001",
    "/reports": "/reports",
    "/reports/statistics": "/reports/statistics",
    "/reports/contacts": "/reports/contacts",
    "/reports/restatements": "/reports/restatements",
    "/reports/{kind_name}/export": "/reports/contacts/export",
    "/transfers": "/transfers",
    "/transfers/export": "/transfers/export",
}


def test_every_address_of_the_pages_is_looked_at_here() -> None:
    modules = [
        importlib.import_module(f"serving.pages.{found.name}")
        for found in pkgutil.iter_modules(pages.__path__)
    ]
    routers = [exports.router, *(module.router for module in modules)]
    found = {
        route.path for router in routers for route in router.routes if isinstance(route, APIRoute)
    }
    assert found == set(PATHS)


@pytest.mark.parametrize("path", PATHS.values())
@pytest.mark.parametrize(
    "query", ["nope=1", "filters[from]=2026-10-01", "From=2026-10-01", "filters=1", "nope="]
)
def test_an_unknown_name_is_refused_in_both_languages(
    client: TestClient, path: str, query: str
) -> None:
    name = query.partition("=")[0]
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert f"This address does not know “{name}”. It takes: " in html.unescape(answer.text)
    assert "content-disposition" not in answer.headers
    french = client.get(f"{path}?{query}", headers={"Accept-Language": "fr"})
    assert french.status_code == 400
    assert f"Cette adresse ne connaît pas «\xa0{name}\xa0»." in html.unescape(french.text)


@pytest.mark.parametrize("path", PATHS.values())
def test_what_mailings_and_caches_append_is_no_question(client: TestClient, path: str) -> None:
    plain = client.get(path)
    appended = client.get(f"{path}?utm_source=mail&utm_medium=x&gclid=1&fbclid=2&_=17")
    assert plain.status_code < 400
    assert appended.status_code == plain.status_code


@pytest.mark.parametrize("route", PATHS)
def test_an_empty_value_counts_as_not_given_and_two_values_for_one_are_refused(
    client: TestClient, route: str
) -> None:
    path, rows = PATHS[route], places.rows_of(route, {"kind_name": "contacts"})
    # All in one request: an export starts a process for each.
    empty = client.get(f"{path}?{'&'.join(f'{row.name}=&{row.name}=+' for row in rows)}")
    assert empty.status_code < 400, empty.text
    for row in rows:
        if not row.is_list:
            answer = client.get(f"{path}?{row.name}=1&{row.name}=2")
            assert answer.status_code == 400, row.name
            assert "is given more than once: give one value." in answer.text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/reports/statistics?by=nope", "by cannot be “nope”: it takes one of all, "),
        ("/reports/statistics/export?by=nope", "by cannot be “nope”: it takes one of all, "),
        ("/reports/contacts?from=abc", "from cannot be “abc”: it takes a day such as 2026-11-02."),
        ("/reports/contacts/export?from=abc", "from cannot be “abc”: it takes a day such as"),
        ("/reports/contacts?from=2026-10-01x", "from cannot be “2026-10-01x”"),
        ("/reports/contacts?grain=century", "grain cannot be “century”: it takes one of day, "),
        ("/reports/contacts/export?grain=century", "grain cannot be “century”"),
        ("/reports/contacts/export?format=pdf", "format cannot be “pdf”: it takes one of csv, "),
        ("/reports/contacts/export?sort=luck", "sort cannot be “luck”"),
        ("/conversations/export?from=abc", "First day (from) cannot be “abc”: it takes a day such"),
        ("/conversations/export?grain=all", "grain cannot be “all”: it takes one of conversation"),
        ("/conversations/count?from=abc", "First day (from) cannot be “abc”"),
        (
            "/conversations/310001?after=abc",
            "after cannot be “abc”: it takes a whole number from 0",
        ),
        ("/transfers?by=nope", "by cannot be “nope”: it takes one of kind, group, agent."),
        ("/transfers?to=abc", "Last day (to) cannot be “abc”"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_what_can(
    client: TestClient, address: str, words: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == 400
    assert words in html.unescape(answer.text)
    assert answer.headers["content-type"].startswith("text/html")
