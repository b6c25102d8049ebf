"""The two reports in a browser: read, clicked through, by keyboard, on a phone, for everyone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from serving import i18n
from serving.snapshot import Snapshot


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    i18n.use("en")
    yield
    i18n.use("en")


def _october(snapshot: Snapshot, model: str) -> dict[str, Any]:
    row = snapshot.row(
        f"select * from reports.{model} where dimension = 'all' and period_grain = 'month'"
        " and period_start = date '2026-10-01'"
    )
    assert row is not None
    return row


def _figure(page: Any, label: str) -> Any:
    return page.locator(".report-figures .figure").filter(
        has=page.get_by_role("link", name=label, exact=True)
    )


def _overflow(page: Any) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def test_a_manager_reads_the_statistical_report_and_opens_the_conversations_behind_it(
    browser_page: Any, snapshot: Snapshot
) -> None:
    row = _october(snapshot, "statistical_report")
    browser_page.goto("/reports/statistics")
    assert browser_page.get_by_role("heading", level=1).inner_text() == "Statistical report"
    assert "October 2026" in browser_page.locator("#lead").inner_text()
    assert f"{row['conversations']:,}" in _figure(browser_page, "Conversations").inner_text()
    assert i18n.percent(row["transfer_rate"]) in _figure(browser_page, "Transfer rate").inner_text()
    together = browser_page.get_by_text(
        f"{row['conversations']:,} conversations = {row['contacts']:,} contacts"
    )
    assert together.is_visible()
    # Every chart is drawn, and has its figures beside it.
    assert (
        browser_page.locator("[data-chart] svg").count()
        == browser_page.locator("[data-chart]").count()
    )
    _figure(browser_page, "Transfer rate").locator(".value a").click()
    browser_page.wait_for_load_state()
    assert re.search(r"/conversations\?on=closed&from=2026-10-01&to=2026-10-31", browser_page.url)
    assert browser_page.url.endswith("transferred=yes")
    expect(browser_page.locator("#count")).to_contain_text(f"{row['transferred']:,} conversations")


def test_an_analyst_splits_the_contacts_report_by_respondent_and_opens_one(
    browser_page: Any, snapshot: Snapshot
) -> None:
    browser_page.goto("/reports/contacts")
    browser_page.get_by_label("Table by").select_option(label="Respondent")
    browser_page.get_by_role("button", name="Show").click()
    browser_page.wait_for_url("**by=agent**")
    assert "scope" not in browser_page.url
    table = browser_page.locator(".report-table table")
    browser_page.get_by_role("link", name="Unanswered contacts", exact=True).last.click()
    browser_page.wait_for_url("**sort=-unanswered**")
    assert table.locator("th[aria-sort=descending]").inner_text().startswith("Unanswered contacts")
    wanted = snapshot.row(
        "select * from reports.contacts_report where dimension = 'agent'"
        " and period_grain = 'month' and period_start = date '2026-10-01'"
        " order by unanswered desc limit 1"
    )
    assert wanted is not None
    first = table.locator("tbody tr").first
    assert first.locator("td").nth(1).inner_text() == str(wanted["unanswered"])
    first.locator("th a").click()
    browser_page.wait_for_url("**value=**")
    assert browser_page.locator("#lead").inner_text().startswith("Respondent: ")
    shown = _figure(browser_page, "Unanswered contacts").locator(".value").inner_text()
    assert int(shown) == wanted["unanswered"]


def test_a_definition_is_one_click_away(browser_page: Any, snapshot: Snapshot) -> None:
    browser_page.goto("/reports/statistics")
    browser_page.get_by_role("link", name="Escalation rate", exact=True).first.click()
    meant = snapshot.metrics["statistical_report.escalation_rate"]
    target = browser_page.locator(":target")
    assert meant.description in target.inner_text()
    assert meant.formula in target.inner_text()
    box = target.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 900


def test_a_report_is_read_and_changed_with_the_keyboard_alone(browser_page: Any) -> None:
    browser_page.goto("/reports/statistics")
    browser_page.keyboard.press("Tab")
    assert browser_page.evaluate("document.activeElement.className") == "skip"
    browser_page.keyboard.press("Enter")
    seen = []
    for _ in range(14):
        browser_page.keyboard.press("Tab")
        seen.append(browser_page.evaluate("document.activeElement.innerText.split('\\n')[0]"))
        if seen[-1] == "Week":
            break
    assert seen[-1] == "Week", seen
    browser_page.keyboard.press("Enter")
    browser_page.wait_for_url("**grain=week**")
    select = browser_page.get_by_label("Table by")
    select.focus()
    browser_page.keyboard.press("c")
    for _ in range(4):
        browser_page.keyboard.press("Tab")
        if browser_page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    browser_page.keyboard.press("Enter")
    browser_page.wait_for_url("**by=channel**")
    assert browser_page.locator(".report-table caption").inner_text().startswith("By channel")
    outline = browser_page.evaluate(
        """() => {
            const link = document.querySelector('.report-table a');
            link.focus();
            return getComputedStyle(link).outlineStyle;
        }"""
    )
    assert outline != "none"


@pytest.mark.parametrize(("kind", "scheme"), [("statistics", "light"), ("contacts", "dark")])
def test_axe_finds_nothing_serious(browser_page: Any, kind: str, scheme: str) -> None:
    browser_page.emulate_media(color_scheme=scheme)
    for query in ("", "?by=agent&columns=all&lang=fr", "?grain=day&to=2026-11-14&lang=en"):
        browser_page.goto(f"/reports/{kind}{query}")
        found = [
            (each["id"], each["nodes"][0]["html"][:200])
            for each in Axe().run(browser_page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert not found, query


@pytest.mark.parametrize("kind", ["statistics", "contacts"])
def test_a_phone_shows_the_whole_page_without_scrolling_sideways(
    browser_page: Any, kind: str
) -> None:
    browser_page.set_viewport_size({"width": 390, "height": 844})
    for query in ("?lang=fr", "?by=agent&columns=all", "?grain=day", "?grain=week&by=project"):
        browser_page.goto(f"/reports/{kind}{query}")
        assert _overflow(browser_page) <= 0, query
        # What is too wide scrolls by itself, and its first column stays.
        region = browser_page.locator(".report-table")
        region.evaluate("element => element.scrollLeft = 200")
        head = region.locator("tbody th").first.bounding_box()
        frame = region.bounding_box()
        assert head is not None
        assert frame is not None
        assert abs(head["x"] - frame["x"]) <= 2
    for summary in browser_page.locator(".report-chart-table summary").all():
        summary.click()
    assert _overflow(browser_page) <= 0


def test_a_point_of_a_chart_leads_to_its_conversations(browser_page: Any) -> None:
    browser_page.goto("/reports/statistics")
    browser_page.locator("[data-chart]").first.scroll_into_view_if_needed()
    place = browser_page.evaluate(
        """() => {
            const element = document.querySelector('[data-chart]');
            const chart = echarts.getInstanceByDom(element);
            const [x, y] = chart.convertToPixel({seriesIndex: 0}, [1, 5]);
            const box = element.getBoundingClientRect();
            return [box.x + x, box.y + y];
        }"""
    )
    # The bars of a period stand side by side: the first is left of the middle.
    browser_page.mouse.click(place[0] - 30, place[1])
    browser_page.wait_for_url("**/conversations?on=closed&from=2026-10-01**")
