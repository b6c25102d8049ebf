"""A publish that fails, or is killed, leaves the last good version; the next one cleans up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import fake_warehouse
import pytest

from throughline.engine import locks
from throughline.engine.sql import named
from throughline.published.manifest import PublishError, current
from throughline.publishing import draft, parquet
from throughline.publishing import publish as publishing
from throughline.publishing.draft import Draft
from throughline.settings import Settings


def test_a_full_disk_leaves_the_old_version_and_no_temporary_file(
    settings: Settings, child: fake_warehouse.Child
) -> None:
    publishing.publish(settings, run_id="first")
    fake_warehouse.build(settings, 1, messages=200_000)

    process = child("publish_with_file_limit", settings, 1_000_000)
    _, errors = process.communicate(timeout=240)

    assert process.returncode != 0
    assert "File too large" in errors
    assert fake_warehouse.leftovers(settings) == []
    assert fake_warehouse.read_generations(settings.published_file) == {0}
    assert publishing.publish(settings, run_id="second").changed
    assert fake_warehouse.read_generations(settings.published_file) == {1}


# More steps than a publish has: the last ones are not killed and succeed.
@pytest.mark.parametrize("steps", [range(start, start + 4) for start in range(0, 20, 4)], ids=str)
def test_a_kill_at_any_step_leaves_a_whole_version_and_the_next_publish_cleans_up(
    settings: Settings, child: fake_warehouse.Child, steps: range
) -> None:
    publishing.publish(settings, run_id="first")
    for generation, step in enumerate(steps, start=1):
        fake_warehouse.build(settings, generation)

        process = child("publish_and_die", settings, step)
        _, errors = process.communicate(timeout=240)

        assert process.returncode in (-signal.SIGKILL, 0), errors
        publication = current(settings)
        assert publication is not None
        named = fake_warehouse.read_generations(settings.published_dir / publication.database)
        shown = fake_warehouse.read_generations(settings.published_file)
        assert named in ({generation - 1}, {generation})
        assert shown in ({generation - 1}, {generation})
        recorded = set(published_ids(settings))
        with duckdb.connect(str(settings.published_file), read_only=True) as connection:
            visible = connection.execute(
                "select conversation_id from marts.conversations"
            ).fetchall()
        assert {name for (name,) in visible} <= recorded, "a visible id is always recorded"

        publishing.publish(settings, run_id="after")

        assert fake_warehouse.leftovers(settings) == []
        assert fake_warehouse.read_generations(settings.published_file) == {generation}
        ids = published_ids(settings)
        assert len(ids) == len(set(ids)) == 100 + generation


def published_ids(settings: Settings) -> list[str]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as connection:
        rows = connection.execute("select conversation_id from raw.published_ids").fetchall()
    return [name for (name,) in rows]


def failing_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("injected")

    monkeypatch.setattr(os, "replace", fail)


def failing_step(module: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt("injected")

        monkeypatch.setattr(module, name, fail)

    return patch


@pytest.mark.parametrize(
    "break_it",
    [
        failing_replace,
        failing_step(publishing, "record"),
        failing_step(publishing, "install"),
        failing_step(parquet, "sha256"),
        failing_step(draft, "sync_all"),
    ],
    ids=["replace", "ledger", "install", "checksum", "sync"],
)
def test_an_exception_in_the_middle_leaves_the_old_version_and_no_temporary_file(
    settings: Settings,
    break_it: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publishing.publish(settings, run_id="first")
    before = settings.published_file.stat()
    fake_warehouse.build(settings, 1)

    with monkeypatch.context() as patched:
        break_it(patched)
        with pytest.raises((OSError, KeyboardInterrupt), match="injected"):
            publishing.publish(settings, run_id="second")

    assert settings.published_file.stat().st_ino == before.st_ino
    assert fake_warehouse.leftovers(settings) == []
    assert fake_warehouse.read_generations(settings.published_file) == {0}
    publishing.publish(settings, run_id="third")
    assert fake_warehouse.read_generations(settings.published_file) == {1}


def test_a_snapshot_with_other_row_counts_than_the_warehouse_is_not_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Draft.write

    def write_and_lose_a_row(self: Any, models: Any, last: Any) -> Any:
        written = write(self, models, last)
        for statement in (
            "delete from {name}.marts.conversations where rowid = 0",
            "checkpoint {name}",
        ):
            self._engine.execute(named(statement, name=self._snapshot))
        return written

    monkeypatch.setattr(Draft, "write", write_and_lose_a_row)
    with pytest.raises(PublishError, match="100 rows in the warehouse, 99 in the snap"):
        publishing.publish(settings, run_id="first")
    assert not settings.published_file.exists()
    assert fake_warehouse.leftovers(settings) == []


def test_a_warehouse_written_in_the_middle_is_not_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(line: str) -> None:
        if "recording" in line:
            fake_warehouse.build(settings, 1)

    with pytest.raises(PublishError, match="was written while it was being published"):
        publishing.publish(settings, run_id="first", progress=write)
    assert not settings.published_file.exists()


def test_two_publishes_at_once_are_refused(settings: Settings) -> None:
    with locks.held(settings, "publish", wait_seconds=0), pytest.raises(locks.LockTimeout):
        publishing.publish(settings, run_id="first")


def test_what_a_killed_publish_left_is_removed_by_the_next(settings: Settings) -> None:
    leftover = settings.published_dir / ".draft-1234-abcd" / "parquet"
    leftover.mkdir(parents=True)
    (leftover / "half.parquet").write_bytes(b"PAR1")
    Path(settings.published_dir / ".draft-ef01").symlink_to("nowhere")

    publishing.publish(settings, run_id="first")

    assert fake_warehouse.leftovers(settings) == []
