"""A part that is built for itself is that part of the whole, and what is no longer so is found.

`throughline verify --sample` is both: it builds some conversations as a refresh does, and compares
them with what stands.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from harness import REPOSITORY, Pipeline, dbt
from rebuilt import MODELS
from test_any_input import deliver, registered
from worlds import BATCHES, draw

from throughline.refreshing import beside, verifying
from throughline.refreshing.verifying import Comparison
from throughline.settings import Settings

SOURCES, ISLANDS = 4, 12


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Some worlds, in two batches: the second was merged."""
    chance = random.Random(16)
    worlds = [draw(chance.randrange(2**32), f"s{number}", ISLANDS) for number in range(SOURCES)]
    pipeline = registered(tmp_path_factory.mktemp("parts"), worlds)
    for batches in (range(BATCHES - 1), [BATCHES - 1]):
        deliver(pipeline, worlds, batches, chance)
        pipeline.run()
    assert pipeline.is_refresh, pipeline.planned
    return pipeline


@pytest.fixture
def pipeline(built: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The same, where verifying has the dbt of the tests, which has read the project."""

    def build(
        settings: Settings, environment: Mapping[str, str], tell: Any, *, checks: bool
    ) -> None:
        failures = dbt(MODELS, settings, environment)
        assert not failures, failures

    monkeypatch.setattr(beside, "build", build)
    manifest = json.loads((built.settings.dbt_target_dir / "manifest.json").read_bytes())
    monkeypatch.setattr(verifying, "read_manifest", lambda settings: manifest)
    return built


def _verified(pipeline: Pipeline, sample: int | None, seed: int = 1) -> Comparison:
    return verifying.verify(pipeline.settings, sample=sample, seed=seed, tell=lambda line: None)


@pytest.mark.parametrize(("sample", "seed"), [(1, 1), (5, 2), (25, 3)])
def test_any_union_of_components_built_alone_gives_its_rows_of_the_whole(
    pipeline: Pipeline, sample: int, seed: int
) -> None:
    found = _verified(pipeline, sample, seed)
    assert not found.differing, found.differences
    [counted] = pipeline.query("select count(*) as conversations from marts.conversations")
    assert sample <= found.conversations < counted["conversations"]
    assert found.rows > found.conversations


def test_all_of_it_built_anew_is_what_stands(pipeline: Pipeline) -> None:
    found = _verified(pipeline, None)
    assert not found.differing, found.differences
    [counted] = pipeline.query("select count(*) as conversations from marts.conversations")
    assert found.conversations == counted["conversations"]


def test_what_differs_is_named_by_model_key_column_and_both_values(
    pipeline: Pipeline,
) -> None:
    """A value, a row too many and a row too few, made by hand behind the back of the pipeline."""
    file = pipeline.settings.outgoing_file
    whole = file.read_bytes()
    try:
        with duckdb.connect(str(file)) as connection:
            [name, count] = connection.execute(
                "select conversation_id, contact_count from marts.conversations"
                " order by conversation_id limit 1"
            ).fetchone()
            connection.execute(
                "update marts.conversations set contact_count = contact_count + 7"
                " where conversation_id = ?",
                [name],
            )
            gone = connection.execute(
                "delete from marts.contacts where rowid = (select max(rowid) from marts.contacts"
                " where conversation_id <> ?) returning contact_id",
                [name],
            ).fetchone()
        found = _verified(pipeline, None)
        assert {"marts.conversations", "marts.contacts"} == set(found.differing)
        told = [str(difference) for difference in found.differences]
        assert (
            f"marts.conversations, conversation_id {name}: contact_count is {count + 7}, and"
            f" {count} when rebuilt"
        ) in told
        [lost] = [one for one in found.differences if one.model == "marts.contacts"]
        assert (lost.key["contact_id"], lost.live, lost.rebuilt) == (*gone, "not there", "there")
    finally:
        file.write_bytes(whole)


def test_the_command_says_that_all_is_equal_and_leaves_nothing_behind(built: Pipeline) -> None:
    settings = built.settings
    before = {path: path.stat().st_mtime_ns for path in _files(settings)}
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "verify", "--sample", "3", "--seed", "5"],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "(--seed 5)" in done.stdout
    assert "What stands is what a rebuild makes" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in _files(settings)} == before
    assert not settings.working_dir.exists()


def _files(settings: Settings) -> list[Path]:
    return [
        settings.warehouse_file,
        settings.outgoing_file,
        *sorted(path for path in settings.published_dir.rglob("*") if path.is_file()),
    ]
