"""The detail, the transfers and the first page as people use them, in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from orchestration import pictures
from serving import addresses
from serving.queries import conversation as queries
from serving.queries.directory import directory
from serving.queries.ids import Key
from serving.snapshot import Row, Snapshot
from throughline.settings import load_settings

PAGES = ("/", "/transfers", "/transfers?by=kind", "/transfers?from=2020-01-01&to=2020-01-31")


@pytest.fixture(scope="module")
def escalated(snapshot: Snapshot) -> Row:
    """A conversation of a bot and two agents who all wrote in it."""
    row = snapshot.row(
        "select conversations.* from marts.conversations as conversations"
        " inner join marts.messages as messages"
        " on conversations.conversation_id = messages.conversation_id"
        " where bot_contact_count = 1 and human_contact_count = 2 and agent_count = 3"
        " and transfer_count >= 2 and author_kind in ('agent', 'bot')"
        " group by all having count(distinct author_id) = 3"
        " order by conversations.conversation_id limit 1"
    )
    assert row
    return row


def test_the_picture_of_the_readme_shows_two_transfers_and_is_small(
    chromium: Any, server: str, warehouse: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    shown = pictures.transferred_conversation(load_settings({"WAREHOUSE_DIR": str(warehouse)}))
    row = snapshot.row(
        "select transfer_count, bot_contact_count, human_contact_count from marts.conversations"
        " where conversation_id = $id",
        {"id": shown},
    )
    assert row == {"transfer_count": 2, "bot_contact_count": 1, "human_contact_count": 2}
    file = tmp_path / "conversation.png"
    pictures.photograph(chromium, server, shown, file)
    # More than an empty page, or one that says that there is nothing.
    assert 60_000 < file.stat().st_size < pictures.LARGEST_BYTES


def _serious(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def _fits(page: Any) -> bool:
    return bool(
        page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
    )


def test_both_agents_and_the_bot_are_read_on_one_page(
    browser_page: Any, snapshot: Snapshot, escalated: Row
) -> None:
    page = browser_page
    page.goto(addresses.conversation(escalated["conversation_id"]))
    assert page.locator("h1").inner_text().endswith(escalated["conversation_id"])
    names = directory(snapshot)
    messages = queries.messages(
        snapshot, Key(escalated["conversation_id"], escalated["started_at"])
    )
    for message in messages:
        entry = page.locator(f"#message-{message['message_no']}")
        if message["author_kind"] != "system":
            assert message["body"] in entry.inner_text()
        if message["author_kind"] in ("agent", "bot"):
            assert names.agent(message["source"], message["author_id"]) in entry.inner_text()
    assert page.locator(".stream .handover").count() == escalated["transfer_request_count"]
    assert page.locator("svg.drawing rect.contact").count() == 3
    assert page.locator("svg.drawing g.transfer line").count() >= 2


def test_a_former_id_leads_to_the_conversation_it_became(
    browser_page: Any, snapshot: Snapshot
) -> None:
    former = snapshot.row(
        "select id, conversation_id from marts.conversation_ids"
        " where id_kind = 'former_conversation' order by id limit 1"
    )
    assert former
    page = browser_page
    page.goto(addresses.conversation(former["id"]))
    assert page.url.endswith(addresses.conversation(former["conversation_id"]))
    assert former["id"] in page.locator("#ids").inner_text()


def test_a_contact_id_leads_to_its_place(
    browser_page: Any, snapshot: Snapshot, escalated: Row
) -> None:
    contacts = queries.contacts(
        snapshot, Key(escalated["conversation_id"], escalated["started_at"])
    )
    last = contacts[-1]
    page = browser_page
    page.goto(addresses.conversation(last["contact_id"], last["source"]))
    assert page.url.endswith(f"#{addresses.contact_anchor(last['contact_id'])}")
    place = page.locator(f'[id="{addresses.contact_anchor(last["contact_id"])}"]')
    assert f"Contact {last['contact_no']} of {len(contacts)}" in place.inner_text()
    page.wait_for_function("window.scrollY > 0")
    assert place.bounding_box()["y"] < 900


def test_keys_alone_reach_everything(browser_page: Any, escalated: Row) -> None:
    page = browser_page
    page.goto(addresses.conversation(escalated["conversation_id"]))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(() => { const e = document.activeElement;"
                " return e.dataset.copy ? 'copy' : e.className + '|' + (e.hash || ''); })()"
            )
        )
    assert "copy" in reached
    assert "timeline|" in reached
    assert "scroll|" in reached
    assert "|#messages" in reached
    page.locator('a[href="#messages"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_function("window.scrollY > 0")


def test_the_permanent_link_is_copied(browser_page: Any, server: str, escalated: Row) -> None:
    page = browser_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
    page.goto(addresses.conversation(escalated["conversation_id"]))
    page.get_by_role("button", name="Copy the permanent link").click()
    page.wait_for_selector("button[data-done]")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == server + addresses.conversation(escalated["conversation_id"])


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_nothing_serious_keeps_anyone_out(
    browser_page: Any, escalated: Row, scheme: str, width: int
) -> None:
    page = browser_page
    page.set_viewport_size({"width": width, "height": 850})
    page.emulate_media(color_scheme=scheme)
    for path in (*PAGES, addresses.conversation(escalated["conversation_id"])):
        page.goto(path)
        assert _fits(page), path
        assert _serious(page) == [], path


def test_a_choice_and_an_unknown_id_keep_nobody_out(
    chromium: Any, server: str, snapshot: Snapshot
) -> None:
    shared = snapshot.value(
        "select id from marts.conversation_ids where id_kind = 'contact'"
        " group by id having count(distinct source) = 2 order by id limit 1"
    )
    context = chromium.new_context(base_url=server, viewport={"width": 390, "height": 850})
    page = context.new_page()
    for path in (addresses.conversation(shared), addresses.conversation("nothing/like this")):
        page.goto(path)
        assert _fits(page)
        assert _serious(page) == []
    page.goto(addresses.conversation(shared))
    page.locator("tbody a").first.click()
    assert "Timeline" in page.content()
    context.close()


def test_a_click_on_a_transfer_leads_to_its_conversations(
    browser_page: Any, snapshot: Snapshot
) -> None:
    page = browser_page
    page.goto("/transfers?by=kind")
    page.wait_for_selector(".chart svg path")
    cell = page.locator('.matrix a[href*="transfer_from=bot"][href*="transfer_to=human"]')
    conversations = cell.locator("xpath=following-sibling::span").inner_text().strip("/ ")
    cell.click()
    page.wait_for_url("**/conversations?**")
    page.wait_for_load_state("networkidle")
    assert conversations in page.locator("main").inner_text()


def test_a_level_and_a_period_stay_in_the_address(browser_page: Any) -> None:
    page = browser_page
    page.goto("/transfers")
    page.get_by_role("link", name="Respondent", exact=True).click()
    assert "by=agent" in page.url
    page.get_by_label("From day").fill("2026-10-12")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**from=2026-10-12**")
    assert "by=agent" in page.url
    assert "to=2026-10-31" in page.url
    assert "12 Oct 2026" in page.locator(".head").inner_text()
