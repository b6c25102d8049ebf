"""The ledger of ids beside the published files: what it holds, and who gets over what loss.

Belongs here: files and tables of ids, on the fake warehouse. Does not belong here: what the ids
mean for conversations (test_ids_outlive_the_warehouse).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import fake_warehouse
import pytest

from throughline.publishing import id_ledger
from throughline.publishing import publish as publishing
from throughline.settings import Settings

Ids = dict[str, int]


def published_ids(settings: Settings) -> Ids:
    """Each id on record in the warehouse, and the publication that brought it."""
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as connection:
        rows = connection.execute(
            "select conversation_id, publication_no, source, contact_id from raw.published_ids"
        ).fetchall()
    assert len({row[0] for row in rows}) == len(rows), "an id is on record once"
    assert all(row[0] == f"{row[2]}:{row[3]}" for row in rows)
    return {row[0]: row[1] for row in rows}


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def parts(settings: Settings) -> dict[str, bytes]:
    folder = settings.published_dir / "ids"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def written_ids(settings: Settings) -> list[str]:
    """Every id that the files of the ledger hold, with repeats."""
    rows = duckdb.sql(
        "select conversation_id from read_parquet($files) where kind = 'id' order by all",
        params={"files": str(settings.published_dir / "ids" / "*.parquet")},
    ).fetchall()
    return [name for (name,) in rows]


def publish(settings: Settings, generation: int) -> None:
    """Build and publish a generation, which has one id more than the one before."""
    fake_warehouse.build(settings, generation)
    publishing.publish(settings, run_id=f"run-{generation}")


def lose(settings: Settings, *, landed: bool = True) -> None:
    """Lose the warehouse and what dbt built; the published files stay.

    Args:
        settings: where they are.
        landed: a run has made the raw tables anew.
    """
    settings.warehouse_file.unlink()
    settings.outgoing_file.unlink()
    if landed:
        with duckdb.connect(str(settings.warehouse_file)) as connection:
            connection.execute(fake_warehouse.LEDGER)


@pytest.fixture
def published(settings: Settings) -> Settings:
    """Three publications: of 100 ids, of one more, and of another."""
    for generation in range(3):
        publish(settings, generation)
    return settings


def test_each_publication_appends_its_own_ids_and_touches_no_other_file(
    settings: Settings,
) -> None:
    publish(settings, 0)
    first = parts(settings)
    publish(settings, 1)
    both = parts(settings)
    assert len(first) == 1
    assert len(both) == 2
    assert first.items() <= both.items()
    [second] = both.keys() - first.keys()
    rows = duckdb.sql(
        "select kind, publication_no, conversation_id from read_parquet($file) order by kind",
        params={"file": str(settings.published_dir / "ids" / second)},
    ).fetchall()
    assert rows == [("id", 2, "desk:100"), ("publication", 2, None)]


def test_every_id_is_in_the_ledger_before_a_reader_sees_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    install = publishing.install

    def look(*arguments: Any) -> None:
        seen.append(len(written_ids(settings)))
        install(*arguments)

    monkeypatch.setattr(publishing, "install", look)
    publish(settings, 0)
    publish(settings, 1)
    assert seen == [100, 101]


def test_a_run_with_nothing_to_take_over_says_and_writes_nothing(published: Settings) -> None:
    before = published.warehouse_file.stat()
    assert id_ledger.is_whole(published)
    assert id_ledger.take_over(published) is None
    assert published.warehouse_file.stat() == before


def test_a_lost_warehouse_takes_over_every_id_with_the_publication_that_brought_it(
    published: Settings,
) -> None:
    before = published_ids(published)
    lose(published)
    assert not id_ledger.is_taken_over(published)

    assert id_ledger.take_over(published) == (
        "Taken over from what is published, as the warehouse lacks it: 102 ids, 3 publications"
    )

    assert published_ids(published) == before
    assert id_ledger.take_over(published) is None
    fake_warehouse.build(published, 3)
    assert publishing.publish(published, run_id="after").publication_no == 4
    assert len(written_ids(published)) == len(set(written_ids(published))) == 103


def test_publications_of_a_lost_warehouse_say_nothing_of_the_loads_of_the_new_one(
    published: Settings,
) -> None:
    lose(published, landed=False)
    id_ledger.take_over(published)
    assert query(published, "select distinct last_load_no from raw.publications") == [(None,)]


def test_a_restored_backup_takes_over_what_was_published_since(
    settings: Settings, tmp_path: Path
) -> None:
    publish(settings, 0)
    shutil.copy2(settings.warehouse_file, tmp_path / "backup")
    publish(settings, 1)
    before = published_ids(settings)
    shutil.copy2(tmp_path / "backup", settings.warehouse_file)

    told = id_ledger.take_over(settings)

    assert told is not None
    assert told.endswith(": 1 ids, 1 publications")
    assert published_ids(settings) == before
    fake_warehouse.build(settings, 2)
    assert publishing.publish(settings, run_id="after").publication_no == 3
    numbers = query(settings, "select publication_no from raw.publications order by all")
    assert numbers == [(1,), (2,), (3,)]


def test_lost_published_files_are_written_again_with_every_id(published: Settings) -> None:
    shutil.rmtree(published.published_dir)
    assert not id_ledger.is_whole(published)
    assert id_ledger.take_over(published) is None
    publish(published, 2)
    assert sorted(published_ids(published)) == sorted(written_ids(published))
    assert len(parts(published)) == 1
    assert id_ledger.is_whole(published)
    before = published_ids(published)
    lose(published)
    id_ledger.take_over(published)
    assert published_ids(published) == before


def test_both_copied_elsewhere_are_whole_there(published: Settings, tmp_path: Path) -> None:
    shutil.copytree(published.warehouse_dir, tmp_path / "elsewhere", symlinks=True)
    elsewhere = fake_warehouse.settings_of(tmp_path / "elsewhere")
    assert id_ledger.is_whole(elsewhere)
    assert id_ledger.take_over(elsewhere) is None


def test_a_lost_part_is_written_again_even_when_nothing_else_is_new(published: Settings) -> None:
    first = sorted(parts(published))[0]
    (published.published_dir / "ids" / first).unlink()
    assert not id_ledger.is_whole(published)
    publication = publishing.publish(published, run_id="again")
    assert not publication.changed
    assert sorted(published_ids(published)) == sorted(written_ids(published))
    assert id_ledger.is_whole(published)


def test_a_part_that_took_the_place_of_others_is_written_again_as_a_whole(
    published: Settings,
) -> None:
    shutil.rmtree(published.published_dir)
    publish(published, 2)
    [whole] = parts(published)
    publish(published, 3)
    (published.published_dir / "ids" / whole).unlink()
    publishing.publish(published, run_id="again")
    assert len(written_ids(published)) == len(set(written_ids(published))) == 103
    assert id_ledger.is_whole(published)


def test_a_part_damaged_while_another_is_missing_stops_no_publication(
    published: Settings,
) -> None:
    first, second, _ = sorted(parts(published))
    (published.published_dir / "ids" / first).unlink()
    damaged = published.published_dir / "ids" / second
    damaged.unlink()
    damaged.write_bytes(b"torn")
    publishing.publish(published, run_id="again")
    assert sorted(written_ids(published)) == sorted(published_ids(published))
    publishing.publish(published, run_id="and again")
    assert id_ledger.is_whole(published)


def test_a_kill_between_the_warehouse_and_the_ledger_loses_no_id(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt("injected")

    fake_warehouse.build(published, 3)
    with monkeypatch.context() as patched:
        patched.setattr(id_ledger, "write", die)
        with pytest.raises(KeyboardInterrupt):
            publishing.publish(published, run_id="killed")
    assert fake_warehouse.read_generations(published.published_file) == {2}
    assert not id_ledger.is_whole(published)

    publishing.publish(published, run_id="after")

    assert id_ledger.is_whole(published)
    assert sorted(written_ids(published)) == sorted(published_ids(published))
    assert len(published_ids(published)) == 103


@pytest.mark.parametrize("content", [b"", b"PAR1 torn"], ids=["empty", "torn"])
def test_a_damaged_part_is_named_set_aside_and_written_again(
    published: Settings, content: bytes
) -> None:
    first = published.published_dir / "ids" / sorted(parts(published))[0]
    first.chmod(0o644)
    first.write_bytes(content)
    lose(published)

    told = id_ledger.take_over(published)

    assert told is not None
    assert f"ids/{first.name} is damaged" in told
    assert not first.exists()
    # What it held is in the kept versions as well.
    assert len(published_ids(published)) == 102
    publish(published, 2)
    assert sorted(set(written_ids(published))) == sorted(published_ids(published))
    assert id_ledger.is_whole(published)


def test_versions_from_before_the_ledger_give_their_ids(published: Settings) -> None:
    shutil.rmtree(published.published_dir / "ids")
    lose(published)
    id_ledger.take_over(published)
    ids = published_ids(published)
    assert len(ids) == 102
    assert (ids["desk:0"], ids["desk:100"], ids["desk:101"]) == (1, 2, 3)
    fake_warehouse.build(published, 2)
    assert not publishing.publish(published, run_id="after").changed
    assert sorted(written_ids(published)) == sorted(ids)


def test_a_ledger_is_begun_for_a_warehouse_that_published_before_there_was_one(
    published: Settings,
) -> None:
    shutil.rmtree(published.published_dir / "ids")
    with duckdb.connect(str(published.warehouse_file)) as connection:
        connection.execute("drop table raw.id_sources")
    assert id_ledger.take_over(published) is None
    publish(published, 3)
    assert len(written_ids(published)) == len(set(written_ids(published))) == 103
    assert id_ledger.is_whole(published)


def test_the_current_names_alone_still_give_their_ids(published: Settings) -> None:
    shutil.rmtree(published.published_dir / "ids")
    shutil.rmtree(published.published_dir / "versions")
    lose(published)
    id_ledger.take_over(published)
    assert set(published_ids(published).values()) == {3}
    assert len(published_ids(published)) == 102


def test_merges_survive_the_warehouse(settings: Settings) -> None:
    publish(settings, 0)
    with fake_warehouse.connect(settings) as connection:
        connection.execute(
            "insert into outgoing.intermediate.int_conversation_ids__merged values"
            " ('desk:7', 'desk:3', 'desk', '2026-03-02 09:00:00', 'transfer', 't9')"
        )
    publishing.publish(settings, run_id="merged")
    merges = "select * from raw.id_merges"
    before = query(settings, merges)
    assert len(before) == 1
    lose(settings)
    told = id_ledger.take_over(settings)
    assert told is not None
    assert "1 merges" in told
    assert query(settings, merges) == before


def test_a_damaged_version_stops_nothing(published: Settings) -> None:
    shutil.rmtree(published.published_dir / "ids")
    lose(published)
    [*_, file] = sorted(published.published_dir.glob("versions/*/throughline.duckdb"))
    file.unlink()
    file.write_bytes(b"no database")
    told = id_ledger.take_over(published)
    assert told is not None
    assert f"versions/{file.parent.name} is damaged" in told
    assert len(published_ids(published)) >= 101
