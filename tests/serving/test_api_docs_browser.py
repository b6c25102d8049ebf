"""The page of the REST resource in Chromium: it works under the strict policy, asks nobody else."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe


def test_the_resource_can_be_tried_out_on_its_page(browser_page: Any) -> None:
    page = browser_page
    page.goto("/api/docs")
    page.wait_for_selector(".opblock")
    assert page.locator("main .head h1").inner_text() == "REST resource"
    document = page.request.get("/api/openapi.json").json()
    assert page.locator(".opblock").count() == len(document["paths"])
    page.click("#operations-REST-conversation_id .opblock-summary-control")
    page.click("#operations-REST-conversation_id .try-out__btn")
    page.fill("#operations-REST-conversation_id input[placeholder='id']", "00440001")
    page.click("#operations-REST-conversation_id .execute")
    answer = page.locator(".live-responses-table .response-col_description pre").first
    answer.wait_for()
    assert "harbor_telecom:00440001" in answer.inner_text()


def test_the_page_follows_the_theme_the_language_and_a_narrow_screen(browser_page: Any) -> None:
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/api/docs?lang=fr")
    page.wait_for_selector(".opblock")
    assert page.locator("main .head h1").inner_text() == "Ressource REST"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "dark-mode" not in (page.get_attribute("html", "class") or "")
    page.click("[data-theme-switch]")
    assert "dark-mode" in page.get_attribute("html", "class")


def test_axe_finds_nothing_serious_on_the_page(browser_page: Any) -> None:
    page = browser_page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto("/api/docs")
        page.wait_for_selector(".opblock")
        found = Axe().run(page).response["violations"]
        assert not [each["id"] for each in found if each["impact"] in ("serious", "critical")]
