"""The Parquet files of large models: one per UTC day, which versions share where it is unchanged.

Belongs here: what lies in which file, what a refresh need not write, and that links are safe. Does
not belong here: files of small models (test_publish).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fake_warehouse
import pytest

from throughline.published import manifest as versions
from throughline.published.manifest import Publication, PublishedModel, PublishError
from throughline.publishing import parquet, verification
from throughline.publishing import publish as publishing
from throughline.settings import Settings

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


@pytest.fixture
def published(settings: Settings) -> Publication:
    """One version, published."""
    return publishing.publish(settings, run_id="first")


def conversations(publication: Publication) -> PublishedModel:
    return next(model for model in publication.models if model.name == "conversations")


def inodes(settings: Settings, publication: Publication) -> dict[date | None, int]:
    files = conversations(publication).files
    return {file.day: (settings.published_dir / file.path).stat().st_ino for file in files}


def change(
    settings: Settings, *statements: str, touched: Sequence[date | None] = (), base: str = ""
) -> None:
    """Change the file of the public models, as a refresh would that says what it touched."""
    with duckdb.connect(str(settings.outgoing_file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("drop schema if exists refresh cascade")
        if base:
            connection.execute("create schema refresh")
            connection.execute("create table refresh.base as select $1 as data_version", [base])
            connection.execute("create table refresh.touched_days (model varchar, day date)")
            for day in touched:
                connection.execute(
                    "insert into refresh.touched_days values ('marts.conversations', $1)", [day]
                )


def add(number: int, started_at: str) -> str:
    row = f"'desk:{number}', 'desk', '{number}', {started_at}, 0, ['bot'], 1, 'later'"
    return " ".join(("insert into marts.conversations values", f"({row})"))


def select(query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def reads(settings: Settings) -> list[str]:
    """What a look tells of: one line when it reads every file, none when it does not."""
    current = versions.current(settings)
    assert current is not None
    told: list[str] = []
    assert verification.problems(settings, current, tell=told.append) == []
    return told


def age(settings: Settings, **by: float) -> None:
    path = settings.warehouse_dir / "verified.json"
    content = json.loads(path.read_text())
    compared_at = datetime.fromisoformat(content["verified_at"]) - timedelta(**by)
    path.write_text(json.dumps({**content, "verified_at": compared_at.isoformat()}))


def declare(settings: Settings, **more: dict[str, Any]) -> None:
    fake_warehouse.write_dbt_manifest(settings, **more)


@pytest.mark.parametrize("order", [("started_at", "number"), ("note", "number")])
def test_each_day_has_a_file_in_the_declared_order_and_rows_without_one_have_theirs(
    settings: Settings, order: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a table that does not lie by day, so few rows are put in order at a time.
    monkeypatch.setattr(parquet, "_SORTED_ROWS", 150)
    change(
        settings,
        "create table marts.events as select number, (number * 7) % 11 as note,"
        " if(number < 5, null, timestamp '2026-02-27 23:00' + interval (number) hour) as started_at"
        " from range(500) as numbers (number) order by hash(number)",
    )
    config = fake_warehouse.publish(*order, by_day_of="started_at")
    declare(settings, events=fake_warehouse.model("marts", "events", config=config))
    publication = publishing.publish(settings, run_id="first")

    model = next(model for model in publication.models if model.name == "events")
    assert [file.path.rsplit("/", 1)[1] for file in model.files] == [
        *(f"{FIRST + timedelta(days=day - 1)}.parquet" for day in range(21)),
        "none.parquet",
    ]
    for file in model.files:
        with duckdb.connect(str(settings.outgoing_file), read_only=True) as connection:
            wanted = connection.execute(
                "from marts.events where started_at::date is not distinct from $1"
                f" order by {', '.join(order)}",
                [file.day],
            ).fetchall()
            path = str(settings.published_dir / file.path)
            found = connection.execute("from read_parquet($1)", [path]).fetchall()
        assert found == wanted
        assert len(found) == file.row_count > 0


def test_a_large_model_without_rows_has_one_file_with_its_columns(settings: Settings) -> None:
    change(settings, "delete from marts.conversations")
    model = conversations(publishing.publish(settings, run_id="first"))
    [file] = model.files
    assert (file.day, file.row_count) == (None, 0)
    folder = settings.published_dir / "parquet" / "marts" / "conversations"
    described = select(f"describe from '{folder}/*.parquet'")
    assert [name for name, *_ in described] == [column.name for column in model.columns]


@pytest.mark.parametrize("rows", [2000, 300_000])
def test_the_bytes_of_a_file_do_not_depend_on_where_its_rows_lie(
    settings: Settings, rows: int
) -> None:
    fake_warehouse.build(settings, 0, messages=rows)
    first = publishing.publish(settings, run_id="first")
    for seed in range(2):
        change(
            settings,
            *(
                f"create or replace table marts.{name} as"
                f" from marts.{name} order by hash({key}, {seed})"
                for name, key in (("conversations", "conversation_id"), ("messages", "place"))
            ),
        )
        again = publishing.publish(settings, run_id="again")
        assert (again.data_version, again.changed) == (first.data_version, False)


def test_the_bytes_of_a_file_do_not_depend_on_rows_that_are_no_longer_there(
    settings: Settings,
) -> None:
    fake_warehouse.build(settings, 0)
    first = publishing.publish(settings, run_id="first")
    change(
        settings,
        # Afterwards the table does not know that its columns hold no null.
        "create or replace table marts.conversations as from marts.conversations"
        " union all by name select * replace (null as source, null as anchor_contact_id,"
        " null as agent_path, -1 as generation) from marts.conversations",
        "delete from marts.conversations where generation = -1",
    )
    again = publishing.publish(settings, run_id="again")
    assert (again.data_version, again.changed) == (first.data_version, False)


def test_what_a_refresh_did_not_touch_is_the_same_file_and_the_version_that_of_a_rebuild(
    settings: Settings, published: Publication
) -> None:
    rows = (add(900, "timestamp '2026-03-02 23:59:59'"), add(901, "null"))
    change(settings, *rows, base=published.data_version, touched=[SECOND, None])
    refreshed = publishing.publish(settings, run_id="second")

    assert (refreshed.changed, refreshed.is_in_order) == (True, False)
    assert refreshed.new_ids == 2
    before, after = inodes(settings, published), inodes(settings, refreshed)
    assert set(after) == {FIRST, SECOND, None}
    assert after[FIRST] == before[FIRST]
    assert after[SECOND] != before[SECOND]
    assert verification.verify(settings) == []

    change(settings)
    shutil.rmtree(settings.published_dir)
    rebuilt = publishing.publish(settings, run_id="third")
    assert rebuilt.data_version == refreshed.data_version
    assert rebuilt.is_in_order


def test_the_last_row_of_a_day_takes_its_file_away_and_the_first_puts_it_there(
    settings: Settings, published: Publication
) -> None:
    gone = "delete from marts.conversations where started_at::date = date '2026-03-02'"
    change(settings, gone, base=published.data_version, touched=[SECOND])
    second = publishing.publish(settings, run_id="second")
    assert [file.day for file in conversations(second).files] == [FIRST]

    gone = "delete from marts.conversations"
    change(settings, gone, base=second.data_version, touched=[FIRST])
    third = publishing.publish(settings, run_id="third")
    assert [file.day for file in conversations(third).files] == [None]

    there = add(7, "timestamp '2026-03-01'")
    change(settings, there, base=third.data_version, touched=[FIRST])
    fourth = publishing.publish(settings, run_id="fourth")
    assert [file.day for file in conversations(fourth).files] == [FIRST]


def test_a_day_that_came_out_the_same_is_shared_by_a_full_build_too(
    settings: Settings, published: Publication
) -> None:
    change(settings, add(900, "timestamp '2026-03-02 23:59:59'"))
    rebuilt = publishing.publish(settings, run_id="second")
    before, after = inodes(settings, published), inodes(settings, rebuilt)
    assert after[FIRST] == before[FIRST]
    assert after[SECOND] != before[SECOND]


def test_what_a_refresh_says_over_another_version_is_not_believed(
    settings: Settings, published: Publication
) -> None:
    other = "update marts.conversations set note = 'other' where started_at < date '2026-03-02'"
    change(settings, other, base="0" * 16, touched=[])
    publishing.publish(settings, run_id="second")
    path = settings.published_dir / "parquet" / "marts" / "conversations" / f"{FIRST}.parquet"
    assert select(f"from '{path}' select distinct note") == [("other",)]


def test_a_changed_column_is_in_the_files_of_all_days(
    settings: Settings, published: Publication
) -> None:
    wider = "alter table marts.conversations alter generation type bigint"
    change(settings, wider, base=published.data_version, touched=[])
    after = inodes(settings, publishing.publish(settings, run_id="second"))
    assert not set(after.values()) & set(inodes(settings, published).values())


def test_rows_of_a_day_that_a_refresh_does_not_name_are_not_published(
    settings: Settings, published: Publication
) -> None:
    unnamed = add(900, "timestamp '2026-03-01 12:00:00'")
    change(settings, unnamed, base=published.data_version, touched=[SECOND])
    with pytest.raises(PublishError, match="101 rows in the warehouse, 101 in the snapshot and 1"):
        publishing.publish(settings, run_id="second")
    assert versions.current(settings) == Publication(
        **{**vars(published), "changed": False, "new_ids": 0}
    )
    assert fake_warehouse.leftovers(settings) == []


@pytest.mark.parametrize("known", [True, False], ids=["on record", "without a record"])
def test_a_file_that_was_changed_in_place_is_written_again_and_not_linked(
    settings: Settings, published: Publication, known: bool
) -> None:
    path = settings.published_dir / conversations(published).files[0].path
    right = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(right[:200] + b"\0" + right[201:])
    if not known:
        (settings.warehouse_dir / "verified.json").unlink()
    later = add(900, "timestamp '2026-03-02 23:59:59'")
    change(settings, later, base=published.data_version, touched=[SECOND])
    refreshed = publishing.publish(settings, run_id="second")

    assert (settings.published_dir / conversations(refreshed).files[0].path).read_bytes() == right
    current = versions.current(settings)
    assert current is not None
    assert verification.problems(settings, current, full=True) == []


def test_links_outlive_the_version_that_they_came_from_and_are_not_read_for_it(
    tmp_path: Path,
) -> None:
    settings = fake_warehouse.settings_of(tmp_path / "warehouse", PUBLISHED_VERSIONS="1")
    fake_warehouse.build(settings, 0)
    first = publishing.publish(settings, run_id="first")
    later = add(900, "timestamp '2026-03-02 23:59:59'")
    change(settings, later, base=first.data_version, touched=[SECOND])
    second = publishing.publish(settings, run_id="second")

    assert not (settings.published_dir / first.version_path).exists()
    assert reads(settings) == [], "what links moved is known, and nothing is read for it"
    assert verification.verify(settings) == []
    assert {path.stat().st_mode & 0o777 for path in _files(settings, second)} == {0o444}


def test_a_file_used_again_does_not_put_off_the_daily_look(
    settings: Settings, published: Publication
) -> None:
    age(settings, hours=20)
    later = add(900, "timestamp '2026-03-02 23:59:59'")
    change(settings, later, base=published.data_version, touched=[SECOND])
    second = publishing.publish(settings, run_id="second")
    assert reads(settings) == []
    age(settings, hours=5)
    # Too old to be believed: the files are read before they are used again.
    later = add(901, "timestamp '2026-03-02 23:59:59'")
    change(settings, later, base=second.data_version, touched=[SECOND])
    publishing.publish(settings, run_id="third")
    compared_at = json.loads((settings.warehouse_dir / "verified.json").read_text())["verified_at"]
    assert datetime.now(UTC) - datetime.fromisoformat(compared_at) < timedelta(hours=1)


def test_where_hard_links_are_refused_unchanged_days_are_copied(
    settings: Settings, published: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links on this file system")

    monkeypatch.setattr(os, "link", refuse)
    later = add(900, "timestamp '2026-03-02 23:59:59'")
    change(settings, later, base=published.data_version, touched=[SECOND])
    second = publishing.publish(settings, run_id="second")
    assert inodes(settings, second)[FIRST] != inodes(settings, published)[FIRST]
    assert verification.verify(settings) == []
    assert {path.stat().st_mode & 0o777 for path in _files(settings, second)} == {0o444}


def test_a_file_among_the_days_that_is_none_of_them_is_found_and_goes(
    settings: Settings, published: Publication
) -> None:
    folder = settings.published_dir / conversations(published).parquet
    shutil.copyfile(folder / f"{FIRST}.parquet", folder / "2020-01-01.parquet")
    [problem] = verification.problems(settings, published)
    assert f"2020-01-01.parquet is no file of version {published.data_version}" in problem
    assert publishing.publish(settings, run_id="second").mended == (problem,)
    assert not (folder / "2020-01-01.parquet").exists()
    assert verification.verify(settings) == []


def test_a_version_with_one_file_a_model_from_before_the_days_is_read_and_compared(
    settings: Settings,
) -> None:
    whole = fake_warehouse.model("marts", "conversations", "conversation_id")
    declare(settings, conversations=whole)
    former = publishing.publish(settings, run_id="first")
    as_of_before = versions.data_version_of(former.models, former.metrics, 1)
    folder = settings.published_dir / "versions" / as_of_before
    (settings.published_dir / former.version_path).rename(folder)
    text = (folder / "manifest.json").read_text().replace(former.data_version, as_of_before)
    manifest = {**json.loads(text), "manifest_version": 1}
    for model in manifest["models"]:
        del model["parquet"]["files"]
    for path in (folder / "manifest.json", settings.published_dir / "manifest.json"):
        path.unlink()
        path.write_text(json.dumps(manifest))
    link = settings.published_dir / "parquet"
    link.unlink()
    link.symlink_to(f"versions/{as_of_before}/parquet")
    assert verification.verify(settings) == []

    declare(settings)
    now = publishing.publish(settings, run_id="second")
    assert (now.manifest_version, conversations(now).is_folder) == (2, True)
    assert verification.verify(settings) == []
    path = folder / "parquet" / "marts" / "messages.parquet"
    path.chmod(0o644)
    path.write_bytes(b"")
    # The version now shares it.
    assert f"{path} is missing or does not match its checksum" in verification.verify(settings)


def _files(settings: Settings, publication: Publication) -> list[Path]:
    return [settings.published_dir / name for name in publication.checksums]
