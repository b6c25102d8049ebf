"""Dagster's instance: its history, and its health.

Belongs here: opening it, ending the runs that a killed process left behind, and forgetting the
oldest ones. Does not belong here: its folder (home), definitions, and anything that decides what a
run does.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import sqlalchemy

from orchestration import history, home
from throughline.engine import locks
from throughline.settings import Settings

CLAIMED_WITHIN_SECONDS = 120
LOOKS_EVERY_SECONDS = 20
# A sensor has a minute for all that it does, and a run takes a fifth of a second to forget.
FORGOTTEN_AT_ONCE = 20
_FINISHED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_NEWEST_CHECKS = sqlalchemy.text(
    "select distinct run_id from asset_check_executions where id in ("
    " select max(id) from asset_check_executions"
    " where execution_status in ('SUCCEEDED', 'FAILED') group by asset_key, check_name)"
)
_DELETE_CHECKS = sqlalchemy.text("delete from asset_check_executions where run_id = :run_id")


def _without_waiting(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("pragma synchronous = off")


def quicken_history() -> None:
    """Let this process write Dagster's history without waiting for the disk at each event.

    A refresh writes some 600 events, each a transaction or two; at 25 ms for each on a busy disk
    that is half a minute. A killed process loses nothing by it; a power failure may damage the
    history, and then the next run mends it (history). The warehouse is DuckDB's and not affected.
    """
    if not sqlalchemy.event.contains(sqlalchemy.Engine, "connect", _without_waiting):
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _without_waiting)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that the user interface shows too; a damaged history is put aside first."""
    quicken_history()
    folder = home.prepare(settings)
    try:
        return _open_and_read(folder)
    except (sqlalchemy.exc.DatabaseError, sqlite3.DatabaseError) as error:
        # What a user has configured is the user's to mend.
        is_damaged = "malformed" in str(error) or "not a database" in str(error)
        if not is_damaged or home.is_own(settings):
            raise
    history.put_aside(settings, folder)
    return _open_and_read(home.prepare(settings))


def _open_and_read(folder: Path) -> dg.DagsterInstance:
    instance = dg.DagsterInstance.from_config(str(folder))
    instance.get_runs(limit=1)
    instance.get_latest_materialization_event(dg.AssetKey(["published", "throughline"]))
    return instance


def end_dead_runs(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Cancel the runs whose process is gone, and free their places in the pools.

    Dagster's own monitoring ends no run that has started: its launcher cannot ask after the process
    of one, and a run that stays in its list blocks the daemon's queue for ever. Life is judged by a
    kernel lock that each run holds, so a run that is merely slow is never touched. A run takes its
    lock in the moment in which it starts (defs/resources.py): one that has none long after has lost
    its process in between.

    Returns:
        The ids of the runs that were ended.
    """
    ended = []
    for run_id in [*locks.dead_runs(settings), *_never_claimed(settings, instance)]:
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_canceled(run, message="Its process is gone: ended by another one.")
            ended.append(run_id)
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        locks.forget_dead(settings, run_id)
    _free_places(instance)
    return ended


def _free_places(instance: dg.DagsterInstance) -> None:
    """Free the places in the pools of runs that have ended, or that the history does not know.

    A run frees its place when a step ends. It cannot where the disk is full, and a loss of power
    may undo it, or the record of the run; whoever asks for the place would wait for ever.
    """
    events = instance.event_log_storage
    for pool in events.get_concurrency_keys():
        found = events.get_concurrency_info(pool)
        for run_id in found.active_run_ids | found.pending_run_ids:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                events.free_concurrency_slots_for_run(run_id)


@contextmanager
def ending_dead_runs(
    settings: Settings, instance: dg.DagsterInstance, seconds: float = LOOKS_EVERY_SECONDS
) -> Iterator[None]:
    """End dead runs now and then while this process works.

    A run of the daemon whose process tree is killed holds the place that this one waits for.
    """
    done = threading.Event()

    def look() -> None:
        while not done.wait(seconds):
            end_dead_runs(settings, instance)

    thread = threading.Thread(target=look, name="ending dead runs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _never_claimed(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    return [
        record.dagster_run.run_id
        for record in instance.get_run_records(started)
        if record.start_time is not None
        and time.time() - record.start_time > CLAIMED_WITHIN_SECONDS
        and not locks.is_claimed(settings, record.dagster_run.run_id)
    ]


def is_busy(instance: dg.DagsterInstance) -> bool:
    """Whether another run is on."""
    started = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return instance.get_runs_count(dg.RunsFilter(statuses=started)) > 0


def forget_old_runs(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Delete finished runs beyond the newest `RUNS_KEPT`, oldest first, a limited number at once.

    A run that holds the newest materialization of an asset, or the newest result of a check, stays
    however old it is: the interface shows it.

    Returns:
        The ids of the runs that were deleted, with their events.
    """
    if instance.get_runs_count() <= settings.runs_kept:
        return []
    old = [
        record.dagster_run.run_id
        for record in instance.get_run_records()[settings.runs_kept :]
        if record.dagster_run.status in _FINISHED
    ]
    shown = _shown(instance) if old else set()
    forgotten = [run_id for run_id in reversed(old) if run_id not in shown][:FORGOTTEN_AT_ONCE]
    for run_id in forgotten:
        _forget(instance, run_id)
    return forgotten


def _shown(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold what the interface shows of an asset or a check."""
    found = set()
    for record in instance.get_asset_records():
        entry = record.asset_entry
        for event in (entry.last_materialization_record, entry.last_observation_record):
            if event is not None:
                found.add(event.run_id)
    if not _is_ours(instance):
        return found
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        found.update(run_id for (run_id,) in connection.execute(_NEWEST_CHECKS))
    return found


def _is_ours(instance: dg.DagsterInstance) -> bool:
    """Whether the history is in this project's files, one for each run, and not in a user's."""
    return hasattr(instance.event_log_storage, "path_for_shard")


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    """Everything of a run; the run itself last, so that half a deletion is taken up again."""
    if not _is_ours(instance):
        instance.delete_run(run_id)
        return
    events = instance.event_log_storage
    shard = Path(events.path_for_shard(run_id))  # type: ignore[attr-defined]
    if shard.exists():
        events.delete_events(run_id)
    # What Dagster leaves: the results of checks, the emptied file of the events, captured output.
    with events.index_connection() as connection:  # type: ignore[attr-defined]
        connection.execute(_DELETE_CHECKS, {"run_id": run_id})
    history.remove(shard)
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
    instance.run_storage.delete_run(run_id)
