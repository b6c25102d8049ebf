"""What a replay selects: whole conversations, by source, day and any id that leads to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from throughline.refreshing import selection
from throughline.refreshing.selection import Selection, SelectionError

# source, contact, conversation, start
CONTACTS = [
    ("shop", "c1", "shop:c1", "2026-03-01 23:59:59"),
    ("shop", "c2", "shop:c1", "2026-03-02 00:00:00"),
    ("shop", "c3", "shop:c3", "2026-03-03 12:00:00"),
    # The id of a contact of the other source.
    ("cafe", "c1", "cafe:c1", "2026-03-02 10:00:00"),
]
IDS = [
    ("c1", "shop", "shop:c1"),
    ("c2", "shop", "shop:c1"),
    ("c3", "shop", "shop:c3"),
    ("shop:c1", "shop", "shop:c1"),
    ("shop:c2", "shop", "shop:c1"),
    ("c1", "cafe", "cafe:c1"),
]


@pytest.fixture(scope="module")
def live() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as live")
        connection.execute("create schema live.marts")
        connection.execute(
            "create table live.marts.contacts"
            " (source varchar, contact_id varchar, conversation_id varchar, started_at timestamp)"
        )
        connection.execute(
            "create table live.marts.conversation_ids"
            " (id varchar, source varchar, conversation_id varchar)"
        )
        connection.executemany("insert into live.marts.contacts values ($1, $2, $3, $4)", CONTACTS)
        connection.executemany("insert into live.marts.conversation_ids values ($1, $2, $3)", IDS)
        yield connection


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"source": "shop"}, "shop/c1 shop/c2 shop/c3"),
        ({"source": "shop' or true --"}, ""),
        # Any contact of the day brings its whole conversation.
        ({"first": "2026-03-01", "last": "2026-03-01"}, "shop/c1 shop/c2"),
        ({"first": "2026-03-02", "last": "2026-03-02"}, "cafe/c1 shop/c1 shop/c2"),
        ({"first": "2026-03-03"}, "shop/c3"),
        ({"last": "2026-02-28"}, ""),
        # Whichever id leads there.
        ({"conversation": "c2"}, "shop/c1 shop/c2"),
        ({"conversation": "shop:c2"}, "shop/c1 shop/c2"),
        ({"conversation": "c1"}, "cafe/c1 shop/c1 shop/c2"),
        ({"conversation": "c1", "source": "cafe"}, "cafe/c1"),
        ({"conversation": "nobody"}, ""),
        # All of it has to be true.
        ({"source": "shop", "first": "2026-03-02", "last": "2026-03-02"}, "shop/c1 shop/c2"),
    ],
    ids=str,
)
def test_whole_conversations_are_selected(
    live: duckdb.DuckDBPyConnection, texts: dict[str, str], expected: str
) -> None:
    query, values = selection.contacts(selection.read(texts), "live")
    found = sorted("/".join(row) for row in live.execute(query, values).fetchall())
    assert found == expected.split()


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"first": "yesterday"}, "'yesterday' is no day: write it as 2026-03-01"),
        ({"first": "2026-03-02", "last": "2026-03-01"}, "is after the last"),
    ],
)
def test_days_that_cannot_be_used_are_named(texts: dict[str, str], told: str) -> None:
    with pytest.raises(SelectionError, match=told):
        selection.read(texts)


def test_a_selection_is_said_in_words() -> None:
    chosen = Selection("shop", date(2026, 3, 1), None, "c1")
    assert str(chosen) == "conversation c1, source shop, from 2026-03-01"
    assert not chosen.is_empty
    assert selection.read({"source": "", "first": ""}).is_empty
