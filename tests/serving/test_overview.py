"""The first page: its figures are those of the reports, its example and its lists are true."""

from __future__ import annotations

import html
import re
from datetime import date
from urllib.parse import parse_qsl

from fastapi.testclient import TestClient

from serving import filters, i18n, labels
from serving.snapshot import Snapshot

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)


def _text(client: TestClient, language: str = "en") -> str:
    i18n.use("en")
    answer = client.get("/", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return answer.text


def test_both_reports_show_the_last_complete_month(client: TestClient, snapshot: Snapshot) -> None:
    text = _text(client)
    assert "October 2026" in text
    statistical, contacts = (
        snapshot.row(
            f"select * from reports.{model} where period_grain = 'month' and dimension = 'all'"
            " and period_start = $first",
            {"first": FIRST},
        )
        for model in ("statistical_report", "contacts_report")
    )
    assert statistical
    assert contacts
    for figure in (statistical["conversations"], contacts["contacts"], contacts["answered"]):
        assert f">{i18n.number(figure)}<" in text
    assert f"{statistical['conversations']:,} conversations = " in text
    assert f"{statistical['contacts']:,} contacts" in text


def test_the_example_is_one_conversation_and_several_contacts_of_the_month(
    client: TestClient, snapshot: Snapshot
) -> None:
    part = _text(client).partition('id="example-head"')[2].partition("</section>")[0]
    found = re.search(r'href="/conversations/([^"]+)"', part)
    assert found
    row = snapshot.row(
        "select * from marts.conversations where conversation_id = $id",
        {"id": html.unescape(found[1])},
    )
    assert row
    assert FIRST <= row["closed_on"] <= LAST
    assert (row["bot_contact_count"], row["human_contact_count"]) == (1, 2)
    assert part.count("<li>") == row["contact_count"] == 3
    assert client.get(found[0][6:-1]).status_code == 200


def test_the_first_page_says_with_what_it_compares(client: TestClient) -> None:
    text = _text(client)
    # Of September the data hold the second half alone.
    assert text.count("Changes are against September 2026, of which the data hold only") == 2
    conversations = text.partition(">Conversations</dt>")[2].partition("</div>")[0]
    assert 'class="change"' not in conversations
    rate = text.partition(">Transfer rate</dt>")[2].partition("</div>")[0]
    assert re.search(r"\d+ / 992.*pp, from \d+\.\d% \(\d+ / 525\)", rate)


def test_open_conversations_are_counted_and_linked(client: TestClient, snapshot: Snapshot) -> None:
    text = _text(client)
    # What waits is neither open nor closed.
    count = snapshot.value(
        "select count(*) from marts.conversations where not is_closed and not is_waiting"
    )
    link = re.search(r'href="(/conversations\?[^"]*)">(\d+) open conversations<', text)
    assert link
    assert int(link[2]) == count
    wanted, problems = filters.read(parse_qsl(html.unescape(link[1]).partition("?")[2]))
    assert not problems
    joined = filters.where(wanted.conditions())
    assert (
        snapshot.value(
            f"select count(*) from marts.conversations as conversations where {joined.sql}",
            joined.values,
        )
        == count
    )


def test_findings_are_counted_in_words(client: TestClient, snapshot: Snapshot) -> None:
    text = _text(client)
    for row in snapshot.rows("select code, count(*) as n from marts.graph_quality group by code"):
        words = html.escape(labels.FINDINGS[row["code"]]).replace("&#x27;", "&#39;")
        assert re.search(re.escape(words) + rf'</th><td class="number">{row["n"]}</td>', text)


def test_the_data_say_how_fresh_they_are(client: TestClient, snapshot: Snapshot) -> None:
    text = _text(client)
    newest = snapshot.value("select max(started_at) from marts.contacts")
    assert snapshot.version in text
    assert i18n.moment(newest) in text


def test_the_first_page_is_french_for_the_french(client: TestClient) -> None:
    text = _text(client, "fr")
    for words in ("octobre 2026", "Le même échange", "Fraîcheur des données", "Ouvrir le rapport"):
        assert words in text
