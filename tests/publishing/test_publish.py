"""What a publish puts where, what it records, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import fake_warehouse
import pytest

from throughline.building import tables
from throughline.published.manifest import PublishError, current
from throughline.publishing import publish as publishing
from throughline.settings import Settings


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def test_public_models_are_published_and_nothing_else(settings: Settings) -> None:
    publication = publishing.publish(settings, run_id="first")

    tables = rows(
        settings.published_file,
        "select schema_name || '.' || table_name from duckdb_tables() order by all",
    )
    expected = ["marts.conversations", "marts.messages", "reports.statistical_report"]
    assert [name for (name,) in tables] == expected
    assert rows(settings.published_file, "select * from duckdb_views() where not internal") == []
    assert [f"{model.schema}.{model.name}" for model in publication.models] == expected
    parquet = settings.published_dir / "parquet"
    assert sorted(str(path.relative_to(parquet)) for path in parquet.rglob("*.parquet")) == [
        "marts/conversations/2026-03-01.parquet",
        "marts/conversations/2026-03-02.parquet",
        "marts/messages.parquet",
        "reports/statistical_report.parquet",
    ]


def test_snapshot_and_parquet_hold_the_rows_types_and_order_of_the_warehouse(
    settings: Settings,
) -> None:
    publication = publishing.publish(settings, run_id="first")

    for model in publication.models:
        names = ", ".join(column.name for column in model.columns)
        query = f"from {model.schema}.{model.name} select {names}"
        files = "/*.parquet" if model.is_folder else ""
        parquet = f"from '{settings.published_dir}/{model.parquet}{files}'"
        with duckdb.connect(str(settings.outgoing_file), read_only=True) as outgoing:
            expected = outgoing.execute(query).fetchall()
            types = outgoing.execute(f"describe {query}").fetchall()
            assert outgoing.execute(parquet).fetchall() == expected
        assert rows(settings.published_file, query) == expected
        assert rows(settings.published_file, f"describe {query}") == types


def test_what_the_declaration_excepts_is_left_out_and_no_table_is_written_anew_for_it(
    settings: Settings,
) -> None:
    lines: list[str] = []
    publishing.publish(settings, run_id="first", progress=lines.append)

    assert "writing marts.messages anew" not in lines
    assert "writing reports.statistical_report anew" in lines
    names = ["conversation_id", "message_no", "generation", "body"]
    parquet = f"'{settings.published_dir}/parquet/marts/messages.parquet'"
    for place in ("marts.messages", parquet):
        columns = rows(settings.published_file, f"describe from {place}")
        assert [name for name, *_ in columns] == names


@pytest.mark.parametrize("order", [["number desc"], ["parity", "number"]])
def test_a_view_is_published_in_the_order_that_its_declaration_gives(
    settings: Settings, order: list[str]
) -> None:
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        connection.execute(
            "create view marts.shown as"
            " select message_no as number, message_no % 2 as parity, secret from marts.messages"
        )
        wanted = connection.execute(
            f"from marts.shown select number, parity order by {', '.join(order)}"
        ).fetchall()
    config = fake_warehouse.publish(*order, **{"except": ["secret"]})
    shown = fake_warehouse.model("marts", "shown", config=config)
    fake_warehouse.write_dbt_manifest(settings, shown=shown)
    publishing.publish(settings, run_id="first")

    assert rows(settings.published_file, "from marts.shown") == wanted
    parquet = f"'{settings.published_dir}/parquet/marts/shown.parquet'"
    assert rows(settings.published_file, f"from {parquet}") == wanted


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "does not say in which order it is published"),
        ({"meta": {"publish": {"order_by": []}}}, "does not say in which order"),
        (fake_warehouse.publish("body", only=["body"]), "publish has no only"),
        (fake_warehouse.publish("body", **{"except": ["bdoy"]}), "has no bdoy"),
        (fake_warehouse.publish("body", by_day_of="started"), "has no published column started"),
    ],
)
def test_a_public_model_without_a_sound_declaration_is_not_published(
    settings: Settings, declared: dict[str, Any], message: str
) -> None:
    messages = fake_warehouse.model("marts", "messages", config=declared)
    fake_warehouse.write_dbt_manifest(settings, messages=messages)
    with pytest.raises(PublishError, match=message):
        publishing.publish(settings, run_id="first")


def test_the_pipeline_reads_the_public_models_that_it_publishes_and_no_older_ones(
    settings: Settings,
) -> None:
    with duckdb.connect(str(settings.warehouse_file)) as connection:
        connection.execute("create schema marts; create table marts.conversations as select 1 as n")

    with tables.connect_read_only(settings) as connection:
        assert len(connection.execute("from marts.conversations").fetchall()) == 100
        assert connection.execute("select max(load_no) from raw.loads").fetchall() == [(0,)]


def test_manifest_says_what_each_model_is_and_where(settings: Settings) -> None:
    publication = publishing.publish(settings, run_id="first")

    published = settings.published_dir
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["manifest_version"] == 2
    assert manifest["run_id"] == "first"
    assert manifest["last_load_no"] == 0
    assert manifest["data_version"] == publication.data_version
    assert datetime.fromisoformat(manifest["published_at"]).utcoffset() is not None
    database = published / manifest["database"]["path"]
    assert manifest["database"]["sha256"] == hashlib.sha256(database.read_bytes()).hexdigest()
    conversations = manifest["models"][0]
    assert (conversations["schema"], conversations["name"]) == ("marts", "conversations")
    assert conversations["row_count"] == 100
    assert conversations["grain"] == "One row per thing in conversations."
    assert conversations["columns"][0] == {
        "name": "conversation_id",
        "type": "VARCHAR",
        "description": "The one id; it's `source:anchor`.",
    }
    for model in manifest["models"]:
        files = model["parquet"]["files"]
        for file in files:
            content = (published / file["path"]).read_bytes()
            assert len(content) == file["bytes"]
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert sum(file["bytes"] for file in files) == model["parquet"]["bytes"]
        assert sum(file["row_count"] for file in files) == model["row_count"]
    folder, file = manifest["models"][0]["parquet"], manifest["models"][1]["parquet"]
    assert [one["day"] for one in folder["files"]] == ["2026-03-01", "2026-03-02"]
    assert [one["path"] for one in folder["files"]] == [
        f"{folder['path']}/2026-03-01.parquet",
        f"{folder['path']}/2026-03-02.parquet",
    ]
    said = subprocess.run(
        "sha256sum *.parquet | sha256sum",
        shell=True,
        cwd=published / folder["path"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split()[0] == folder["sha256"]
    [alone] = file.pop("files")
    assert alone == {**file, "day": None, "row_count": 2000}
    assert manifest["metrics"] == [
        {
            "name": "conversations",
            "label": "Conversations",
            "description": "How many conversations closed.",
            "formula": "count(conversation_id)",
            "grain": "conversation",
            "anchor": "closed_on",
            "unit": "conversations",
            "source": "the platform",
            "column": "statistical_report.conversations",
            "numerator": "",
            "denominator": "",
            "aggregation": "count",
            "expression": "conversation_id",
        }
    ]
    assert current(settings) == replace(publication, changed=False, new_ids=0)


def test_descriptions_are_comments_in_the_snapshot(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")

    assert rows(
        settings.published_file,
        "select comment from duckdb_tables() where table_name = 'conversations'",
    ) == [('One row per thing in conversations. It isn\'t "more".',)]
    assert rows(
        settings.published_file,
        "select comment from duckdb_columns()"
        " where table_name = 'conversations' and column_name = 'conversation_id'",
    ) == [("The one id; it's `source:anchor`.",)]


def test_snapshot_is_in_the_format_that_duckdb_1_clients_open(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")

    header = settings.published_file.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert struct.unpack("<Q", header[12:20]) == (64,)


def test_published_files_are_complete_and_read_only(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")

    published = settings.published_dir
    assert list(published.rglob("*.wal")) == []
    assert fake_warehouse.leftovers(settings) == []
    files = [path for path in published.rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o444"}
    folders = [path for path in published.rglob("*") if path.is_dir() and not path.is_symlink()]
    umask = os.umask(0o022)
    os.umask(umask)
    assert {oct(path.stat().st_mode & 0o777) for path in folders} == {oct(0o777 & ~umask)}


def test_current_names_are_the_newest_version(settings: Settings) -> None:
    for generation in (1, 2):
        fake_warehouse.build(settings, generation)
        publication = publishing.publish(settings, run_id="run")

    published = settings.published_dir
    version = published / "versions" / publication.data_version
    assert settings.published_file.samefile(version / "throughline.duckdb")
    assert (published / "manifest.json").samefile(version / "manifest.json")
    assert str((published / "parquet").readlink()) == f"versions/{publication.data_version}/parquet"
    assert fake_warehouse.read_generations(settings.published_file) == {2}


def test_where_hard_links_are_refused_the_current_file_is_a_copy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links on this file system")

    monkeypatch.setattr(os, "link", refuse)
    publishing.publish(settings, run_id="first")

    assert fake_warehouse.read_generations(settings.published_file) == {0}
    assert settings.published_file.stat().st_mode & 0o777 == 0o444
    assert fake_warehouse.leftovers(settings) == []


def test_same_content_again_changes_no_file(settings: Settings) -> None:
    first = publishing.publish(settings, run_id="first")
    before = everything(settings.published_dir)
    ledger = rows(settings.warehouse_file, "from raw.publications")

    fake_warehouse.build(settings, 0)
    second = publishing.publish(settings, run_id="second")

    assert first.changed
    assert not second.changed
    assert (second.data_version, second.run_id) == (first.data_version, "first")
    entries = everything(settings.published_dir)
    assert entries == before
    assert rows(settings.warehouse_file, "from raw.publications") == ledger


def test_same_content_in_another_warehouse_has_the_same_version(
    settings: Settings, tmp_path: Path
) -> None:
    other = fake_warehouse.settings_of(tmp_path / "other", DUCKDB_THREADS="1")
    fake_warehouse.build(other, 5)
    fake_warehouse.build(other, 0)

    first = publishing.publish(settings, run_id="first")
    second = publishing.publish(other, run_id="second")

    assert second.data_version == first.data_version


def test_a_changed_description_is_a_new_version(settings: Settings) -> None:
    first = publishing.publish(settings, run_id="first")
    fake_warehouse.write_dbt_manifest(
        settings, messages=fake_warehouse.model("marts", "messages", description="One row per …")
    )

    second = publishing.publish(settings, run_id="second")

    assert second.changed
    assert second.data_version != first.data_version


def test_a_changed_definition_of_a_metric_is_a_new_version(settings: Settings) -> None:
    first = publishing.publish(settings, run_id="first")
    fake_warehouse.write_dbt_manifest(settings, fake_warehouse.metric("Closed conversations."))

    second = publishing.publish(settings, run_id="second")

    assert second.changed
    assert second.data_version != first.data_version
    assert second.metrics[0].description == "Closed conversations."


def test_a_version_from_before_the_metrics_is_read_and_replaced(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")
    path = settings.published_dir / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["metrics"]
    path.unlink()
    path.write_text(json.dumps({**manifest, "data_version": "0" * 16}), encoding="utf-8")

    former = current(settings)
    assert former is not None
    assert former.metrics == ()
    assert publishing.publish(settings, run_id="second").metrics != ()


def test_parquet_bytes_do_not_depend_on_how_the_warehouse_stores_the_rows(
    settings: Settings,
) -> None:
    fake_warehouse.build(settings, 0, messages=300_000)
    first = publishing.publish(settings, run_id="first")
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        connection.execute("alter table marts.messages rename to even")
        connection.execute("create table marts.messages as from marts.even limit 0")
        for start, end in ((0, 1000), (1000, 130_001), (130_001, 131_000), (131_000, 300_000)):
            connection.execute(
                "insert into marts.messages"
                " from marts.even where rowid >= $1 and rowid < $2 order by rowid",
                [start, end],
            )
        connection.execute("drop table marts.even")
        connection.execute("checkpoint")
        groups = connection.execute(
            "select count(distinct row_group_id) from pragma_storage_info('marts.messages')"
        ).fetchone()

    second = publishing.publish(settings, run_id="second")

    assert groups != (3,), "the rows are stored unevenly, or this test shows nothing"
    assert second.data_version == first.data_version
    assert not second.changed


def test_a_missing_current_file_is_put_back(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")
    settings.published_file.unlink()

    publication = publishing.publish(settings, run_id="second")

    assert publication.changed
    assert fake_warehouse.read_generations(settings.published_file) == {0}
    assert fake_warehouse.leftovers(settings) == []


def test_after_a_kill_between_the_names_the_old_content_is_put_back_under_all_of_them(
    settings: Settings,
) -> None:
    versions = settings.published_dir / "versions"
    fake_warehouse.build(settings, 1)
    newer = publishing.publish(settings, run_id="first").data_version
    fake_warehouse.build(settings, 0)
    older = publishing.publish(settings, run_id="second").data_version
    sizes = {(versions / name / "throughline.duckdb").stat().st_size for name in (newer, older)}
    assert len(sizes) == 1, "equal sizes, or this test shows nothing"
    settings.published_file.unlink()
    os.link(versions / newer / "throughline.duckdb", settings.published_file)

    publishing.publish(settings, run_id="third")

    assert fake_warehouse.read_generations(settings.published_file) == {0}


def test_a_restored_backup_with_a_folder_in_the_links_place_is_healed(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")
    link = settings.published_dir / "parquet"
    content = link.resolve()
    link.unlink()
    shutil.copytree(content, link)

    publishing.publish(settings, run_id="second")
    publishing.publish(settings, run_id="third")

    assert link.is_symlink()
    assert (link / "marts" / "messages.parquet").is_file()
    assert fake_warehouse.leftovers(settings) == []


def test_an_old_version_that_cannot_be_removed_does_not_fail_the_publish(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    lines: list[str] = []
    monkeypatch.setattr(publishing, "prune", refuse)
    assert publishing.publish(settings, run_id="first", progress=lines.append).changed
    assert "could not be removed" in lines[-1]


def test_a_damaged_manifest_is_replaced(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")
    manifest = settings.published_dir / "manifest.json"
    manifest.unlink()
    manifest.write_text("{", encoding="utf-8")

    with pytest.raises(PublishError, match=r"manifest\.json"):
        current(settings)
    publishing.publish(settings, run_id="second")

    now = current(settings)
    assert now is not None
    assert now.run_id == "second"


def test_versions_are_kept_up_to_the_setting_and_the_current_one_always(tmp_path: Path) -> None:
    settings = fake_warehouse.settings_of(tmp_path / "warehouse", PUBLISHED_VERSIONS="2")
    versions = []
    for generation in (1, 2, 3, 1):
        fake_warehouse.build(settings, generation)
        versions.append(publishing.publish(settings, run_id="run").data_version)

    kept = {path.name for path in (settings.published_dir / "versions").iterdir()}
    assert versions[3] == versions[0], "going back to old content is the old version again"
    assert kept == set(versions[2:])
    assert fake_warehouse.read_generations(settings.published_file) == {1}


def test_each_published_id_is_recorded_once(settings: Settings) -> None:
    publishing.publish(settings, run_id="first")
    fake_warehouse.build(settings, 2)
    publication = publishing.publish(settings, run_id="second")

    assert publication.new_ids == 2
    assert rows(
        settings.warehouse_file,
        "select publication_no, count(*) from raw.published_ids group by all order by all",
    ) == [(1, 100), (2, 2)]
    assert rows(
        settings.warehouse_file, "from raw.published_ids where conversation_id = 'desk:7'"
    ) == [("desk:7", "desk", "7", 1)]
    assert rows(
        settings.warehouse_file,
        "select publication_no, data_version, run_id, last_load_no from raw.publications"
        " order by all desc limit 1",
    ) == [(2, publication.data_version, "second", 2)]


def test_a_merge_is_recorded_once_even_when_the_published_content_is_the_same(
    settings: Settings,
) -> None:
    publishing.publish(settings, run_id="first")
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        connection.execute(
            "insert into intermediate.int_conversation_ids__merged values"
            " ('desk:9', 'desk:1', 'desk', timestamp '2026-03-02', 'transfer', 't-1')"
        )

    second = publishing.publish(settings, run_id="second")
    third = publishing.publish(settings, run_id="third")

    assert (second.changed, second.new_merges, third.new_merges) == (False, 1, 0)
    assert rows(settings.warehouse_file, "from raw.id_merges") == [
        ("desk:9", "desk:1", "desk", datetime(2026, 3, 2), "transfer", "t-1", 2)
    ]
    assert rows(settings.warehouse_file, "select run_id from raw.publications order by all") == [
        ("first",),
        ("second",),
    ]


def test_an_integer_that_parquet_cannot_hold_is_refused_by_name(settings: Settings) -> None:
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        connection.execute("create table reports.total as select sum(1) as messages")
    fake_warehouse.write_dbt_manifest(settings, total=fake_warehouse.model("reports", "total"))

    with pytest.raises(PublishError, match=r"reports\.total\.messages is a HUGEINT"):
        publishing.publish(settings, run_id="first")
    assert fake_warehouse.leftovers(settings) == []


def test_a_public_model_that_was_not_built_is_named(settings: Settings) -> None:
    fake_warehouse.write_dbt_manifest(settings, absent=fake_warehouse.model("marts", "absent"))

    with pytest.raises(PublishError, match=r"marts\.absent is public and not in"):
        publishing.publish(settings, run_id="first")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        ("{", "not a dbt manifest"),
        ('{"nodes": {}, "metrics": {}}', "names no model"),
    ],
)
def test_without_a_usable_dbt_manifest_nothing_is_published(
    settings: Settings, content: str | None, message: str
) -> None:
    manifest = settings.dbt_target_dir / "manifest.json"
    manifest.unlink()
    if content is not None:
        manifest.write_text(content, encoding="utf-8")

    with pytest.raises(PublishError, match=message):
        publishing.publish(settings, run_id="first")
    assert current(settings) is None


def test_publishing_a_missing_warehouse_says_so_and_creates_none(tmp_path: Path) -> None:
    settings = fake_warehouse.settings_of(tmp_path / "empty")
    fake_warehouse.write_dbt_manifest(settings)

    with pytest.raises(PublishError, match="run the pipeline first"):
        publishing.publish(settings, run_id="first")
    assert not settings.warehouse_file.exists()
