"""Questions that come together are answered together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from fastapi.testclient import TestClient

from serving.api import conversations
from serving.api.batches import Batches
from serving.api.clock import Clock
from serving.api.envelope import RefusedError
from serving.snapshot import Snapshot

Result = TypeVar("Result")


class _Answering:
    """Doubles numbers, refuses negative ones, and waits with the first batch until told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.batches.append(list(questions))
        assert self.go_on.wait(20)
        if min(questions) < 0:
            raise ValueError(f"negative: {min(questions)}")
        return [2 * question for question in questions]


def _run(asking: Coroutine[Any, Any, Result]) -> Result:
    """Run it in a thread of its own: a browser's tests leave a running loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asking).result()


async def _ask_in_order(
    batches: Batches[int, int], answering: _Answering, questions: Sequence[int]
) -> list[int | BaseException]:
    """Ask everything while the first batch is being answered."""
    tasks = []
    for question in questions:
        tasks.append(asyncio.create_task(batches.ask(question)))
        await asyncio.sleep(0)
    while not answering.batches:
        await asyncio.sleep(0.01)
    answering.go_on.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_what_is_asked_meanwhile_is_answered_in_one_go() -> None:
    answering = _Answering()
    batches = Batches(answering, at_once=1, most=3)
    answers = _run(_ask_in_order(batches, answering, [1, 2, 3, 4, 5, 6]))
    assert answers == [2, 4, 6, 8, 10, 12]
    assert answering.batches == [[1], [2, 3, 4], [5, 6]]


def test_who_asks_again_at_once_is_answered_too() -> None:
    answering = _Answering()
    answering.go_on.set()
    batches = Batches(answering, at_once=1, most=8)

    async def ask() -> list[int]:
        # Each in the very step in which the one before is answered.
        return [await batches.ask(question) for question in (1, 2, 3)]

    assert _run(asyncio.wait_for(ask(), 20)) == [2, 4, 6]


def test_as_many_batches_are_answered_at_a_time_as_there_may_be() -> None:
    answering = _Answering()
    batches = Batches(answering, at_once=2, most=8)
    answers = _run(_ask_in_order(batches, answering, [1, 2, 3, 4]))
    assert answers == [2, 4, 6, 8]
    assert sorted(answering.batches) == [[1], [2], [3, 4]]


def test_a_question_without_an_answer_spoils_no_other() -> None:
    answering = _Answering()
    batches = Batches(answering, at_once=1, most=8)
    first, second, third, fourth = _run(_ask_in_order(batches, answering, [1, 2, -3, 4]))
    assert (first, second, fourth) == (2, 4, 8)
    assert isinstance(third, ValueError)
    assert str(third) == "negative: -3"
    # And the next one finds everything as it was.
    assert _run(batches.ask(5)) == 10


def test_who_goes_away_keeps_nobody_waiting() -> None:
    answering = _Answering()
    batches = Batches(answering, at_once=1, most=8)

    async def ask() -> int:
        gone = [asyncio.create_task(batches.ask(question)) for question in (1, 2)]
        staying = asyncio.create_task(batches.ask(3))
        while not answering.batches:
            await asyncio.sleep(0.01)
        for task in gone:
            task.cancel()
        answering.go_on.set()
        return await staying

    assert _run(ask()) == 6


def test_several_ids_lead_where_each_alone_does(snapshot: Snapshot, client: TestClient) -> None:
    ids = [
        row["id"]
        for row in snapshot.rows(
            "select id from marts.conversation_ids order by id_kind, id_hash limit 40"
        )
    ]
    rows = snapshot.rows(
        "select conversation_id as id from marts.conversations"
        " order by transaction_count desc, transfer_count desc, conversation_id limit 40"
    )
    asked = [*ids, *(row["id"] for row in rows), "nothing of that name"]
    for start in range(0, len(asked), 8):
        part = asked[start : start + 8]
        # One of them twice: two clients may ask for the same.
        found = conversations.each(snapshot, Clock(), [(id, "") for id in [*part, part[0]]])
        assert str(found[0]) == str(found[-1])
        for id, document in zip(part, found, strict=False):
            answer = client.get(f"/api/2/conversation/{id}").json()
            if isinstance(document, RefusedError):
                assert answer["meta"]["message"] == str(document)
            else:
                assert answer["data"] == document
                assert document["contacts"]


@pytest.mark.parametrize("count", [1, 8, 9, 60])
def test_a_page_has_the_documents_of_its_conversations(client: TestClient, count: int) -> None:
    page = client.get(
        "/api/2/conversation",
        params={"full": "1", "limit": str(count), "filters[from]": "2026-08-01"},
    ).json()["data"]
    assert len(page) == count
    for document in page:
        alone = client.get(f"/api/2/conversation/{document['id']}").json()["data"]
        assert document == alone


def test_messages_are_shown_where_the_contact_log_gives_the_facts(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the software alone has written, the facts come from the contact log.
    (row,) = snapshot.rows(
        "select conversation_id as id, count(*) as messages from marts.messages"
        " where conversation_id is not null group by 1 order by 1 limit 1"
    )
    look_up = snapshot.look_up

    def without_facts(sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        found = look_up(sql, parameters)
        return [{**each, "facts_source": "contact_log"} for each in found]

    monkeypatch.setattr(snapshot, "look_up", without_facts)
    (document,) = conversations.each(snapshot, Clock(), [(row["id"], "")])
    assert not isinstance(document, RefusedError)
    assert len(document["messages"]) == row["messages"]
