"""Dagster's history has an end: the oldest runs go, with all that is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from folders import make_settings

from orchestration import instance as dagster_instance
from orchestration.defs.automation import upkeep
from throughline.engine import locks
from throughline.settings import Settings


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="often")])
def often() -> Iterator[Any]:
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


@dg.asset
def once() -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, RUNS_KEPT="2")


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dagster_instance.open_instance(settings) as found:
        yield found


def _materialize(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> str:
    return dg.materialize([asset], instance=instance).run_id


def _kept(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def _rows_of(settings: Settings, run_id: str) -> int:
    """How many rows of the history's files name a run, in any table."""
    history = settings.dagster_home / "history"
    total = 0
    for path in (history / "runs.db", history / "runs" / "index.db"):
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            for table in sqlalchemy.inspect(engine).get_table_names():
                columns = {one["name"] for one in sqlalchemy.inspect(engine).get_columns(table)}
                if "run_id" in columns:
                    rows = sqlalchemy.table(table, sqlalchemy.column("run_id"))
                    query = sqlalchemy.select(sqlalchemy.func.count()).select_from(rows)
                    found = connection.execute(query.where(rows.c.run_id == run_id))
                    total += found.scalar_one()
        engine.dispose()
    return total


def test_the_oldest_runs_go_with_their_events_and_files(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    runs = [_materialize(instance, often) for _ in range(4)]
    oldest = runs[:2]
    assert _rows_of(settings, oldest[0]) > 0
    assert list(settings.dagster_home.rglob(f"*{oldest[0]}*"))

    assert dagster_instance.forget_old_runs(settings, instance) == oldest

    assert _kept(instance) == set(runs[2:])
    for run_id in oldest:
        assert _rows_of(settings, run_id) == 0
        assert not list(settings.dagster_home.rglob(f"*{run_id}*"))
    assert len(instance.all_logs(runs[2])) > 0
    assert dagster_instance.forget_old_runs(settings, instance) == []


def test_a_run_stays_while_the_interface_shows_an_asset_from_it(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    shown = _materialize(instance, once)
    runs = [_materialize(instance, often) for _ in range(4)]

    assert dagster_instance.forget_old_runs(settings, instance) == runs[:2]

    assert _kept(instance) == {shown, *runs[2:]}
    event = instance.get_latest_materialization_event(dg.AssetKey("once"))
    assert event is not None
    assert event.run_id == shown
    assert len(instance.all_logs(shown)) > 0
    # Shown from a newer run, it goes as others do.
    again = _materialize(instance, once)
    dagster_instance.forget_old_runs(settings, instance)
    assert shown not in _kept(instance)
    assert again in _kept(instance)


def test_a_run_stays_while_the_newest_result_of_a_check_is_from_it(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    checked = _materialize(instance, often)

    @dg.asset(key="often")
    def unchecked() -> None: ...

    others = [_materialize(instance, unchecked) for _ in range(4)]
    dagster_instance.forget_old_runs(settings, instance)
    assert _kept(instance) == {checked, *others[2:]}


def test_a_run_that_is_on_or_waits_stays_however_old(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    job = dg.GraphDefinition(name="waiting").to_job()
    statuses = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED]
    waiting = {instance.create_run_for_job(job, status=status).run_id for status in statuses}
    for _ in range(4):
        _materialize(instance, often)
    dagster_instance.forget_old_runs(settings, instance)
    assert waiting < _kept(instance)


def test_a_long_history_is_shortened_bit_by_bit(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A sensor has a minute, and the first one after years of runs has thousands to delete.
    monkeypatch.setattr(dagster_instance, "FORGOTTEN_AT_ONCE", 1)
    runs = [_materialize(instance, often) for _ in range(4)]
    assert dagster_instance.forget_old_runs(settings, instance) == runs[:1]
    assert dagster_instance.forget_old_runs(settings, instance) == runs[1:2]


def test_a_deletion_that_was_cut_off_is_taken_up_again(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [_materialize(instance, often) for _ in range(3)]
    with monkeypatch.context() as patched:

        def cut_off(run_id: str) -> None:
            raise KeyboardInterrupt

        patched.setattr(instance.run_storage, "delete_run", cut_off)
        with pytest.raises(KeyboardInterrupt):
            dagster_instance.forget_old_runs(settings, instance)
    assert dagster_instance.forget_old_runs(settings, instance) == runs[:1]
    assert _rows_of(settings, runs[0]) == 0


def test_the_upkeep_of_the_daemon_shortens_the_history_and_says_so(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for _ in range(4):
        _materialize(instance, often)
    assert list(upkeep(settings, instance)) == [
        "deleted the 2 oldest runs from the history (RUNS_KEPT)"
    ]
    assert instance.get_runs_count() == 2
    assert list(upkeep(settings.replaced(runs_kept=1), instance)) == [
        "deleted the 1 oldest runs from the history (RUNS_KEPT)"
    ]


def test_the_lock_files_of_runs_that_ended_are_tidied_by_the_daemon(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_id = _materialize(instance, often)
    # As the process of a daemon's run leaves it: there, and held by nobody.
    locks.claim_life(settings, run_id)
    path = settings.warehouse_dir / "locks" / f"run-{run_id}.lock"
    locks.release_life(settings, run_id)
    path.touch()
    assert list(upkeep(settings, instance)) == []
    assert not path.exists()
    assert run_id in _kept(instance)
