"""The first page in a real browser: a click on a figure shows as many rows as the figure says."""

from __future__ import annotations

import re
from typing import Any

import pytest


def _number(text: str) -> int:
    found = re.search(r"[\d,]+", text)
    assert found, text
    return int(found[0].replace(",", ""))


def _figures(page: Any) -> list[tuple[int, str]]:
    """Of each figure with a link: its place, and how many rows it says that there are."""
    found = []
    for place, figure in enumerate(page.locator(".figure").all()):
        if not figure.locator(".value a").count():
            continue
        base = [
            text
            for text in figure.locator(".change").all_inner_texts()
            if re.match(r"(of|in) [\d,]+ |[\d,]+ / ", text)
        ]
        found.append((place, (base or [figure.locator(".value").inner_text()])[0]))
    return found


def test_every_figure_of_the_overview_opens_as_many_rows_as_it_says(browser_page: Any) -> None:
    page = browser_page
    page.goto("/")
    figures = _figures(page)
    assert len(figures) >= 16
    for place, said in figures:
        page.locator(".figure").nth(place).locator(".value a").click()
        page.wait_for_url("**/conversations?**")
        counted = page.locator("#count strong")
        counted.wait_for()
        assert _number(counted.inner_text()) == _number(said), (said, page.url)
        page.goto("/")


def test_both_sides_of_the_reconciliation_open_as_many_rows_as_they_say(browser_page: Any) -> None:
    page = browser_page
    page.goto("/")
    links = page.locator(".report-together a")
    assert links.count() >= 4
    for place in range(links.count()):
        text = links.nth(place).inner_text()
        links.nth(place).click()
        page.wait_for_url("**/conversations?**")
        counted = page.locator("#count strong")
        counted.wait_for()
        assert _number(counted.inner_text()) == _number(text), (text, page.url)
        page.goto("/")


@pytest.mark.parametrize("rows", ["conversations", "contacts"])
def test_the_log_lists_either_kind_of_row_and_walks_to_the_end(
    browser_page: Any, rows: str
) -> None:
    page = browser_page
    page.goto("/conversations?rows=contacts&contact_from=2026-11-10&contact_to=2026-11-11&size=50")
    if rows == "conversations":
        page.locator("#rows-conversations").click()
        page.locator("#rows-conversations[aria-current]").wait_for()
    page.locator("#count strong").wait_for()
    total = _number(page.locator("#count strong").inner_text())
    seen: list[str] = []
    while True:
        seen += page.locator("#results tbody th a").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        )
        following = page.locator("#page-next")
        if not following.count():
            break
        last = seen[-1]
        following.click()
        page.wait_for_function(
            "last => [...document.querySelectorAll('#results tbody th a')]"
            ".every(link => link.getAttribute('href') !== last)",
            arg=last,
        )
    assert len(seen) == len(set(seen)) == total > 50
