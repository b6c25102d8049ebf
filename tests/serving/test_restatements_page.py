"""The page of the restated figures, and what REST says of the same."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from serving import i18n, labels
from serving.pages.restatements import LISTED
from serving.snapshot import Snapshot
from throughline.published.restatements import CAUSES

PAGE = "/reports/restatements"


def _lines(text: str) -> int:
    return text.partition("<tbody>")[2].count("<tr>")


def test_every_cause_has_its_words() -> None:
    assert set(labels.CAUSES) == set(CAUSES)


def test_the_page_lists_what_publications_changed(client: TestClient, snapshot: Snapshot) -> None:
    """The sample was published without its transfers first."""
    count, cells = snapshot.rows(
        "select count(*) as n, sum(cell_count) as cells from reports.restatements"
    )[0].values()
    assert count > 0
    text = client.get(PAGE).text
    assert _lines(text) == min(count, LISTED)
    assert f"{i18n.number(cells)} figures changed." in text
    assert "two conversations became one" in text


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("report=contacts", "report = 'contacts_report'"),
        ("cause=merge", "cause = 'merge'"),
        ("grain=month", "period_grain = 'month'"),
        ("settled=yes", "not was_provisional"),
        ("publication=1", "publication_no = 1"),
    ],
)
def test_a_condition_of_the_page_selects_what_it_says(
    client: TestClient, snapshot: Snapshot, query: str, condition: str
) -> None:
    count = int(snapshot.value(f"select count(*) from reports.restatements where {condition}") or 0)
    text = client.get(f"{PAGE}?{query}").text
    assert _lines(text) == min(count, LISTED)
    assert ("No figure was restated" in text) == (count == 0)


def test_the_page_is_in_french_too(client: TestClient) -> None:
    text = client.get(f"{PAGE}?lang=fr").text
    assert "Chiffres révisés" in text
    assert not re.search(r"figures? changed", text)


def test_a_figure_is_told_in_the_same_way_by_page_and_rest(client: TestClient) -> None:
    asked = "filters[measure]=conversations&filters[dimension]=all&filters[period_grain]=month"
    answer = client.get(f"/api/2/restatement?full=1&limit=1&{asked}").json()
    assert answer["meta"]["status"] == "success"
    [item] = answer["data"]
    assert item["report"] == "statistical_report"
    assert item["cause"] in CAUSES
    assert item["from_value"] != item["to_value"]
    assert client.get(f"/api/2{item['_link']}").json()["data"] == item
