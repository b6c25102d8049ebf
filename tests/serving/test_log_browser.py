"""The conversation log in a real browser: script, keyboard, phone, downloads, accessibility."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe

from serving.snapshot import Snapshot

LOG = "/conversations"


def _query(page: Any) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(page.url).query)


def _ids(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("#results tbody th a").all_inner_texts()]


def _serious(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_a_conversation_is_found_by_its_words_filtered_sorted_paged_and_opened(
    browser_page: Any, snapshot: Snapshot
) -> None:
    page = browser_page
    page.goto(LOG)
    total = snapshot.value("select count(*) from marts.conversations")
    page.get_by_text(f"{total:,} conversations").wait_for()
    page.evaluate("window.stays = true")
    page.get_by_label("Text in the messages").fill("facture")
    page.get_by_role("button", name="Show").click()
    page.locator("#results mark").first.wait_for()
    # The form stayed, the results were swapped, and the address is short enough to share.
    assert page.evaluate("window.stays") is True
    assert _query(page) == [("q", "facture")]
    assert {text.casefold() for text in page.locator("#results mark").all_inner_texts()} == {
        "facture"
    }
    page.get_by_role("combobox", name="Channel", exact=True).select_option("chat")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**channel=chat**")
    page.locator("#sort-contacts").click()
    page.wait_for_url("**sort=contacts**")
    page.locator("th[aria-sort=descending]", has_text="Contacts").wait_for()
    counts = [int(text) for text in page.locator("#results td:nth-child(7)").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    first = _ids(page)
    page.get_by_role("link", name="Next").click()
    page.get_by_role("link", name="Previous").wait_for()
    second = _ids(page)
    assert not set(first) & set(second)
    page.get_by_role("link", name="Previous").click()
    page.wait_for_function(
        "id => document.querySelector('#results tbody th a').innerText.trim() === id", arg=first[0]
    )
    assert _ids(page) == first
    assert page.evaluate("window.stays") is True
    page.go_back()
    page.wait_for_function(
        "id => document.querySelector('#results tbody th a')?.innerText.trim() === id",
        arg=second[0],
    )
    assert page.locator("h1").count() == 1
    page.locator("#results tbody th a").first.click()
    page.wait_for_url(re.compile(r"/conversations/[^?]+$"))


def test_a_choice_of_an_agent_is_one_click_and_a_chip_takes_it_away(
    browser_page: Any, snapshot: Snapshot
) -> None:
    page = browser_page
    page.goto(LOG)
    page.get_by_role("combobox", name="Agent", exact=True).select_option("bluewing_travel:1")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**agent=1**")
    assert sorted(_query(page)) == [("agent", "1"), ("source", "bluewing_travel")]
    name = snapshot.value(
        "select display_name from marts.agents where source = 'bluewing_travel'"
        " and agent_id = '1' and is_current"
    )
    chip = page.locator(".log-chip", has_text=name)
    chip.click()
    page.wait_for_url("**/conversations?source=bluewing_travel")
    assert page.locator(".log-chip").count() == 1


def test_the_export_of_what_is_shown_reopens_as_a_workbook(
    browser_page: Any, snapshot: Snapshot, tmp_path: Path
) -> None:
    page = browser_page
    page.goto(f"{LOG}?q=facture&channel=chat")
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as started:
        page.get_by_role("link", name="Excel (XLSX): conversation").click()
    file = tmp_path / started.value.suggested_filename
    started.value.save_as(file)
    # Between the two stands what tells exports of different filters apart.
    assert file.name.startswith("throughline-conversations-")
    assert file.name.endswith(f"-{snapshot.version}.xlsx")
    sheet = openpyxl.load_workbook(file).worksheets[0]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    shown = page.locator("#count strong").inner_text()
    assert shown == f"{len(rows)} conversations"
    newest = [row[0] for row in rows][::-1]
    assert _ids(page) == newest[: len(_ids(page))]


def test_the_keyboard_alone_is_enough(browser_page: Any) -> None:
    page = browser_page
    page.goto(LOG)
    page.locator("#count strong").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("facture")
    page.keyboard.press("Enter")
    page.locator("#results mark").first.wait_for()

    def tab_to(condition: str) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate(f"(element => {condition})(document.activeElement)"):
                return
        raise AssertionError(condition)

    tab_to("element.matches('.log-export > summary')")
    page.keyboard.press("Enter")
    tab_to("element.matches('.log-export a')")
    tab_to("element.id === 'sort-csat'")
    page.keyboard.press("Enter")
    page.locator("th[aria-sort=descending] #sort-csat").wait_for()
    # The place in the page is kept although the table was swapped.
    page.wait_for_function("document.activeElement.id === 'sort-csat'")
    tab_to("element.matches('#results tbody a')")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/conversations/[^?]+$"))


def test_without_script_the_log_works_the_same(chromium: Any, server: str) -> None:
    context = chromium.new_context(base_url=server, locale="en-GB", java_script_enabled=False)
    page = context.new_page()
    page.goto(LOG)
    page.get_by_label("Text in the messages").fill("facture")
    page.get_by_role("combobox", name="Agent", exact=True).select_option("bluewing_travel:1")
    page.get_by_role("button", name="Show").click()
    assert sorted(_query(page)) == [
        ("agent", "1"),
        ("q", "facture"),
        ("source", "bluewing_travel"),
    ]
    page.get_by_role("link", name="Count them").click()
    assert "conversations" in page.locator("main strong").inner_text()
    page.get_by_role("link", name="Back to the log").click()
    page.get_by_role("link", name="Resolution").click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Resolution")
    context.close()


@pytest.mark.parametrize(
    "path", [LOG, f"{LOG}?q=facture&agent=1&agent=2&rated=yes", f"{LOG}?channel=none"]
)
def test_a_phone_shows_the_whole_of_it(chromium: Any, server: str, path: str) -> None:
    context = chromium.new_context(
        base_url=server, locale="fr-FR", viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto(path)
    page.locator(".log-filters summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if page.locator(".log-export").count():
        page.locator(".log-export > summary").click()
        card = page.locator(".log-export .card").bounding_box()
        assert card["x"] >= 0
        assert card["x"] + card["width"] <= 390
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        f"{LOG}?q=facture&agent=1&agent=2&transferred=yes",
        f"{LOG}?channel=nowhere&from=x",
        f"{LOG}/count?channel=chat",
    ],
)
def test_axe_finds_nothing_serious(chromium: Any, server: str, path: str, scheme: str) -> None:
    context = chromium.new_context(base_url=server, locale="fr-FR", color_scheme=scheme)
    page = context.new_page()
    page.goto(path)
    for summary in page.locator("main summary").all():
        summary.click()
    assert not _serious(page)
    context.close()
