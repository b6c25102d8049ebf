"""Which columns a column comes from, as it is read from SQL and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from throughline.building import lineage
from throughline.settings import Settings

SQL = """
with contacts as (
    select * from "warehouse"."raw"."contacts"
),

named as (
    select
        contacts.contact_id,
        coalesce(agents.display_name, contacts.agent_id) as agent,
        count(*) over (partition by contacts.agent_id) as contact_count
    from contacts
    left join "outgoing"."marts"."agents" as agents using (agent_id)
)

select named.*, 1 as one from named
"""
PARENTS = {
    ("raw", "contacts"): ["contact_id", "agent_id", "channel"],
    ("marts", "agents"): ["agent_id", "display_name"],
}


def test_a_column_comes_from_the_columns_that_its_expression_reads() -> None:
    found = lineage.read(SQL, PARENTS)
    assert found == {
        "contact_id": [("raw", "contacts", "contact_id")],
        "agent": [("marts", "agents", "display_name"), ("raw", "contacts", "agent_id")],
        "contact_count": [("raw", "contacts", "agent_id")],
        "one": [],
    }


def test_sql_that_the_parser_does_not_know_has_no_origins() -> None:
    assert lineage.read("select from where", {}) == {}


def test_a_query_over_a_file_has_columns_without_origins() -> None:
    over_file = """
    select cast(word as text) as word from (
        select cast(null as text) as word union all by name select * from read_csv('words.csv')
    ) as listed
    """
    assert lineage.read(over_file, {}) == {"word": []}


def _manifest() -> dict[str, Any]:
    def node(name: str, kind: str, schema: str, **more: Any) -> dict[str, Any]:
        return {
            "resource_type": kind, "schema": schema, "name": name, "alias": name,
            "package_name": "throughline", "original_file_path": f"models/{name}.sql",
            "columns": {}, "config": {}, "depends_on": {"nodes": []}, **more,
        }  # fmt: skip

    source = node("logs", "source", "raw", columns={"a": {}, "b": {}})
    return {
        "sources": {"source.logs": source},
        "nodes": {
            "model.first": node("first", "model", "int", depends_on={"nodes": ["source.logs"]}),
            "model.second": node("second", "model", "marts", depends_on={"nodes": ["model.first"]}),
        },
    }


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    models = folder / "compiled" / "throughline" / "models"
    models.mkdir(parents=True)
    (models / "first.sql").write_text("select a as x, a + b as y from raw.logs")
    (models / "second.sql").write_text("select * from int.first")
    return folder


def _read(settings: Settings, target: Path, *names: str) -> dict[lineage.Table, lineage.Columns]:
    reader = lineage.Reader(settings, _manifest(), target)
    for name in names:
        reader.built(name)
    return reader.result()


def test_each_model_is_read_once_and_again_when_it_or_its_parents_change(
    settings: Settings, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _read(settings, target, "model.first", "model.second")
    assert found["marts", "second"] == {
        "x": [("int", "first", "x")],
        "y": [("int", "first", "y")],
    }
    read: list[str] = []
    whole = lineage.read
    monkeypatch.setattr(lineage, "read", lambda sql, *more: read.append(sql) or whole(sql, *more))
    assert _read(settings, target, "model.first", "model.second") == found
    assert read == []
    # Of a build of one model the others are known from before.
    assert _read(settings, target, "model.second") == found
    assert read == []
    first = target / "compiled" / "throughline" / "models" / "first.sql"
    first.write_text("select b as z from raw.logs")
    changed = _read(settings, target, "model.first", "model.second")
    assert changed["marts", "second"] == {"z": [("int", "first", "z")]}
    assert len(read) == 2


def test_a_table_that_is_made_in_rounds_has_the_columns_that_it_declares(
    settings: Settings, target: Path
) -> None:
    manifest = _manifest()
    first = manifest["nodes"]["model.first"]
    first["config"]["materialized"] = "connected_components"
    first["columns"] = {"node": {}, "component": {}}
    reader = lineage.Reader(settings, manifest, target)
    reader.built("model.first")
    reader.built("model.second")
    found = reader.result()
    assert found["marts", "second"].keys() == {"node", "component"}
    assert found["int", "first"]["component"] == [("raw", "logs", "a"), ("raw", "logs", "b")]


def test_a_damaged_file_of_what_was_read_is_written_again(settings: Settings, target: Path) -> None:
    lineage.file_of(settings).parent.mkdir(parents=True)
    lineage.file_of(settings).write_text("{", encoding="utf-8")
    assert _read(settings, target, "model.first")["int", "first"]["x"] == [("raw", "logs", "a")]
    assert json.loads(lineage.file_of(settings).read_bytes())
