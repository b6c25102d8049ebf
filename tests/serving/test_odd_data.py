"""Pages over data that is unlike the sample: odd ids, long names, many agents, shared ids, gaps.

Belongs here: what a page must not lose, hide or break when the data is odd. Does not belong here:
figures of the sample. One small warehouse serves all of it.
"""

from __future__ import annotations

import csv
import html
import io
import re
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from fastapi.testclient import TestClient

from serving import i18n, labels
from serving.addresses import conversation as address
from serving.app import create_app
from serving.pages.transfers import TABLES
from serving.queries.transfers import MOST_ROWS
from tests.harness import Pipeline
from tests.serving.conftest import local_client, serve
from throughline.settings import load_serving_settings

START = datetime(2026, 9, 10)
LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
ODD_IDS = (
    "a/b",
    "a?b",
    "a#b",
    "a%b",
    "a%2Fb",
    "a\nb",
    "a&b=c",
    "a+b",
    "ä ö",
    "<b>x</b>",
    "a\"b'c",
    LONG * 2,
)
# Every channel that the platform has, as its interfaces write them.
CHANNELS = (
    "APPLE_BUSINESS_CHAT",
    "CALL",
    "CHAT",
    "FACEBOOK",
    "FACEBOOK_BUSINESS_ON_MESSENGER",
    "GOOGLE_BUSINESS_MESSAGES",
    "INSTAGRAM",
    "MOBILE_APP",
    "SMS",
    "TWITTER",
    "VIDEO",
    "WHATSAPP",
    "SOCIAL",
)
TARGETS = MOST_ROWS + 5
DAY = 60 * 24
CHAIN = 30


def _time(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat() + "Z"


def _contact(id: str, minutes: float, **more: Any) -> dict[str, Any]:
    return {
        "contact_id": id,
        "started_at": _time(minutes),
        "ended_at": _time(minutes + 5),
        "end_reason": "close",
        "agent_id": "a1",
        "agent_kind": "human",
        "group_id": "g1",
        "visitor_id": "v",
        "project_id": "p",
        "channel": "chat",
        "language": "en",
        "tags": "",
        **more,
    }


def _contacts() -> Iterator[dict[str, Any]]:
    for number, id in enumerate(ODD_IDS):
        yield _contact(id, number)
    for number, channel in enumerate(CHANNELS):
        yield _contact(f"channel-{channel}", 100 + number, channel=channel)
    yield _contact("both", 200, visitor_id=LONG, agent_id="long", group_id=LONG, tags=LONG)
    yield _contact("unlisted", 210, agent_id="unlisted")
    for number in range(TARGETS):
        yield _contact(f"from-{number}", 300 + number * 10, end_reason="transfer")
        yield _contact(f"to-{number}", 306 + number * 10, agent_id=f"t{number}")
    for number in range(CHAIN):
        reason = "transfer" if number < CHAIN - 1 else "close"
        yield _contact(
            f"chain-{number}", 2000 + number * 10, agent_id=f"t{number % 9}", end_reason=reason
        )
    # Months later, with nothing between. What is parked shortly before still waits.
    yield _contact("forgotten", DAY * 20, end_reason="snooze")
    yield _contact("parked", DAY * 99, end_reason="snooze")
    yield _contact("asked", DAY * 99.5, end_reason="transfer")
    yield _contact("late", DAY * 100)
    yield _contact("running", DAY * 100, ended_at=None, end_reason=None)


def _transfers() -> Iterator[dict[str, Any]]:
    for number in range(TARGETS):
        yield {
            "transfer_id": f"x{number}",
            "from_contact_id": f"from-{number}",
            "to_contact_id": f"to-{number}",
            "requested_at": _time(305 + number * 10),
            "kind": "manual",
            "target_kind": "agent",
            "target_id": f"t{number}",
            "outcome": "accepted",
        }
    for number in range(1, CHAIN):
        yield {
            "transfer_id": f"chain{number}",
            "from_contact_id": f"chain-{number - 1}",
            "to_contact_id": f"chain-{number}",
            "requested_at": _time(1999 + number * 10),
            "kind": "manual",
            "target_kind": "group",
            "target_id": LONG,
            "outcome": "accepted",
        }

    yield {
        "transfer_id": "pending",
        "from_contact_id": "asked",
        "requested_at": _time(DAY * 99.5 + 5),
        "kind": "manual",
        "target_kind": "group",
        "target_id": "g1",
        "outcome": "pending",
    }


def _messages() -> Iterator[dict[str, Any]]:
    yield {
        "message_id": "1",
        "contact_id": "both",
        "sent_at": _time(201),
        "author_kind": "visitor",
        "body": LONG * 3,
        "is_private": None,
    }
    for number, is_private in enumerate((True, False)):
        yield {
            "message_id": f"note-{number}",
            "contact_id": "parked",
            "sent_at": _time(DAY * 99 + 1 + number),
            "author_kind": "agent",
            "body": "Call back" if is_private else "Good day",
            "is_private": is_private,
        }


def _agents() -> Iterator[dict[str, Any]]:
    yield {"agent_id": "a1", "agent_kind": "human", "display_name": "Anna", "group_id": "g1"}
    yield {"agent_id": "long", "agent_kind": "human", "display_name": LONG, "group_id": LONG}
    yield {"agent_id": "idle", "agent_kind": "human", "display_name": "Idle", "group_id": "g1"}
    for number in range(TARGETS):
        yield {
            "agent_id": f"t{number}",
            "agent_kind": "human",
            "display_name": f"{LONG}{number}" if number % 3 == 0 else f"Agent {number}",
            "group_id": "g2",
        }


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The published warehouse; nobody may change it."""
    made = Pipeline(
        tmp_path_factory.mktemp("odd"), sources=[{"source": "bare", "numeric_ids": "true"}]
    )
    made.write("odd", "contacts", list(_contacts()), fmt="jsonl")
    made.write("odd", "transfers", list(_transfers()), fmt="jsonl")
    made.write("odd", "agents", list(_agents()), fmt="jsonl")
    made.write("odd", "messages", list(_messages()), fmt="jsonl")
    made.write(
        "bare",
        "contacts",
        [
            {"contact_id": "both", "started_at": _time(0), "agent_id": "z", "ended_at": _time(3)},
            {"contact_id": "77", "started_at": _time(0), "agent_id": "12", "ended_at": _time(3)},
        ],
        fmt="jsonl",
    )
    made.run()
    return made


@pytest.fixture(scope="module")
def pages(odd: Pipeline) -> Iterator[TestClient]:
    """An application over it; redirects are followed."""
    settings = load_serving_settings({"WAREHOUSE_DIR": str(odd.settings.warehouse_dir)})
    with local_client(create_app(settings)) as made:
        made.follow_redirects = True
        yield made


@pytest.fixture(scope="module")
def address_of_server(odd: Pipeline) -> Iterator[str]:
    """A server over it."""
    with serve(odd.settings.warehouse_dir) as made:
        yield made


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    i18n.use("en")
    yield
    i18n.use("en")


def _text(pages: TestClient, path: str, status: int = 200) -> str:
    answer = pages.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.text


def _count(pages: TestClient, query: str) -> tuple[int, int]:
    """Conversations and contacts that the log counts."""
    text = re.sub(r"<[^>]+>", "", _text(pages, f"/conversations/count?{query}"))
    numbers = {
        word: int(number.replace(",", ""))
        for number, word in re.findall(r"([\d,]+) (conversation|contact)", text)
    }
    return numbers["conversation"], numbers["contact"]


# --- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ODD_IDS)
def test_an_id_of_any_characters_opens_its_page_and_is_found_in_the_log(
    pages: TestClient, address_of_server: str, id: str
) -> None:
    for place in (address(id), address(id, "odd"), address(f"odd:{id}")):
        # Of the real server: the client of the tests decodes a path twice.
        with urllib.request.urlopen(address_of_server + place) as answer:
            text = html.unescape(answer.read().decode())
        assert f'<h1>Conversation <span class="id wrap">odd:{id}</span></h1>' in text
    query = urlencode({"id": id})
    assert _count(pages, query) == (1, 1)
    listed = _text(pages, f"/conversations?{query}")
    (link,) = re.findall(r'<th scope="row" class="id"><a href="([^"]+)"', listed)
    assert link == address(f"odd:{id}")


def test_ids_are_numbers_where_the_registry_says_so_and_they_are(pages: TestClient) -> None:
    def told(id: str, source: str) -> tuple[Any, Any]:
        found = pages.get(f"/api/2/conversation/{id}?source={source}").json()["data"]
        return found["contacts"][0]["contact_id"], found["operator_id"]

    assert told("77", "bare") == (77, 12)
    assert told("both", "bare") == ("both", "z")
    assert told("both", "odd")[0] == "both"


def test_an_id_of_two_sources_is_told_apart_where_it_is_searched_for(pages: TestClient) -> None:
    text = _text(pages, "/conversations?q=both")
    lines = re.findall(r'<p class="note">(.*?)</p>', text, re.DOTALL)
    said = [re.sub(r"<[^>]+>", "", line) for line in lines]
    assert len(said) == len(set(said)) == 2
    assert {"odd", "bare"} == {re.findall(r"source (\w+)", line)[0] for line in said}
    for line in lines:
        links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', line)]
        query = dict(parse_qsl(urlsplit(links[1]).query))
        assert query["id"] == "both"
        assert _count(pages, urlsplit(links[1]).query)[0] == 1


# --- lists ----------------------------------------------------------------------------------------


def test_the_agents_to_choose_from_are_those_of_the_contacts(pages: TestClient) -> None:
    part = _text(pages, "/conversations").partition('name="pick_agent"')[2].partition("</select")[0]
    offered = set(re.findall(r'<option value="([^"]+)"', part))
    # One that no log of agents names, and one of a source without such a log; not one without work.
    assert {"odd:unlisted", "bare:z", "odd:a1"} <= offered
    assert "odd:idle" not in offered


def test_the_sources_of_the_transfers_are_those_of_the_conversations(pages: TestClient) -> None:
    text = _text(pages, "/transfers?from=2026-09-01&to=2026-09-30")
    part = text.partition('name="source"')[2].partition("</select")[0]
    assert re.findall(r'<option value="([^"]+)"', part) == ["bare", "odd"]


def test_a_channel_is_found_in_either_case(pages: TestClient) -> None:
    chats = sum(contact["channel"].lower() == "chat" for contact in _contacts())
    for spelling in ("chat", "CHAT", "Chat"):
        assert _count(pages, f"channel={spelling}")[1] == chats
        assert _count(pages, f"rows=contacts&contact_channel={spelling}")[1] == chats


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_channel_of_the_platform_has_a_name(language: str) -> None:
    i18n.use(language)
    for channel in CHANNELS:
        named = labels.label(labels.CHANNELS, channel)
        assert named == labels.label(labels.CHANNELS, channel.lower())
        assert channel.lower() in labels.CHANNELS
        assert "_" not in named
        assert named != channel or channel == "SMS"


def test_targets_that_are_left_out_are_counted_and_exported(pages: TestClient) -> None:
    query = "by=agent&from=2026-09-01&to=2026-09-30"
    text = _text(pages, f"/transfers?{query}")
    # One more: the group that the chain was addressed to.
    assert f"{TARGETS + 1 - MOST_ROWS} more rows are left out here" in text
    # Each pair is a path of its own, and so is the chain.
    assert f"{TARGETS + 1 - MOST_ROWS} rarer paths are not shown." in text
    answer = pages.get(f"/transfers/export?{query}&table=targets&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert len(rows) == TARGETS + 1
    assert sum(int(row["requests"]) for row in rows) == TARGETS + CHAIN - 1
    assert {row["target_name"] for row in rows} >= {f"{LONG}0", "Agent 1"}


@pytest.mark.parametrize("table", list(TABLES))
@pytest.mark.parametrize("format_name", ["csv", "xlsx", "jsonl", "parquet"])
def test_the_transfers_are_exported_in_every_format(
    pages: TestClient, table: str, format_name: str
) -> None:
    query = "by=group&from=2026-09-01&to=2026-09-30"
    link = f"/transfers/export?table={table}&format={format_name}&{query}"
    assert html.escape(link) in _text(pages, f"/transfers?{query}")
    answer = pages.get(link)
    assert answer.status_code == 200
    assert answer.content
    if format_name == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
        column = {"requests": None, "pairs": "transfers", "targets": "requests"}[table]
        total = sum(int(row[column]) for row in rows) if column else len(rows)
        assert total == TARGETS + CHAIN - 1


def test_an_export_of_transfers_that_cannot_be_read_is_refused(pages: TestClient) -> None:
    for query in ("table=nothing", "from=yesterday", "format=docx", "by=nobody"):
        _text(pages, f"/transfers/export?{query}", status=400)


# --- waiting, and notes that no visitor sees ------------------------------------------------------


def test_what_waits_is_told_from_what_is_open_and_what_is_closed(pages: TestClient) -> None:
    counts = {
        status: _count(pages, f"status={status}")[0]
        for status in ("open", "waiting", "closed", "expired")
    }
    assert counts["waiting"] == 2
    assert counts["expired"] == 1
    # One of the odd source still runs.
    assert counts["open"] == 1
    assert counts["open"] + counts["waiting"] + counts["closed"] == _count(pages, "")[0]
    tags = {}
    for id in ("running", "parked", "asked", "forgotten", "late"):
        row = _text(pages, f"/conversations?id={id}").rpartition("<tbody>")[2]
        tags[id] = re.findall(r'<span class="tag[^"]*">([^<]+)</span>', row.partition("</tr>")[0])
    assert tags == {
        "running": ["open"],
        "parked": ["waiting"],
        "asked": ["waiting"],
        "forgotten": ["waited too long"],
        "late": [],
    }
    for id, status in (("running", "open"), ("asked", "waiting"), ("forgotten", "closed")):
        head = _text(pages, address(id)).partition("</h1>")[2].partition("</div>")[0]
        assert f">{status}</span>" in head
    assert "(waiting too long)" in _text(pages, address("forgotten"))
    form = _text(pages, "/conversations?status=waiting")
    assert '<option value="waiting" selected>' in form
    assert re.search(r"Status</span> waiting", form)


def test_the_first_page_shows_what_waits_apart_from_what_is_open(pages: TestClient) -> None:
    text = _text(pages, "/")
    assert re.search(r'href="/conversations\?status=waiting">2 waiting conversations<', text)
    assert re.search(r'href="/conversations\?status=open">1 open conversation<', text)
    part = text.partition('id="waiting-head"')[2].partition("</section>")[0]
    assert re.findall(r">odd:(\w+)<", part) == ["parked", "asked"]


def test_a_private_note_is_marked_and_a_reply_is_not(pages: TestClient) -> None:
    text = _text(pages, address("parked"))
    notes = re.findall(r'<li class="message agent private".*?</li>', text, re.DOTALL)
    assert len(notes) == text.count("private note") == 1
    assert "Call back" in notes[0]
    assert "Good day" in text


def test_a_transfer_that_nobody_has_taken_yet_is_counted_as_such(pages: TestClient) -> None:
    text = _text(pages, "/transfers?by=group&from=2026-12-01&to=2026-12-31")
    assert "Not taken yet" in text
    assert _count(pages, "transfer_outcome=pending")[0] == 1
    assert "nobody has taken it yet" in _text(pages, address("asked"))


# --- periods without data -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["statistics", "contacts"])
def test_a_period_without_data_says_where_there_is_some(pages: TestClient, kind: str) -> None:
    text = _text(pages, f"/reports/{kind}?to=2026-10-01")
    part = text.partition("report-gap")[2].partition("</div>")[0]
    assert "No data in October 2026" in part
    assert "data from September 2026 to December 2026" in part
    (link,) = re.findall(r'href="([^"]+)"', part)
    assert "report-gap" not in _text(pages, html.unescape(link))
    assert "September 2026" in _text(pages, html.unescape(link))
    # No grid of dashes beside it.
    assert "report-figures" not in text


def test_days_without_transfers_lead_to_the_nearest_month_with_some(pages: TestClient) -> None:
    for days in ("from=2026-11-01&to=2026-11-30", "from=2020-01-01&to=2020-01-31"):
        text = _text(pages, f"/transfers?by=agent&{days}")
        (link,) = re.findall(r'<a class="button" href="(/transfers[^"]+)"', text)
        assert "September 2026" in text
        assert "Transfers asked for" in _text(pages, html.unescape(link))
    text = _text(pages, "/transfers?source=bare")
    assert "There are none on any day with these filters." in text


def test_a_source_without_a_row_says_so_and_leads_out(pages: TestClient) -> None:
    text = _text(pages, "/reports/contacts?source=nowhere")
    part = text.partition("report-gap")[2].partition("</div>")[0]
    assert "nowhere: no data in any period." in part
    assert "Show all sources" in part


# --- layout ---------------------------------------------------------------------------------------


LOG = "/conversations?size=100"
WIDE = ("/", LOG, "/conversations?rows=contacts&size=100", "/transfers?by=agent&from=2026-09-01")
PAPER = 1032  # Pixels between the margins of an A4 sheet on its side.


@pytest.fixture(scope="module")
def browser_at(chromium: Any, address_of_server: str) -> Iterator[Any]:
    contexts = []

    def open_at(path: str, width: int, **more: Any) -> Any:
        context = chromium.new_context(
            base_url=address_of_server,
            locale=more.pop("locale", "en-GB"),
            viewport={"width": width, "height": 800},
            **more,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()


def _right_edges(page: Any, selector: str) -> list[float]:
    found = page.locator(selector).evaluate_all(
        "elements => elements.map(element => element.getBoundingClientRect().right)"
    )
    assert found
    return list(found)


@pytest.mark.parametrize("rows", ["conversations", "contacts"])
def test_a_long_name_leaves_every_column_of_the_log_on_the_screen(
    browser_at: Any, rows: str
) -> None:
    page = browser_at(f"{LOG}&rows={rows}", 1440)
    assert LONG in page.locator(".log-table tbody").inner_text()
    assert max(_right_edges(page, "#results thead th")) <= 1440


def test_the_heads_of_the_log_stay_in_sight(browser_at: Any) -> None:
    page = browser_at(LOG, 1440)
    page.locator("#count strong").wait_for()
    head, frame, scrolled = page.locator("#results .scroll").evaluate(
        "element => { element.scrollTop = 600;"
        " window.scrollBy(0, element.getBoundingClientRect().top);"
        " return [element.querySelector('.log-table thead th').getBoundingClientRect().top,"
        " element.getBoundingClientRect().top, element.scrollTop]; }"
    )
    assert scrolled == 600
    assert head >= frame - 1


@pytest.mark.parametrize("path", [address("both", "odd"), address("chain-0"), *WIDE])
@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_is_wider_than_its_window(browser_at: Any, path: str, width: int) -> None:
    page = browser_at(path, width, locale="fr-FR")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_light_and_has_every_column(browser_at: Any, scheme: str) -> None:
    for path, table in (
        (LOG, ".log-table"),
        ("/conversations?rows=contacts&size=100", ".log-table"),
        ("/transfers?by=agent&from=2026-09-01&to=2026-09-30", ".matrix"),
        ("/reports/statistics", ".report-table table"),
    ):
        page = browser_at(path, PAPER, color_scheme=scheme)
        page.emulate_media(media="print", color_scheme=scheme)
        assert max(_right_edges(page, f"{table} th, {table} td")) <= PAPER + 1, path
        colours = page.locator("h1, h2, th, td").evaluate_all(
            "elements => elements.map(element => getComputedStyle(element).color)"
        )
        for colour in set(colours):
            red, green, blue = (int(each) for each in re.findall(r"\d+", colour)[:3])
            assert 0.3 * red + 0.6 * green + 0.1 * blue < 140, (path, colour)


def test_charts_are_printed_in_the_colours_of_paper(browser_at: Any, tmp_path: Path) -> None:
    page = browser_at(
        "/transfers?by=agent&from=2026-09-01&to=2026-09-30", 1440, color_scheme="dark"
    )
    page.locator(".chart svg text").first.wait_for()
    dark = page.locator(".chart svg text").first.get_attribute("fill")
    page.evaluate(
        "addEventListener('beforeprint', () => { window.printed = "
        "document.querySelector('.chart svg text').getAttribute('fill'); })"
    )
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert page.evaluate("window.printed") == "#1a1f2b"
    assert page.locator(".chart svg text").first.get_attribute("fill") == dark != "#1a1f2b"


def test_what_a_chart_says_of_a_period_covers_neither_legend_nor_chart(
    browser_at: Any,
) -> None:
    page = browser_at("/reports/statistics?grain=day&from=2026-09-10&to=2026-09-12", 1440)
    chart = page.locator(".report-chart").first
    chart.locator("svg").wait_for()
    place = chart.bounding_box()
    page.mouse.move(place["x"] + place["width"] * 0.5, place["y"] + place["height"] * 0.7)
    said = page.locator(".chart-tip").first
    said.wait_for()
    assert "Conversations: " in said.inner_text()
    assert said.bounding_box()["y"] >= place["y"] + place["height"]
