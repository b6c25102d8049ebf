"""`/conversations/{id}`: any id leads there, all of it is shown, in order, and nothing runs."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import quote

import duckdb
import pytest
from fastapi.testclient import TestClient
from published_sample import need_tables

from serving import addresses, i18n
from serving.app import create_app
from serving.pages.conversation import PAGE_MESSAGES, timeline
from serving.queries import conversation as queries
from serving.queries.directory import directory
from serving.queries.ids import Key, former_ids, resolve
from serving.snapshot import Row, Snapshot
from tests.serving.conftest import local_client
from throughline.settings import ServingSettings

EVIL_BODY = '<script>alert(1)</script>\n"quoted" & <img src=x onerror=alert(2)>'
EVIL_NAME = "<b onmouseover=alert(3)>Mallory</b>"
EVIL_ID = 'evil"><script>alert(4)</script>/ 100% é ?#:'
LINKS = "javascript:alert(5) data:text/html,x https://example.org/a?b=1&c=2, http://[broken"


def _page(client: TestClient, id: str, **parameters: str) -> str:
    answer = client.get(f"/conversations/{quote(id, safe='')}", params=parameters)
    assert answer.status_code == 200, answer.text[:300]
    return answer.text


def _one(snapshot: Snapshot, condition: str) -> Row:
    row = snapshot.row(
        f"select * from marts.conversations where {condition} order by conversation_id limit 1"
    )
    assert row, condition
    return row


def _bodies(text: str) -> list[str]:
    found = re.findall(r'<div class="text" dir="auto">(.*?)</div>', text, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", each)) for each in found]


def _tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """Tags as a parser reads them, with their attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


def test_every_id_of_every_kind_leads_to_its_conversation(
    client: TestClient, snapshot: Snapshot
) -> None:
    rows = snapshot.rows(
        "select id, id_kind, source, conversation_id from marts.conversation_ids"
        " qualify row_number() over (partition by id_kind order by id_hash) <= 25"
    )
    assert {row["id_kind"] for row in rows} == {
        "contact",
        "conversation",
        "former_conversation",
        "missing_contact",
    }
    for row in rows:
        current = f"/conversations/{quote(row['conversation_id'], safe=':')}"
        answer = client.get(
            f"/conversations/{quote(row['id'], safe='')}", params={"source": row["source"]}
        )
        assert answer.status_code == 307
        place, _, anchor = answer.headers["Location"].partition("#")
        assert place.partition("?")[0] == current
        assert "no-cache" in answer.headers["Cache-Control"]
        if row["id_kind"] == "contact":
            assert anchor == f"contact-{row['id']}"
            if place == current:
                assert f'id="{anchor}"' in _page(client, row["conversation_id"])
        if row["id_kind"] == "conversation":
            assert client.get(current).status_code == 200


def test_a_redirect_keeps_the_language(client: TestClient, snapshot: Snapshot) -> None:
    former = snapshot.row(
        "select id from marts.conversation_ids where id_kind = 'former_conversation' limit 1"
    )
    assert former
    answer = client.get(f"/conversations/{former['id']}", params={"lang": "fr"})
    assert answer.status_code == 307
    assert answer.headers["Location"].endswith("?lang=fr")


def test_an_id_of_two_sources_lets_the_reader_choose(
    client: TestClient, snapshot: Snapshot
) -> None:
    id = snapshot.value(
        "select id from marts.conversation_ids where id_kind = 'contact'"
        " group by id having count(distinct source) = 2 order by id limit 1"
    )
    answer = client.get(f"/conversations/{id}")
    assert answer.status_code == 300
    matches = resolve(snapshot, id)
    assert len({match.key for match in matches}) == 2
    for match in matches:
        assert f'href="{addresses.conversation(id, match.source)}"' in answer.text
        narrowed = client.get(f"/conversations/{id}", params={"source": match.source})
        assert match.key.conversation_id in narrowed.headers["Location"]


def test_an_unknown_id_gets_help(client: TestClient) -> None:
    answer = client.get("/conversations/no-such-id%2F%3Cb%3E")
    assert answer.status_code == 404
    assert "No conversation is known by this id" in answer.text
    assert "&lt;b&gt;" in answer.text
    assert "<b>" not in answer.text
    assert "/conversations?visitor=no-such-id%2F%3Cb%3E" in answer.text


def test_an_id_with_spaces_around_it_is_found(client: TestClient, snapshot: Snapshot) -> None:
    row = _one(snapshot, "true")
    answer = client.get(f"/conversations/%20{row['conversation_id']}%20")
    assert answer.headers["Location"] == addresses.conversation(row["conversation_id"])


def test_a_source_that_does_not_know_the_id_names_the_one_that_does(
    client: TestClient, snapshot: Snapshot
) -> None:
    row = _one(snapshot, "true")
    answer = client.get(f"/conversations/{row['conversation_id']}", params={"source": "elsewhere"})
    assert answer.status_code == 404
    assert f"?source={row['source']}" in answer.text


def test_every_message_is_shown_in_order_with_its_author(
    client: TestClient, snapshot: Snapshot
) -> None:
    rows = snapshot.rows(
        "select * from marts.conversations where facts_source = 'messages'"
        " order by contact_count desc, conversation_id limit 12"
    )
    names = directory(snapshot)
    i18n.use("en")
    for row in rows:
        text = _page(client, row["conversation_id"])
        messages = snapshot.rows(
            "select * from marts.messages where conversation_id = $id order by message_no",
            {"id": row["conversation_id"]},
        )
        shown = re.findall(r'<li class="message (\w+)" id="message-(\d+)">', text)
        assert shown == [(each["author_kind"], str(each["message_no"])) for each in messages]
        spoken = [each["body"] for each in messages if each["author_kind"] != "system"]
        system = {"The respondent closed the chat.", "The respondent transferred the chat."}
        assert [body for body in _bodies(text) if body not in system] == spoken
        authors = re.findall(r'<p class="by"><strong>(.*?)</strong>', text)
        for author, message in zip(authors, messages, strict=True):
            if message["author_kind"] in ("agent", "bot"):
                expected = names.agent(message["source"], message["author_id"])
                assert html.unescape(author) == expected
        assert text.count(">Bot</span>") >= sum(each["author_kind"] == "bot" for each in messages)


def test_transfers_stand_where_they_happened_with_who_how_and_the_wait(
    client: TestClient, snapshot: Snapshot
) -> None:
    names = directory(snapshot)
    i18n.use("en")
    for row in snapshot.rows(
        "select * from marts.conversations where transfer_request_count between 2 and 4"
        " order by conversation_id limit 15"
    ):
        text = _page(client, row["conversation_id"])
        stream = text.partition('<ol class="stream">')[2].partition("</ol>")[0]
        transfers = queries.transfers(snapshot, Key(row["conversation_id"], row["started_at"]))
        markers = re.findall(r'<li class="handover (\w+)">(.*?)</li>', stream, re.DOTALL)
        assert [outcome for outcome, _ in markers] == [each["outcome"] for each in transfers]
        for (_, marker), transfer in zip(markers, transfers, strict=True):
            words = html.unescape(marker)
            assert names.agent(transfer["source"], transfer["from_agent_id"]) in words
            if transfer["wait_seconds"] is not None:
                assert f"the visitor waited {i18n.duration(transfer['wait_seconds'])}" in words
            at = f'datetime="{transfer["requested_at"].isoformat()}Z"'
            assert at in marker
            # What was sent before stands before, what was sent later stands after.
            position = stream.index(marker)
            for sent in re.finditer(r'<time datetime="([^"]+)Z">\d\d:\d\d:\d\d', stream):
                if sent[1] < transfer["requested_at"].isoformat():
                    assert sent.start() < position
                elif sent[1] > transfer["requested_at"].isoformat():
                    assert sent.start() > position


def test_contacts_begin_before_their_first_message(client: TestClient, snapshot: Snapshot) -> None:
    for row in snapshot.rows(
        "select * from marts.conversations where contact_count >= 3 order by started_at limit 20"
    ):
        text = _page(client, row["conversation_id"])
        for contact in snapshot.rows(
            "select contact_id, min(message_no) as first from marts.messages"
            " where conversation_id = $id group by contact_id",
            {"id": row["conversation_id"]},
        ):
            begins = text.index(f'<li class="boundary" id="contact-{contact["contact_id"]}"')
            assert begins < text.index(f'id="message-{contact["first"]}"')
        assert text.count('<li class="boundary" ') == row["contact_count"]


def test_ratings_transactions_and_findings_are_all_there(
    client: TestClient, snapshot: Snapshot
) -> None:
    for table, id in _crowded(snapshot):
        text = _page(client, id)
        values = {"id": id}
        if table == "ratings":
            rows = snapshot.rows("select * from marts.ratings where conversation_id = $id", values)
            part = text.partition('id="ratings"')[2].partition("</section>")[0]
            assert part.count("<tr>") == len(rows) + 1
            assert part.count('<span class="tag good">') == sum(row["is_counted"] for row in rows)
        elif table == "transactions":
            part = text.partition('id="transactions"')[2].partition("</section>")[0]
            for row in snapshot.rows(
                "select * from marts.transactions where conversation_id = $id", values
            ):
                assert row["transaction_id"] in part
        else:
            count = snapshot.value(
                "select count(*) from marts.graph_quality where conversation_id = $id", values
            )
            part = text.partition('id="findings"')[2].partition("</section>")[0]
            assert part.count("<li>") == count


def _crowded(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Conversations with most ratings, transactions and findings."""
    return [
        (table, row["conversation_id"])
        for table in ("ratings", "transactions", "graph_quality")
        for row in snapshot.rows(
            f"select conversation_id from marts.{table} where conversation_id is not null"
            " group by conversation_id order by count(*) desc, conversation_id limit 5"
        )
    ]


def test_former_ids_are_listed_with_what_joined_them(
    client: TestClient, snapshot: Snapshot
) -> None:
    expected: dict[str, set[str]] = {}
    for row in snapshot.rows(
        "select id, conversation_id from marts.conversation_ids"
        " where id_kind = 'former_conversation'"
    ):
        expected.setdefault(row["conversation_id"], set()).add(row["id"])
    for id, former in sorted(expected.items())[:40]:
        (match,) = resolve(snapshot, id)
        contacts = [row["contact_id"] for row in queries.contacts(snapshot, match.key)]
        found = former_ids(snapshot, match.key, match.source, contacts)
        assert {row["id"] for row in found} == former
        assert all(row["evidence"] for row in found)
    id, former = sorted(expected.items())[0]
    part = _page(client, id).partition('id="ids"')[2].partition("</section>")[0]
    assert all(each in part for each in former)


def test_a_conversation_without_messages_says_why(client: TestClient, snapshot: Snapshot) -> None:
    row = _one(snapshot, "facts_source = 'contact_log'")
    assert "No log has delivered the messages" in _page(client, row["conversation_id"])


def test_times_are_in_the_projects_zone_and_the_zone_is_named(
    client: TestClient, snapshot: Snapshot
) -> None:
    row = _one(snapshot, "time_zone = 'Asia/Singapore'")
    i18n.use("en")
    text = _page(client, row["conversation_id"])
    assert "Asia/Singapore (UTC+08:00)" in text
    assert i18n.moment(row["started_at"], "Asia/Singapore") in text


def test_the_page_is_french_for_the_french(client: TestClient, snapshot: Snapshot) -> None:
    row = _one(snapshot, "is_transferred and csat_score is not null")
    text = _page(client, row["conversation_id"], lang="fr")
    for words in ("Chronologie", "Attente du visiteur", "Évaluations", "a transféré à"):
        assert words in text


def test_a_page_behind_the_last_is_the_last(client: TestClient, snapshot: Snapshot) -> None:
    row = _one(snapshot, "facts_source = 'messages'")
    assert "message-" in _page(client, row["conversation_id"], after="9999999")


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "99999999999999999999", "é"])
def test_a_page_that_cannot_be_is_refused(
    client: TestClient, snapshot: Snapshot, after: str
) -> None:
    row = _one(snapshot, "facts_source = 'messages'")
    answer = client.get(f"/conversations/{row['conversation_id']}", params={"after": after})
    assert answer.status_code == 400
    assert "after cannot be" in answer.text


@pytest.fixture(scope="module")
def strange(
    settings: ServingSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """An application over a version in which one conversation is hostile and one is enormous."""
    need_tables()
    folder = tmp_path_factory.mktemp("strange") / "published"
    shutil.copytree(settings.published_dir, folder, symlinks=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    file = folder / manifest["database"]["path"]
    file.chmod(0o644)
    with duckdb.connect(str(file)) as connection:
        _make_hostile(connection)
        _make_enormous(connection)
    app = create_app(settings.replaced(warehouse_dir=folder.parent))
    with local_client(app) as made:
        yield made


def _conversation(connection: duckdb.DuckDBPyConnection, contacts: int) -> str:
    found = connection.execute(
        "select conversation_id from marts.conversations where facts_source = 'messages'"
        f" and contact_count = {contacts} and transfer_count = {contacts - 1}"
        " order by conversation_id limit 1"
    ).fetchone()
    assert found
    return str(found[0])


def _make_hostile(connection: duckdb.DuckDBPyConnection) -> None:
    id = _conversation(connection, 2)
    for table in ("messages", "contacts", "transfers", "ratings", "transactions"):
        connection.execute(
            f"update marts.{table} set conversation_id = $new where conversation_id = $id",
            {"new": EVIL_ID, "id": id},
        )
    connection.execute(
        "update marts.conversations set conversation_id = $new, visitor_id = $body, channel = $body"
        " where conversation_id = $id",
        {"new": EVIL_ID, "body": EVIL_BODY, "id": id},
    )
    connection.execute(
        "update marts.contacts set tags = [$body], contact_id = contact_id || $body"
        " where conversation_id = $new",
        {"new": EVIL_ID, "body": EVIL_BODY},
    )
    connection.execute(
        "update marts.conversation_ids set id = case when id = $id then $new else id end,"
        " conversation_id = $new, id_hash = case when id = $id"
        " then cast('0x' || substr(md5($new), 1, 15) as bigint) else id_hash end"
        " where conversation_id = $id",
        {"new": EVIL_ID, "id": id},
    )
    for number, body in ((1, EVIL_BODY), (2, LINKS)):
        connection.execute(
            "update marts.messages set body = $body, content_type = $type"
            " where conversation_id = $new and message_no = $number",
            {"body": body, "type": "<i>url</i>", "new": EVIL_ID, "number": number},
        )
    connection.execute("update marts.agents set display_name = $name", {"name": EVIL_NAME})


def _make_enormous(connection: duckdb.DuckDBPyConnection) -> None:
    id = _conversation(connection, 3)
    connection.execute(
        "insert into marts.messages by name select * replace ("
        " message_id || '-' || copy as message_id,"
        " most + (copy - 1) * most + message_no as message_no,"
        " sent_at + to_days(cast(copy as integer)) as sent_at)"
        " from (select messages.*, max(message_no) over () as most, copies.range as copy"
        " from marts.messages as messages, range(1, 120) as copies"
        " where conversation_id = $id)".replace(
            "select * replace", "select * exclude (most, copy) replace"
        ),
        {"id": id},
    )
    connection.execute(
        "update marts.messages set body = repeat('long text ', 100000)"
        " where conversation_id = $id and message_no in (2, 3)",
        {"id": id},
    )
    connection.execute(
        "update marts.conversations set messages_sent_count = 5000 where conversation_id = $id",
        {"id": id},
    )


def _enormous(strange: TestClient) -> tuple[str, int]:
    snapshot: Snapshot = strange.app.state.snapshots.current()  # type: ignore[attr-defined]
    row = snapshot.row(
        "select conversation_id, count(*) as n from marts.messages"
        " group by conversation_id order by n desc limit 1"
    )
    assert row
    return row["conversation_id"], row["n"]


def test_nothing_of_the_data_becomes_markup(strange: TestClient) -> None:
    text = _page(strange, EVIL_ID)
    assert EVIL_BODY in _bodies(text)
    assert html.escape(EVIL_NAME) in text
    tags = _tags(text)
    assert all("src" in attributes for tag, attributes in tags if tag == "script")
    assert not {tag for tag, _ in tags} & {"img", "iframe", "object", "embed", "i", "b", "base"}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    targets = re.findall(r'href="([^"]*)"', text)
    assert all(target.startswith(("/", "#", "?", "https://example.org/")) for target in targets)


def test_only_web_addresses_become_links_and_none_is_loaded(strange: TestClient) -> None:
    text = _page(strange, EVIL_ID)
    assert LINKS in _bodies(text)
    outside = re.findall(r'<a href="(http[^"]*)"([^>]*)>', text)
    assert outside == [("https://example.org/a?b=1&amp;c=2", ' rel="noopener noreferrer nofollow"')]


def test_an_id_of_any_characters_has_a_permanent_link(strange: TestClient) -> None:
    text = _page(strange, EVIL_ID)
    copied = re.search(r'data-copy="([^"]+)"', text)
    assert copied
    path = html.unescape(copied[1]).removeprefix("http://localhost")
    assert re.fullmatch(r"[A-Za-z0-9/_.:%~-]+", path)
    assert strange.get(path).status_code == 200


def test_thousands_of_messages_come_in_pages_that_hold_each_once(strange: TestClient) -> None:
    id, count = _enormous(strange)
    assert count > 3 * PAGE_MESSAGES
    seen: list[int] = []
    after = "0"
    for _ in range(20):
        text = _page(strange, id, after=after)
        numbers = [int(each) for each in re.findall(r'id="message-(\d+)"', text)]
        assert 0 < len(numbers) <= PAGE_MESSAGES
        assert numbers[0] == int(after) + 1
        seen += numbers
        following = re.search(r'rel="next" href="\?after=(\d+)#messages"', text)
        if not following:
            break
        after = following[1]
    assert seen == list(range(1, count + 1))


def test_a_contact_of_a_paged_conversation_leads_to_its_page(strange: TestClient) -> None:
    id, _ = _enormous(strange)
    snapshot: Snapshot = strange.app.state.snapshots.current()  # type: ignore[attr-defined]
    for row in snapshot.rows(
        "select contact_id, source, min(message_no) as first from marts.messages"
        " where conversation_id = $id group by all",
        {"id": id},
    ):
        answer = strange.get(
            f"/conversations/{row['contact_id']}", params={"source": row["source"]}
        )
        place, _, anchor = answer.headers["Location"].partition("#")
        assert place.endswith(f"?after={row['first'] - 1}")
        assert f'id="{anchor}"' in strange.get(place).text


def test_a_long_message_is_folded_and_whole(strange: TestClient) -> None:
    id, _ = _enormous(strange)
    text = _page(strange, id)
    assert "The rest of the message (1,000,000 characters in all)" in text
    found = re.search(
        r'id="message-2">.*?<div class="text" dir="auto">(.*?)</div><details>.*?'
        r'<div class="text" dir="auto">(.*?)</div></details>',
        text,
        re.DOTALL,
    )
    assert found
    assert found[1] + found[2] == "long text " * 100_000
    assert len(found[1]) < 2000


def test_the_drawing_keeps_the_order_of_time(snapshot: Snapshot) -> None:
    for row in snapshot.rows(
        "select conversation_id, started_at from marts.conversations"
        " where contact_count >= 4 order by conversation_id limit 25"
    ):
        key = Key(row["conversation_id"], row["started_at"])
        contacts, messages = queries.contacts(snapshot, key), queries.messages(snapshot, key)
        drawing = timeline.draw(
            contacts,
            queries.transfers(snapshot, key),
            messages,
            queries.ratings(snapshot, key),
            queries.transactions(snapshot, key),
            max(contact["started_at"] for contact in contacts),
        )
        assert len(drawing.bars) == len(contacts)
        assert sum(tick.count for tick in drawing.ticks) == sum(
            message["author_kind"] != "system" for message in messages
        )
        starts = sorted(drawing.bars, key=lambda bar: bar.contact["started_at"])
        assert [bar.x for bar in starts] == sorted(bar.x for bar in drawing.bars)
        for bar in drawing.bars:
            assert bar.x >= 0
            assert bar.x + bar.width <= 100
        assert [moment for _, moment in drawing.marks] == sorted(
            moment for _, moment in drawing.marks
        )


def test_a_silence_is_cut_and_said() -> None:
    start = datetime(2026, 10, 1)
    moments = [start + timedelta(minutes=minute) for minute in range(10)]
    scale = timeline.Scale([*moments, start + timedelta(days=30)])
    ((left, right, seconds),) = scale.cuts
    assert seconds == pytest.approx(30 * 86400 - 540)
    assert right - left < 20
    assert scale.at(start) == timeline.MARGIN
    assert timeline.Scale([start]).at(start) == timeline.MARGIN
