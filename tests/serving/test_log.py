"""The conversation log: what it shows, in which order, page by page."""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from serving import filters
from serving.export import log
from serving.filters import Filter
from serving.queries import excerpts, windows
from serving.queries import log as log_queries
from serving.queries.choices import choices
from serving.queries.cursors import Cursor
from serving.queries.directory import directory
from serving.queries.ids import Key
from serving.queries.log import CONTACTS, CONVERSATIONS, ORDERS
from serving.snapshot import Snapshot

LOG = "/conversations"
PART = {"HX-Request": "true"}


def _read(query: str) -> Filter:
    wanted, problems = filters.read(parse_qsl(query))
    assert not problems
    return wanted


def _ids(text: str) -> list[str]:
    """The conversations of a page, in order."""
    found = re.findall(r'<th scope="row" class="id"><a href="[^"]*">(.*?)</a>', text)
    return [html.unescape(each.replace("<wbr>", "")) for each in found]


def _link(text: str, id: str) -> str | None:
    found = re.search(rf'<a [^>]*id="{id}"[^>]*?href="([^"]*)"', text)
    return html.unescape(found[1]) if found else None


def _expected(snapshot: Snapshot, sort: str, order: str) -> list[str]:
    """All conversations in an order, sorted by Python."""
    column = CONVERSATIONS.sorts[sort].partition(".")[2]
    rows = snapshot.rows(
        f"select conversation_id, started_at, {column} as value from marts.conversations"
    )

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return (row["value"], row["started_at"], row["conversation_id"])

    known = [row for row in rows if row["value"] is not None]
    missing = [{**row, "value": 0} for row in rows if row["value"] is None]
    reverse = order == "desc"
    ordered = sorted(known, key=key, reverse=reverse) + sorted(missing, key=key, reverse=reverse)
    return [row["conversation_id"] for row in ordered]


def _all_pages(snapshot: Snapshot, wanted: Filter, **view: Any) -> list[log_queries.Page]:
    pages = [log_queries.find(snapshot, wanted, **view)]
    while pages[-1].next:
        after = Cursor.read(pages[-1].next.to_text(), view["sort"], view["order"])
        assert after == pages[-1].next
        pages.append(log_queries.find(snapshot, wanted, after=after, **view))
    return pages


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot) -> None:
    """Windows of a hundred conversations, so that the sample has many."""
    monkeypatch.setattr(windows, "WINDOW_ROWS", 100)
    monkeypatch.setattr(snapshot, "_made", {})


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", CONVERSATIONS.sorts)
def test_the_pages_of_every_order_hold_each_conversation_once_and_lead_back_the_same(
    snapshot: Snapshot, sort: str, order: str
) -> None:
    view = {"sort": sort, "order": order, "size": 100}
    pages = _all_pages(snapshot, Filter(), **view)
    shown = [row["conversation_id"] for page in pages for row in page.rows]
    assert shown == _expected(snapshot, sort, order)
    assert pages[0].previous is None
    for number in range(len(pages) - 1, 0, -1):
        back = log_queries.find(snapshot, Filter(), before=pages[number].previous, **view)
        assert back.rows == pages[number - 1].rows
        assert bool(back.previous) == (number > 1)
        assert back.next is not None


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize(
    "query",
    [
        "q=facture",
        "q=bonjour+merci",
        "q=zzzzzz",
        "agent=1&source=bluewing_travel",
        "group=sales&contact=transferred_out",
        "tag=vip&channel=chat",
        "transfer_from=901&transfer_to=1",
        "from=2026-10-01&to=2026-10-20",
        "on=closed&from=2026-10-01&to=2026-10-20",
        "contact_from=2026-10-01&contact_to=2026-10-20",
        "id=311354",
        "rated=yes&escalated=yes",
    ],
)
@pytest.mark.parametrize("order", ORDERS)
def test_reading_in_windows_finds_what_the_plain_question_finds(
    snapshot: Snapshot, query: str, order: str
) -> None:
    wanted = _read(query)
    assert len(windows.bounds(snapshot)) > 15
    search = wanted.search()
    joined = filters.where([*wanted.conditions(), *([search] if search else [])])
    expected = snapshot.rows(
        "select conversation_id, contact_count from marts.conversations as conversations"
        f" where {joined.sql} order by started_at {order}, conversation_id {order}",
        joined.values,
    )
    pages = _all_pages(snapshot, wanted, sort="opened", order=order, size=25)
    shown = [row["conversation_id"] for page in pages for row in page.rows]
    assert shown == [row["conversation_id"] for row in expected]
    assert log_queries.count(snapshot, wanted) == (
        len(expected),
        sum(row["contact_count"] for row in expected),
    )


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def test_free_text_finds_the_conversations_that_hold_every_word(snapshot: Snapshot) -> None:
    messages = snapshot.rows(
        "select conversation_id, body from marts.messages where conversation_id is not null"
    )
    for words in (["reclamation"], ["facture", "merci"], ["vendredi"]):
        holding = [
            {row["conversation_id"] for row in messages if word in _plain(row["body"] or "")}
            for word in words
        ]
        expected = set.intersection(*holding)
        pages = _all_pages(
            snapshot, Filter(words=" ".join(words)), sort="opened", order="desc", size=100
        )
        assert {row["conversation_id"] for page in pages for row in page.rows} == expected


def test_an_excerpt_is_the_first_message_with_a_word_and_marks_it(snapshot: Snapshot) -> None:
    page = log_queries.find(snapshot, Filter(words="facture"), size=100)
    keys = [Key(row["conversation_id"], row["started_at"]) for row in page.rows]
    found = excerpts.excerpts(snapshot, "facture", keys)
    assert set(found) == {key.conversation_id for key in keys}
    for key in keys[:20]:
        bodies = snapshot.rows(
            "select body, author_kind from marts.messages where conversation_id = $id"
            " order by message_no",
            {"id": key.conversation_id},
        )
        first = next(row for row in bodies if "facture" in _plain(row["body"]))
        excerpt = found[key.conversation_id]
        text = "".join(part for part, _ in excerpt.parts).strip("…")
        assert text in first["body"]
        assert excerpt.author_kind == first["author_kind"]
        hits = [part for part, is_hit in excerpt.parts if is_hit]
        assert hits
        assert {_plain(hit) for hit in hits} == {"facture"}


def test_a_long_message_is_cut_around_what_was_found() -> None:
    body = "x" * 300 + " needle " + "y" * 300
    row = {
        "is_start": False,
        "is_end": False,
        "excerpt": body[250:301] + "\x02needle\x03" + body[307:400],
    }
    excerpt = excerpts._excerpt({**row, "author_kind": "visitor"})
    assert excerpt.parts[0] == ("…", False)
    assert ("needle", True) in excerpt.parts
    assert excerpt.parts[-1] == ("…", False)


def test_the_first_page_shows_the_newest_conversations(
    client: TestClient, snapshot: Snapshot
) -> None:
    text = client.get(LOG).text
    assert _ids(text) == _expected(snapshot, "opened", "desc")[:25]
    assert text.count("<h1>") == 1
    assert 'aria-sort="descending"' in text
    assert text.count("aria-sort") == 1
    assert 'hx-get="/conversations/count?"' in text
    assert 'href="/conversations/' + _ids(text)[0] + '"' in text


def test_a_row_names_the_agents_in_order_and_marks_bots(
    client: TestClient, snapshot: Snapshot
) -> None:
    row = snapshot.row(
        "select * from marts.conversations where bot_contact_count > 0 and len(agent_path) = 2"
        " and agent_path[1] <> agent_path[2] and human_contact_count > 0 order by started_at desc"
    )
    assert row
    text = client.get(LOG, params={"id": row["conversation_id"]}).text
    names = directory(snapshot)
    shown = re.search(r'class="log-agents">(.*?)</td>', text)
    assert shown
    plain = html.unescape(re.sub(r"<[^>]+>", "", shown[1]))
    first, second = (names.agent(row["source"], agent) for agent in row["agent_path"])
    assert re.sub(r"\s+", " ", plain.replace("bot", "")).strip() == f"{first} → {second}"
    assert 'class="tag log-bot"' in shown[1]


def test_links_page_forward_and_back(client: TestClient, snapshot: Snapshot) -> None:
    everything = _expected(snapshot, "csat", "asc")
    first = client.get(f"{LOG}?sort=csat&order=asc&size=50").text
    assert _ids(first) == everything[:50]
    assert _link(first, "page-previous") is None
    forward = _link(first, "page-next")
    assert forward
    assert "offset" not in forward
    assert "page=" not in forward
    second = client.get(forward).text
    assert _ids(second) == everything[50:100]
    back = _link(second, "page-previous")
    assert back
    assert _ids(client.get(back).text) == everything[:50]
    to_first = _link(second, "page-first")
    assert to_first
    assert _ids(client.get(to_first).text) == everything[:50]


def test_a_column_sorts_both_ways_and_keeps_the_filters(client: TestClient) -> None:
    text = client.get(f"{LOG}?channel=chat&size=50").text
    down = _link(text, "sort-contacts")
    assert down
    assert dict(parse_qsl(urlsplit(down).query)) == {
        "channel": "chat",
        "sort": "contacts",
        "size": "50",
    }
    sorted_text = client.get(down).text
    assert 'aria-sort="descending"' in sorted_text
    up = _link(sorted_text, "sort-contacts")
    assert up
    assert 'aria-sort="ascending"' in client.get(up).text


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "e30",
        "bnVsbA",
        "../../etc",
        "%00",
        "A" * 5000,
        Cursor("csat", "desc", 4.0, datetime(2026, 1, 1), "a").to_text(),
        Cursor("opened", "desc", None, datetime(2026, 1, 1), "a").to_text()[:-3],
    ],
)
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_cursor_that_is_none_is_refused_and_says_so(
    client: TestClient, name: str, text: str
) -> None:
    answer = client.get(LOG, params={name: text})
    assert answer.status_code == 400
    assert f"Page ({name}) cannot be" in answer.text
    assert not _ids(answer.text)


@given(
    st.one_of(
        st.text(max_size=80),
        st.tuples(
            st.sampled_from([*CONVERSATIONS.sorts, "x"]),
            st.sampled_from(ORDERS),
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
            st.one_of(st.just("2026-01-01T00:00:00"), st.text(max_size=20)),
            st.one_of(st.text(max_size=9), st.none()),
        ),
    )
)
def test_no_cursor_breaks_the_log(snapshot: Snapshot, made: Any) -> None:
    text = made
    if not isinstance(made, str):
        text = base64.urlsafe_b64encode(json.dumps(made).encode()).decode().rstrip("=")
    for sort in CONVERSATIONS.sorts:
        place = Cursor.read(text, sort, "desc")
        if place:
            log_queries.find(snapshot, Filter(), sort=sort, after=place)
            log_queries.find(snapshot, Filter(), sort=sort, before=place)


def test_a_cursor_keeps_amounts_and_moments_exactly() -> None:
    for sort, value in (
        ("amount", Decimal("10.0001")),
        ("closed", datetime(2026, 11, 2, 1, 2, 3, 456789)),
        ("duration", 0.1 + 0.2),
        ("csat", None),
    ):
        made = Cursor(sort, "asc", value, datetime(2026, 1, 1), "maison:é/1")
        assert re.fullmatch(r"[A-Za-z0-9_-]+", made.to_text())
        assert Cursor.read(made.to_text(), sort, "asc") == made
        assert Cursor.read(made.to_text(), sort, "desc") is None


def test_the_count_is_loaded_apart(client: TestClient, snapshot: Snapshot) -> None:
    row = snapshot.row(
        "select count(*) as conversations, sum(contact_count) as contacts"
        " from marts.conversations where channel = 'chat'"
    )
    assert row
    part = client.get(f"{LOG}/count?channel=chat", headers=PART).text
    plain = re.sub(r"<[^>]+>", "", part).strip()
    assert plain == f"{row['conversations']:,} conversations, {row['contacts']:,} contacts"
    whole = client.get(f"{LOG}/count?channel=chat").text
    assert part.strip() in whole
    assert 'href="/conversations?channel=chat"' in whole
    french = client.get(f"{LOG}/count?id=nothing", headers={**PART, "Accept-Language": "fr"}).text
    assert re.sub(r"<[^>]+>", "", french).strip() == "0 conversation, 0 contact"


def test_a_script_gets_the_results_alone_and_the_short_address(client: TestClient) -> None:
    answer = client.get(f"{LOG}?q=&channel=chat&from=&agent=&size=25", headers=PART)
    assert answer.text.lstrip().startswith('<section id="results"')
    assert "<html" not in answer.text
    assert answer.headers["HX-Push-Url"] == "/conversations?channel=chat"
    restored = client.get(LOG, headers={**PART, "HX-History-Restore-Request": "true"})
    assert "<html" in restored.text


def test_every_filter_at_work_is_a_chip_that_removes_it(client: TestClient) -> None:
    query = (
        "from=2026-10-01&source=bluewing_travel&channel=chat&rated=yes&agent=1&agent=2"
        "&contact=answered&transfer_from=901"
    )
    text = client.get(f"{LOG}?{query}").text
    chips = [
        html.unescape(href)
        for href in re.findall(r'<a class="log-chip" href="([^"]*)" title', text)
    ]
    asked = sorted(parse_qsl(query))
    assert len(chips) == len(asked)
    removed = []
    for chip in chips:
        left = parse_qsl(urlsplit(chip).query)
        gone = [pair for pair in asked if pair not in left]
        assert len(gone) == 1
        removed += gone
    assert sorted(removed) == asked


def test_the_form_sends_along_what_none_of_its_fields_shows(client: TestClient) -> None:
    query = (
        "agent=1&agent=2&channel=chat&channel=sms&contact=answered&transfer_from=901&sort=csat"
        "&q=facture&rated=yes"
    )
    text = client.get(f"{LOG}?{query}").text
    hidden = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)" form="filters">', text
    )
    assert sorted(hidden) == sorted(
        pair for pair in parse_qsl(query) if pair[0] not in ("q", "rated")
    )
    assert 'name="q" value="facture"' in text
    assert re.search(r'name="rated">.*?<option value="yes" selected>', text, re.S)


def test_a_choice_of_one_source_becomes_a_plain_filter(client: TestClient) -> None:
    answer = client.get(
        f"{LOG}?pick_agent=bluewing_travel:1&channel=chat&pick_group=&pick_project=&sort=csat"
    )
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(LOG + "?")
    assert sorted(parse_qsl(urlsplit(answer.headers["location"]).query)) == [
        ("agent", "1"),
        ("channel", "chat"),
        ("sort", "csat"),
        ("source", "bluewing_travel"),
    ]
    shown = client.get(answer.headers["location"]).text
    assert '<option value="bluewing_travel:1" selected>' in shown
    assert 'name="agent"' not in shown


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("from=yesterday", "First day (from) cannot be “yesterday”: it takes a day such as"),
        ("from=2026-10-02&to=2026-10-01", "it takes a day not before 2026-10-02"),
        ("score_min=lots", "CSAT from (score_min) cannot be “lots”: it takes a number from 0"),
        ("sort=luck", "it takes one of opened, closed"),
        ("size=1000", "it takes one of 25, 50, 100"),
        ("automation=none", "it takes one of not_automated, partially_automated"),
        ("pick_agent=9", "it takes a source, a colon and an id"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_remedy(
    client: TestClient, query: str, text: str
) -> None:
    answer = client.get(f"{LOG}?{query}")
    assert answer.status_code == 400
    assert text in html.unescape(answer.text)
    french = client.get(f"{LOG}?{query}", headers={"Accept-Language": "fr"})
    assert french.status_code == 400
    assert "ne peut pas être" in french.text


def test_a_part_that_cannot_be_shown_leads_to_the_page_that_says_why(client: TestClient) -> None:
    address = f"{LOG}?score_min=lots"
    part = client.get(address, headers={"HX-Request": "true"})
    assert part.text == ""
    assert part.headers["hx-redirect"].endswith(address)
    assert client.get(part.headers["hx-redirect"]).status_code == 400


def test_where_nothing_is_found_the_page_says_which_filter_to_drop(client: TestClient) -> None:
    text = client.get(f"{LOG}?channel=nowhere&rated=yes").text
    assert "No conversation here" in text
    advice = text[text.index("There would be some") :]
    assert 'href="/conversations?rated=yes"' in advice
    assert 'href="/conversations?channel=nowhere"' not in advice
    assert 'href="/conversations"' in advice
    assert "/export" not in text


def test_text_that_is_an_id_offers_its_conversation(client: TestClient, snapshot: Snapshot) -> None:
    row = snapshot.row(
        "select id, conversation_id from marts.conversation_ids where id_kind = 'contact'"
        " and conversation_id <> source || ':' || id order by id limit 1"
    )
    assert row
    text = html.unescape(client.get(LOG, params={"q": row["id"]}).text)
    assert f"“{row['id']}” is the id of a contact." in text
    assert f'href="/conversations/{row["conversation_id"]}"' in text
    shown = client.get(LOG, params={"id": row["id"]})
    assert shown.status_code == 200
    assert _ids(shown.text) == [row["conversation_id"]]


def test_text_of_the_address_is_escaped(client: TestClient) -> None:
    evil = '"><script>alert(1)</script>'
    for name in ("q", "visitor", "channel", "agent", "tag", "from", "sort", "after", "id"):
        text = client.get(LOG, params={name: evil}).text
        assert "<script>alert" not in text


def test_the_exports_of_a_page_carry_its_filters(client: TestClient) -> None:
    text = client.get(f"{LOG}?channel=chat&sort=csat&size=50").text
    links = [
        html.unescape(each) for each in re.findall(r'href="(/conversations/export[^"]*)"', text)
    ]
    assert len(links) == 12
    for link in links:
        asked = dict(parse_qsl(urlsplit(link).query))
        assert asked["channel"] == "chat"
        assert set(asked) == {"channel", "format", "grain"}


def test_times_are_the_projects_and_the_zone_is_named(
    client: TestClient, snapshot: Snapshot
) -> None:
    row = snapshot.row(
        "select conversation_id, strftime(started_at + interval 8 hour, '%H:%M') as local"
        " from marts.conversations where time_zone = 'Asia/Singapore'"
        " order by started_at desc limit 1"
    )
    assert row
    text = client.get(LOG, params={"id": row["conversation_id"]}).text
    assert f", {row['local']}" in text
    assert "Asia/Singapore (UTC+08:00)" in text
    assert "America/New_York</span>" in client.get(f"{LOG}?size=100").text


def test_the_log_speaks_french(client: TestClient) -> None:
    text = client.get(LOG, headers={"Accept-Language": "fr"}).text
    assert "<h1>Journal des conversations</h1>" in text
    for english in ("More filters", "Export<", "Agents in order", "Rows per page", ">any<"):
        assert english not in text


def test_the_choices_are_those_of_the_version(client: TestClient, snapshot: Snapshot) -> None:
    text = html.unescape(client.get(LOG).text)
    names = directory(snapshot)
    for (source, agent), row in names.agents.items():
        assert f'<option value="{source}:{agent}">{row["display_name"]}</option>' in text
    for (source, project), row in names.projects.items():
        assert f'<option value="{source}:{project}">{row["project_name"]}</option>' in text
    assert choices(snapshot) is choices(snapshot)


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("transfer_by=group&transfer_from=sales&source=bluewing_travel", "Transfer from", "Sales"),
        ("transfer_by=kind&transfer_to=human", "Transfer to", "Human"),
        ("transfer_first_day=2026-10-01&transfer_outcome=failed", "Transfer", "failed"),
        ("path=901&path=1&source=bluewing_travel", "Path", "Lumo → Elif S."),
        ("transfer_by=kind&path=bot&path=human&path_part=yes", "Part of a path", "Bot → Human"),
        ("contact_from=2026-10-01&contact_kind=bot", "A contact with", "Bot"),
        ("contact_channel=chat&language=-", "Language of the conversation", "none"),
    ],
)
def test_a_filter_that_only_links_ask_for_is_named_on_its_chip(
    client: TestClient, query: str, name: str, value: str
) -> None:
    text = html.unescape(client.get(f"{LOG}?{query}").text)
    chips = re.findall(
        r'<a class="log-chip" href="([^"]*)" title="[^"]*">'
        r'<span class="muted">(.*?)</span> (.*?) <',
        text,
    )
    (href,) = [href for href, *shown in chips if shown == [name, value]]
    assert client.get(href).status_code == 200
    assert "path" not in href or "path" not in query


def test_a_listing_of_contacts_holds_those_that_are_asked_for(snapshot: Snapshot) -> None:
    for query, condition in (
        ("contact_from=2026-10-05&contact_to=2026-10-11", "true"),
        (
            "contact_from=2026-10-05&contact_to=2026-10-11&contact=transferred_out",
            "is_transferred_out",
        ),
        ("contact_from=2026-10-05&contact_to=2026-10-11&agent=1", "agent_id = '1'"),
    ):
        wanted = _read(f"rows=contacts&{query}")
        assert wanted.query().startswith("rows=contacts&")
        expected = [
            (row["source"], row["contact_id"])
            for row in snapshot.rows(
                "select source, contact_id from marts.contacts where started_on between"
                f" date '2026-10-05' and date '2026-10-11' and {condition}"
                " order by started_at desc, conversation_id desc, contact_no desc"
            )
        ]
        assert log_queries.count(snapshot, wanted)[1] == len(expected) > 0
        for sort in CONTACTS.sorts:
            for order in ORDERS:
                found, after = [], None
                while True:
                    page = log_queries.find(
                        snapshot, wanted, sort=sort, order=order, size=7, after=after
                    )
                    found += [(row["source"], row["contact_id"]) for row in page.rows]
                    if page.previous:
                        back = log_queries.find(
                            snapshot, wanted, sort=sort, order=order, size=7, before=page.previous
                        )
                        assert [(row["source"], row["contact_id"]) for row in back.rows] == found[
                            -len(page.rows) - 7 : -len(page.rows)
                        ]
                    if page.next is None:
                        break
                    after = Cursor.read(page.next.to_text(), sort, order)
                    assert after == page.next
                assert sorted(found) == sorted(expected)
                if (sort, order) == ("opened", "desc"):
                    assert found == expected
        (exported,) = log.tables(wanted, "contact", in_order=True)
        rows = snapshot.rows(exported.sql, exported.values)
        assert sorted((row["source"], row["contact_id"]) for row in rows) == sorted(expected)
