"""Conversations keep their published ids through a restored backup and a lost warehouse.

On the real models. What the ledger holds, file by file, is test_id_ledger's business.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import Pipeline, contact, transfer


def named(pipeline: Pipeline) -> dict[str, str]:
    """Each contact and its conversation."""
    return {
        row["contact_id"]: row["conversation_id"] for row in pipeline.published("marts.contacts")
    }


def led(pipeline: Pipeline) -> dict[str, str]:
    """Each id that resolves and where it leads."""
    return {
        row["id"]: row["conversation_id"] for row in pipeline.published("marts.conversation_ids")
    }


def test_a_contact_that_arrives_after_an_older_backup_was_restored_takes_no_id_away(
    tmp_path: Path,
) -> None:
    pipeline = Pipeline(tmp_path / "pipeline")
    pipeline.write("shop", "contacts", [contact("x1", 1)], name="a")
    pipeline.run()
    backup = tmp_path / "backup"
    backup.mkdir()
    for file in (pipeline.settings.warehouse_file, pipeline.settings.outgoing_file):
        shutil.copy2(file, backup)
    pipeline.write("shop", "contacts", [contact("e3", 30)], name="b")
    pipeline.run()
    assert led(pipeline)["shop:e3"] == "shop:e3"

    for file in (pipeline.settings.warehouse_file, pipeline.settings.outgoing_file):
        shutil.copy2(backup / file.name, file)
    pipeline.write("shop", "contacts", [contact("e1", 20)], name="aa")
    pipeline.write("shop", "transfers", [transfer("e1", "e3", 21)])
    pipeline.run()

    assert pipeline.taken_over
    assert "1 ids" in pipeline.taken_over
    assert named(pipeline) == {"x1": "shop:x1", "e1": "shop:e3", "e3": "shop:e3"}
    assert led(pipeline)["shop:e3"] == "shop:e3"
    assert pipeline.manifest()["publication_no"] == 3


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline that published four conversations and a merge, and then lost its warehouse."""
    pipeline = Pipeline(tmp_path_factory.mktemp("lost"))
    pipeline.write("shop", "contacts", [contact("c1", 1)], name="c1")
    pipeline.write("shop", "contacts", [contact("c2", 2)], name="c2")
    pipeline.write("shop", "transfers", [transfer("c1", "c2", 2)])
    pipeline.write("shop", "contacts", [contact("c3", 3), contact("d1", 9)], name="c3")
    pipeline.write("shop", "contacts", [contact("gone", 10)], name="gone")
    pipeline.run()
    pipeline.write("shop", "transfers", [transfer("c2", "c3", 3)], name="later")
    pipeline.run()
    assert led(pipeline)["shop:c3"] == "shop:c1"
    pipeline.settings.warehouse_file.unlink()
    pipeline.settings.outgoing_file.unlink()
    return pipeline


def test_a_lost_warehouse_loaded_anew_in_another_order_names_nothing_anew(lost: Pipeline) -> None:
    before = led(lost)
    merges = lost.published("marts.conversation_merges")
    contacts = lost.settings.landing_dir / "shop" / "contacts"
    # c3 comes first now, c1 not yet, and one file is gone for good.
    (contacts / "c1.csv").rename(lost.home / "c1.csv")
    (contacts / "c3.csv").rename(contacts / "0.csv")
    (contacts / "gone.csv").unlink()

    lost.run()

    assert lost.taken_over
    assert "4 ids, 1 merges, 2 publications" in lost.taken_over
    assert named(lost) == {"c2": "shop:c1", "c3": "shop:c1", "d1": "shop:d1"}
    there = {name: to for name, to in before.items() if "gone" not in name}
    assert led(lost) == there
    assert lost.published("marts.conversation_merges") == merges
    assert lost.manifest()["publication_no"] == 3
    # Not even the warehouse knows an id that no reader has seen.
    ids = lost.query("select conversation_id from raw.published_ids order by all")
    expected = ["shop:c1", "shop:c3", "shop:d1", "shop:gone"]
    assert [row["conversation_id"] for row in ids] == expected

    (lost.home / "c1.csv").rename(contacts / "c1.csv")
    lost.run()

    assert named(lost) == {"c1": "shop:c1", "c2": "shop:c1", "c3": "shop:c1", "d1": "shop:d1"}
    assert led(lost) == there
    assert lost.published("marts.conversation_merges") == merges
