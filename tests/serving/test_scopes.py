"""Keys that are bound to sources or projects: nothing of another brand, by whichever route."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import duckdb
import pyarrow.parquet
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving import keys
from serving.app import create_app
from serving.keys import Key
from serving.scopes import EVERYTHING, SCHEMAS, Scope
from serving.snapshot import Snapshot
from tests.serving.conftest import local_client
from throughline.settings import REPOSITORY, ServingSettings, SettingError

SOURCE = "harbor_telecom"
PROJECT = "bluewing_travel/3"
SCOPES = {
    "one source": Scope(sources=(SOURCE,)),
    "one project": Scope(projects=(PROJECT,)),
    "two projects": Scope(projects=(PROJECT, "maison_lumiere/101")),
    "a source and a project": Scope((SOURCE,), (PROJECT,)),
}
#: Columns whose values name somebody or something, or were written by somebody.
TELLING = ("source", "body", "comment", "visitor_id", "display_name", "group_name", "project_name")
#: Shorter texts are found in anything.
SHORTEST = 5
#: So many messages and names of several words are looked for: each is a search of its own.
MOST_SPOKEN = 200
#: The description of the resource, whose examples stand in the code: it reads no version.
DESCRIPTION = "/api/openapi.json"


def _client(settings: ServingSettings, folder: Path, scope: Scope) -> TestClient:
    """A client that sends a key that is bound to a scope."""
    file = folder / "keys.json"
    key = Key("bound", keys.hashed("k"), "2026-01-01", scope.sources, scope.projects)
    file.write_text(json.dumps({"bound": key.to_json()}))
    app = create_app(settings.replaced(keys_file=file, requests_per_minute=1_000_000))
    return local_client(app, headers={"X-API-Key": "k"})


@pytest.fixture(params=SCOPES)
def bound(
    request: pytest.FixtureRequest, settings: ServingSettings, tmp_path: Path
) -> Iterator[tuple[TestClient, Scope]]:
    """A client of each kind of bound key, and what its key may read."""
    scope = SCOPES[request.param]
    with _client(settings, tmp_path, scope) as client:
        yield client, scope


def _is_mine(scope: Scope) -> str:
    """The rows of marts.conversations that a scope holds, told without the code under test."""
    tests = [f"source = '{source}'" for source in scope.sources]
    tests += [f"(source, project_id) = {pair}" for pair in scope.pairs]
    return f"({' or '.join(tests)})"


def _texts(snapshot: Snapshot, scope: Scope, *, mine: bool) -> set[str]:
    """What names somebody or something inside a scope, or outside of it."""
    found: set[str] = set()
    columns = snapshot.rows(
        "select table_name, column_name from duckdb_columns() where schema_name = 'marts'"
        " and database_name = current_database() and data_type = 'VARCHAR'"
    )
    tables: dict[str, set[str]] = {}
    for row in columns:
        tables.setdefault(row["table_name"], set()).add(row["column_name"])
    inside = f"select conversation_id from marts.conversations where {_is_mine(scope)}"
    for table, names in tables.items():
        if "conversation_id" in names:
            test = f"coalesce(conversation_id in ({inside}), false)"
            if scope.sources:
                test = f"({test} or source in ('{SOURCE}'))"
        elif table == "conversation_merges":
            test = (
                "new_conversation_id in (select id from marts.conversation_ids"
                f" where conversation_id in ({inside}))"
            )
        elif table == "projects":
            test = _is_mine(scope)
        elif table == "arrivals":
            # A load has the records of a whole source.
            test = f"source in ('{SOURCE}')" if scope.sources else "false"
        elif table == "sources":
            test = f"source in (select source from marts.conversations where {_is_mine(scope)})"
        else:
            test = (
                "(source, agent_id) in (select (source, agent_id) from marts.contacts"
                f" where agent_id is not null and conversation_id in ({inside}))"
            )
            if scope.sources:
                test = f"({test} or source in ('{SOURCE}'))"
        for name in names:
            if name in TELLING or name == "id" or name.endswith("_id"):
                rows = snapshot.rows(
                    f"select distinct {name} as text from marts.{table}"
                    f" where {'' if mine else 'not '}{test} and length({name}) >= {SHORTEST}"
                )
                found |= {row["text"] for row in rows}
    return found


def _routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _routes(route.original_router.routes)
        elif "GET" in (getattr(route, "methods", None) or ()):
            yield route


def _addresses(app: FastAPI, wanted: dict[str, list[str]]) -> Iterator[str]:
    """Every route of the application, with ids and filters of those who are asked for."""
    for route in _routes(app.routes):
        if route.path == DESCRIPTION:
            continue
        # The same answers by other names; exports by the questions that are about files.
        queries = wanted["queries"][:: 10 if ".json" in route.path else 1]
        if route.path.endswith("/export"):
            queries = [query for query in queries if "format=" in query or "by=" in query]
        if "{" not in route.path:
            yield route.path
            for query in queries:
                yield f"{route.path}?{query}"
            continue
        before, _, after = route.path.partition("{")
        after = after.partition("}")[2]
        kinds = ["statistics", "contacts"] if route.path.endswith("/export") else []
        for value in kinds or wanted["ids"]:
            path = before + quote(value, safe="") + after
            yield path
            for query in queries if route.path.endswith("/export") else wanted["of an id"]:
                yield f"{path}?{query}"


def _wanted(snapshot: Snapshot, scope: Scope) -> dict[str, list[str]]:
    """Ids of a few conversations outside of a scope, and questions that ask for them."""
    [row] = snapshot.rows(
        "select *, anchor_contact_id as contact_id from marts.conversations"
        f" where not {_is_mine(scope)} and source = 'bluewing_travel' and contact_count > 1"
        " and facts_source = 'messages' order by started_at limit 1"
    )
    [body] = snapshot.rows(
        "select body from marts.messages where conversation_id = $id and length(body) > 20"
        " order by message_no limit 1",
        {"id": row["conversation_id"]},
    )
    word = max(body["body"].split(), key=len)
    [former] = snapshot.rows(
        "select min(id) as id from marts.conversation_ids"
        " where id_kind = 'former_conversation' and source = 'bluewing_travel'"
        " and conversation_id in (select conversation_id from marts.conversations"
        f" where not {_is_mine(scope)})"
    )
    source, project, day = row["source"], row["project_id"], row["started_at"].date()
    period = f"from={day}&to={day}"
    queries = [
        "full=1&limit=100",
        f"filters[conversation_id]={quote(row['conversation_id'])}&full=1",
        f"filters[visitor_id]={quote(row['visitor_id'])}&full=1&filters[from]={day}",
        f"filters[website_id]={project}&filters[from]={day}&full=1",
        f"source={source}&full=1",
        f"source={source}&project={project}",
        f"source={source}&by=project&grain=day",
        "by=source",
        "by=project&columns=all",
        "by=agent&columns=all",
        "by=group",
        "by=channel",
        "format=csv",
        "format=jsonl&grain=both",
        f"format=parquet&source={source}",
        f"format=xlsx&id={quote(row['contact_id'])}",
        f"q={quote(word)}",
        f"format=jsonl&q={quote(word)}",
        f"id={quote(row['conversation_id'])}",
        f"id={quote(former['id'])}",
        f"{period}&source={source}",
        "filters[resource]=operator&filters[indicators]=contact_number",
        "filters[resource]=website",
        "filters[resource]=group&filters[granularity]=day&filters[indicators]=contact_number",
        "sort=contacts",
        "sort=-first_reply",
        "lang=fr",
        "limit=100&since=",
    ]
    ids = [
        row["conversation_id"],
        row["contact_id"],
        former["id"],
        project,
        row["visitor_id"],
        row["last_agent_id"],
    ]
    of_an_id = ["full=1", f"source={source}", f"after=0&source={source}"]
    return {"queries": queries, "of an id": of_an_id, "ids": [each for each in ids if each]}


def _body(answer: Any) -> str:
    """Everything that an answer says, also within files."""
    kind = answer.headers.get("content-type", "")
    said = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    content = answer.content
    if "parquet" in kind:
        return said + str(pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist())
    if "zip" in kind or "spreadsheet" in kind:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [archive.read(name) for name in archive.namelist()]
        return said + b"\n".join(parts).decode("utf-8", "replace")
    text = content.decode("utf-8", "replace")
    return said + text + html.unescape(unquote(text))


def _own_words() -> str:
    """What the product says of itself, whatever the data are."""
    files = [*(REPOSITORY / "serving").rglob("*.po"), *(REPOSITORY / "serving").rglob("*.html")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _said(texts: set[str], body: str) -> list[str]:
    """The texts that a body holds; an id only where it is not a part of something else."""
    words = {word.strip(".:") for word in re.findall(r"[^\s\"'<>&,;()\[\]{}=/?#\\|]+", body)}
    words |= set(re.findall(r"[\w.]+", body))
    spoken = sorted(text for text in texts if " " in text)[:: len(texts) // MOST_SPOKEN + 1]
    return sorted(texts & words) + [text for text in spoken if text in body]


@pytest.mark.parametrize("bound", ["one source", "one project"], indirect=True)
def test_no_route_shows_a_bound_key_anything_of_another_brand(
    bound: tuple[TestClient, Scope], snapshot: Snapshot, settings: ServingSettings, tmp_path: Path
) -> None:
    client, scope = bound
    mine = _texts(snapshot, scope, mine=True)
    # No text holds a zero byte, so nothing is found across two of them.
    known = "\0".join(mine)
    others = {text for text in _texts(snapshot, scope, mine=False) - mine if text not in known}
    others -= set(_said(others, _own_words()))
    assert len(others) > 1000
    wanted = _wanted(snapshot, scope)
    (tmp_path / "open").mkdir()
    unbound = _client(settings, tmp_path / "open", EVERYTHING)
    app: Any = client.app
    found_by_all: set[str] = set()
    routes: set[str] = set()
    for address in _addresses(app, wanted):
        answer = client.get(address)
        assert answer.status_code < 500, address
        body = _body(answer)
        asked = unquote(address)
        leaked = [text for text in _said(others, body) if text not in asked]
        assert not leaked, (address, leaked[:5])
        if address.partition("?")[0] not in routes:
            # That what is looked for would be found: who may read everything is shown it.
            routes.add(address.partition("?")[0])
            shown = _body(unbound.get(address))
            if any(text not in asked for text in _said(others, shown)):
                found_by_all.add(address.partition("?")[0])
    assert {"/", "/conversations", "/transfers", "/api/2/changes", "/conversations/export"} <= (
        found_by_all
    )
    for id in wanted["ids"][:3]:
        assert client.get(f"/api/2/conversation/{quote(id)}").json()["meta"]["status"] == "fail"
        assert client.get(f"/conversations/{quote(id)}").status_code == 404


def test_a_bound_key_reads_all_of_its_own(
    bound: tuple[TestClient, Scope], snapshot: Snapshot
) -> None:
    client, scope = bound
    exported = client.get("/conversations/export", params={"format": "jsonl", "grain": "contact"})
    contacts = [json.loads(line) for line in exported.text.splitlines()]
    expected = snapshot.rows(
        "select contact_id, conversation_id from marts.contacts where conversation_id in"
        f" (select conversation_id from marts.conversations where {_is_mine(scope)})"
        " order by conversation_started_at, conversation_id, contact_no"
    )
    assert [(each["contact_id"], each["conversation_id"]) for each in contacts] == [
        (row["contact_id"], row["conversation_id"]) for row in expected
    ]
    some = expected[0]
    document = client.get(f"/api/2/conversation/{quote(some['contact_id'])}").json()["data"]
    assert document["id"] == some["conversation_id"]
    assert document["contacts"]


def test_every_published_table_has_its_view_and_only_rows_of_the_scope(
    snapshot: Snapshot,
) -> None:
    listed = (
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        " where database_name = current_database() and schema_name in ('marts','metrics','reports')"
        " order by all"
    )
    for scope in SCOPES.values():
        held = snapshot.within(scope)
        assert held.rows(listed) == snapshot.rows(listed)
        sources = {*scope.sources, *(source for source, _ in scope.pairs)}
        for row in snapshot.rows(f"select distinct schema_name, table_name from ({listed})"):
            table = f"{row['schema_name']}.{row['table_name']}"
            found = held.rows(f"select distinct source from {table}")
            assert {each["source"] for each in found} <= sources | {None}, table
            assert held.look_up(f"select count(*) as n from {table}", {}) == held.rows(
                f"select count(*) as n from {table}"
            )
    assert set(SCHEMAS) == {"marts", "metrics", "reports"}


def test_a_project_holds_what_belongs_to_its_conversations_and_nothing_else(
    snapshot: Snapshot,
) -> None:
    scope = SCOPES["one project"]
    held = snapshot.within(scope)
    mine = f"select conversation_id from marts.conversations where {_is_mine(scope)}"
    for table in ("contacts", "messages", "transfers", "ratings", "transactions", "graph_quality"):
        rows = held.rows(f"select * from marts.{table} order by all")
        assert rows, table
        assert rows == snapshot.rows(
            f"select * from marts.{table} where conversation_id in ({mine}) order by all"
        )
    assert held.value("select count(*) from marts.projects") == 1
    assert held.value("select count(*) from reports.reconciliation") == 0
    for table in ("reports.statistical_report", "metrics.contact_metrics"):
        dimensions = held.rows(f"select distinct dimension from {table} order by 1")
        assert [row["dimension"] for row in dimensions] == ["all", "project"]


def test_a_table_that_does_not_say_whose_its_rows_are_is_empty_to_a_bound_key(
    settings: ServingSettings, tmp_path: Path, snapshot: Snapshot
) -> None:
    published = tmp_path / "published"
    published.mkdir()
    with duckdb.connect(str(published / "new.duckdb")) as made:
        made.execute("create schema marts; create schema reports; create schema secret")
        made.execute(
            "create table marts.conversations as select 's' as source, 'p' as project_id,"
            " 's:1' as conversation_id, timestamp '2026-01-01' as started_at"
        )
        made.execute("create table marts.unthought as select 'x' as secret")
        made.execute("create table reports.by_source as select 's' as source, 'x' as secret")
        made.execute("create table secret.more as select 's' as source")
    manifest = {
        "data_version": "v",
        "published_at": "2026-01-01T00:00:00",
        "database": {"path": "new.duckdb"},
    }
    version = Snapshot(settings.replaced(warehouse_dir=published.parent), manifest)
    by_source, by_project = version.within(Scope(("s",))), version.within(Scope((), ("s/p",)))
    assert version.value("select count(*) from marts.unthought") == 1
    for held in (by_source, by_project):
        assert held.value("select count(*) from marts.conversations") == 1
        assert held.value("select count(*) from marts.unthought") == 0
        with pytest.raises(duckdb.CatalogException):
            held.rows("select * from secret.more")
    assert by_source.value("select count(*) from reports.by_source") == 1
    assert by_project.value("select count(*) from reports.by_source") == 0


def test_the_reports_of_one_source_are_the_rows_of_that_source(
    settings: ServingSettings, snapshot: Snapshot, tmp_path: Path
) -> None:
    with _client(settings, tmp_path, SCOPES["one source"]) as client:
        exported = client.get("/reports/statistics/export?format=jsonl&grain=month&columns=all")
        rows = [json.loads(line) for line in exported.text.splitlines()]
        expected = snapshot.rows(
            "select period_start, conversations, first_reply_median_seconds"
            " from reports.statistical_report where period_grain = 'month'"
            " and dimension = 'source' and source = $source order by period_start",
            {"source": SOURCE},
        )
        found = {row["period_start"]: row for row in rows}
        assert found
        for row in expected:
            if str(row["period_start"]) in found:
                mine = found[str(row["period_start"])]
                assert mine["conversations"] == row["conversations"]
                assert mine["first_reply_median_seconds"] == row["first_reply_median_seconds"]
        page = client.get("/reports/statistics")
        assert f"Your key reads {SOURCE}" in page.text
        assert 'value="channel"' not in page.text
        assert "it takes one of those offered" in client.get("/reports/statistics?by=channel").text
        assert client.get("/reports/statistics/export?by=channel").status_code == 400


def test_over_several_projects_the_reports_show_the_first_until_one_is_chosen(
    settings: ServingSettings, tmp_path: Path
) -> None:
    with _client(settings, tmp_path, SCOPES["two projects"]) as client:
        first = client.get("/reports/contacts")
        asked = client.get("/reports/contacts?source=bluewing_travel&project=3")
        assert "Project: " in first.text
        assert first.text.count("<td") == asked.text.count("<td") > 0
        assert client.get("/reports/contacts?by=project").status_code == 200


def test_the_statistic_of_a_bound_key_counts_its_own_contacts(
    bound: tuple[TestClient, Scope], snapshot: Snapshot
) -> None:
    client, scope = bound
    query = "filters[from]=2020-01-01&filters[to]=2030-01-01&filters[indicators]=contact_number"
    answer = client.get(f"/api/2/statistic?{query}").json()
    assert answer["data"]["contact_number"] == snapshot.value(
        "select count(*) from marts.contacts where conversation_id in"
        f" (select conversation_id from marts.conversations where {_is_mine(scope)})"
    )


def test_an_id_of_two_sources_is_no_question_to_who_reads_one(
    settings: ServingSettings, snapshot: Snapshot, tmp_path: Path
) -> None:
    shared = snapshot.value(
        "select id from marts.conversation_ids where id_kind = 'contact' group by id"
        " having count(distinct source) > 1 order by id limit 1"
    )
    assert shared
    sources = [
        row["source"]
        for row in snapshot.rows(
            "select distinct source from marts.conversation_ids where id = $id order by 1",
            {"id": shared},
        )
    ]
    for source in sources:
        with _client(settings, tmp_path, Scope((source,))) as client:
            answer = client.get(f"/api/2/conversation/{quote(shared)}").json()
            assert answer["data"]["id"].startswith(f"{source}:")


def test_health_and_static_files_need_no_key_and_tell_nothing_of_the_data(
    settings: ServingSettings, tmp_path: Path, snapshot: Snapshot
) -> None:
    with _client(settings, tmp_path, SCOPES["one source"]) as client:
        text = client.get("/health", headers={"X-API-Key": "none"}).text
        assert not [text for name in ("maison", "bluewing", "harbor") if name in text]


def test_whoever_has_not_been_let_in_comes_by_no_version() -> None:
    """Only `web.current_snapshot` hands one out, and it asks what the request may read."""
    allowed = {"app.py", "web.py"}
    for file in (REPOSITORY / "serving").rglob("*.py"):
        if file.name not in allowed:
            assert ".snapshots" not in file.read_text(encoding="utf-8"), file


def test_a_key_is_bound_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    monkeypatch.setenv("API_KEYS_FILE", str(file))
    assert keys.main(["add", "brand", "--source", "a", "--project", "b/7/x", "--source", "a"]) == 0
    made = keys.load(file)["brand"]
    assert (made.sources, made.projects) == (("a",), ("b/7/x",))
    assert made.scope.pairs == (("b", "7/x"),)
    capsys.readouterr()
    assert keys.main(["list"]) == 0
    assert "reads a, b/7/x" in capsys.readouterr().out
    for wrong in (["--source", "A b"], ["--project", "7"], ["--project", "b/"]):
        assert keys.main(["add", "other", *wrong]) == 2
    assert keys.main(["add", "other", "--source", "a", "--project", "a/7"]) == 2
    assert "give one of the two" in capsys.readouterr().err
    assert list(keys.load(file)) == ["brand"]


@pytest.mark.parametrize(
    "entry",
    [
        {"source": ["a"]},
        {"sources": "a"},
        {"sources": []},
        {"projects": [7]},
        {"projects": ["no-source"]},
        {"sources": None},
    ],
)
def test_a_bound_that_is_not_understood_opens_nothing(tmp_path: Path, entry: Any) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"k": {"sha256": "x", "created_at": "y", **entry}}))
    with pytest.raises(SettingError, match=r"keys\.json"):
        keys.load(file)
