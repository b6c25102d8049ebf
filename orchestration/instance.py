"""Dagster's instance under WAREHOUSE_DIR: its folder, its configuration, its health.

Belongs here: preparing DAGSTER_HOME and ending the runs that a killed process left behind.
Does not belong here: definitions, and anything that decides what a run does.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy

from orchestration import locks
from orchestration.settings import REPOSITORY, Settings

ENGINES_KEPT = 8
_engines: dict[tuple[str, str], sqlalchemy.Engine] = {}

TEMPLATE = Path(__file__).with_name("dagster.yaml")
WORKSPACE = f"""\
load_from:
  - python_module:
      module_name: orchestration.definitions
      location_name: throughline
      working_directory: {json.dumps(str(REPOSITORY))}
"""


def prepare_home(settings: Settings) -> Path:
    """Create DAGSTER_HOME with this project's configuration. Gives the folder. Idempotent."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("dagster.yaml", TEMPLATE.read_text(encoding="utf-8")),
        ("workspace.yaml", WORKSPACE),
    ):
        target = home / name
        if not target.exists() or target.read_text(encoding="utf-8") != content:
            draft = target.with_suffix(f".{os.getpid()}")
            draft.write_text(content, encoding="utf-8")
            draft.replace(target)
    return home


def _without_waiting(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("pragma synchronous = off")


def quicken_history() -> None:
    """Let this process write Dagster's history without waiting for the disk at each event.

    A refresh writes some 600 events, each a transaction or two; at 25 ms for each on a busy disk
    that is half a minute. A killed process loses nothing by it; a power failure may damage the
    history, and then `open_instance` puts it aside. The warehouse is DuckDB's and not affected.
    """
    if not sqlalchemy.event.contains(sqlalchemy.Engine, "connect", _without_waiting):
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _without_waiting)


def _keep_engines(instance: dg.DagsterInstance) -> None:
    """Let Dagster's history use SQLAlchemy's engines again.

    It makes one for each event, and with it every statement anew: a third of the time that storing
    an event takes. An engine keeps no connection open between two events. Should Dagster come to
    make its engines elsewhere, only that time is lost.
    """
    for storage in (instance.event_log_storage, instance.run_storage):
        module = sys.modules[type(storage).__module__]
        if hasattr(module, "create_engine"):
            module.create_engine = _engine_of  # type: ignore[attr-defined]


def _engine_of(url: str, **options: Any) -> sqlalchemy.Engine:
    """What `sqlalchemy.create_engine` gives, the same for the same arguments."""
    key = (url, repr(sorted(options.items())))
    if key not in _engines:
        # A process that looks at many runs opens a file for each.
        if len(_engines) >= ENGINES_KEPT:
            _engines.pop(next(iter(_engines)), None)
        _engines[key] = sqlalchemy.create_engine(url, **options)
    return _engines[key]


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that the user interface shows too; a damaged history is put aside first."""
    quicken_history()
    home = prepare_home(settings)
    try:
        return _open_and_read(home)
    except (sqlalchemy.exc.DatabaseError, sqlite3.DatabaseError) as error:
        if "malformed" not in str(error) and "not a database" not in str(error):
            raise
    home.rename(home.with_name(f"{home.name}-damaged-{time.strftime('%Y%m%dT%H%M%S')}"))
    return _open_and_read(prepare_home(settings))


def _open_and_read(home: Path) -> dg.DagsterInstance:
    instance = dg.DagsterInstance.from_config(str(home))
    _keep_engines(instance)
    instance.get_runs(limit=1)
    instance.get_latest_materialization_event(dg.AssetKey(["published", "throughline"]))
    return instance


def end_dead_runs(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Cancel the runs whose process is gone, and free their places in the pools.

    Dagster's own run monitoring only watches the runs that its daemon launched, and only while the
    daemon runs; a place in a pool that a killed `make run` held would stay taken for ever. Life is
    judged by a kernel lock that each run holds, so a run that is merely slow is never touched.

    Returns:
        The ids of the runs that were ended.
    """
    ended = []
    for run_id in locks.dead_runs(settings):
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_canceled(run, message="Its process is gone: ended by the next run.")
            ended.append(run_id)
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        locks.forget_dead(settings, run_id)
    return ended


def is_busy(instance: dg.DagsterInstance) -> bool:
    """Whether another run is on."""
    started = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return instance.get_runs_count(dg.RunsFilter(statuses=started)) > 0
