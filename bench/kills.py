"""`make bench ARGS="--kills 200"`: whole runs that are killed at any moment, one after the other.

Belongs here: killing, and looking at what a killed run leaves. Does not belong here: any number.
The small form of it, at chosen moments, is tests/orchestration/test_kills.py.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.instance import open_instance
from throughline.engine import is_held
from throughline.landing.registry import TABLES
from throughline.settings import REPOSITORY, Settings

CONTACTS_PER_FILE = 50
LET_GO_SECONDS = 10
_HEADER = "contact_id,started_at,ended_at,agent_id,agent_kind,conversation_ref\n"


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        kills: runs that were killed before they ended.
        ended: runs that had ended before their kill came.
        faults: what was wrong afterwards, and after which run; nothing is good.
    """

    kills: int
    ended: int
    faults: tuple[str, ...]


def land(settings: Settings, number: int) -> int:
    """Write the nth log file. Gives the contacts in it."""
    folder = settings.landing_dir / "shop" / "contacts"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{number}-{index},2026-11-01T10:{index:02}:00Z,2026-11-01T11:{index:02}:00Z,"
        f"agent{index % 7},human,{number}-{index // 2}\n"
        for index in range(CONTACTS_PER_FILE)
    ]
    draft = folder / f".{number}.csv"
    draft.write_text(_HEADER + "".join(lines), encoding="utf-8")
    draft.replace(folder / f"{number}.csv")
    return CONTACTS_PER_FILE


def start(settings: Settings) -> subprocess.Popen[str]:
    """A run in a process group of its own, which is killed as one."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration", "run"],
        cwd=REPOSITORY,
        # The kills are meant for the pipeline, not for its copies of the log.
        env={**os.environ, **settings.environment(), "SCHEDULED_EXPORTS": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill a run with all that it started. Gives whether it was still on."""
    was_on = process.poll() is None
    if was_on:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return was_on


def faults(settings: Settings, landed: int | None = None) -> list[str]:
    """What is wrong with what lies in the warehouse's folder while no run is on.

    Args:
        settings: where it is.
        landed: the contacts that must have been published, when a run has just ended well.
    """
    found = [*_published_faults(settings, landed), *_raw_faults(settings)]
    if landed is not None:
        with open_instance(settings) as instance:
            found += [
                f"run {run.run_id} is left as {run.status.value}"
                for run in instance.get_runs()
                if not run.is_finished
            ]
            claims = instance.event_log_storage.get_concurrency_info("duckdb")
            if claims.active_slot_count:
                found.append("a place in the pool is left taken")
        left = [path.name for path in settings.published_dir.glob(".*")]
        found += [f"{name} is left in the published folder" for name in left]
    return found


def _published_faults(settings: Settings, landed: int | None) -> list[str]:
    manifest = settings.published_dir / "manifest.json"
    if not manifest.exists():
        return [] if landed is None else ["nothing is published"]
    promised = json.loads(manifest.read_bytes())
    with duckdb.connect(
        str(settings.published_dir / promised["database"]["path"]), read_only=True
    ) as connection:
        found = [
            f"{model['schema']}.{model['name']} has not the rows that the manifest promises"
            for model in promised["models"]
            if connection.execute(
                f'select count(*) from "{model["schema"]}"."{model["name"]}"'  # noqa: S608
            ).fetchone()
            != (model["row_count"],)
        ]
        row = connection.execute(
            "select count(*), count(distinct contact_id) from marts.contacts"
        ).fetchone()
    assert row is not None
    if row[0] != row[1] or (landed is not None and row[0] != landed):
        found.append(f"{row[0]} contacts are published, {row[1]} different, {landed} landed")
    return found


def _raw_faults(settings: Settings) -> list[str]:
    if not settings.warehouse_file.exists():
        return []
    with _let_go(settings.warehouse_file) as connection:
        try:
            row = connection.execute(
                "select (select count(*) from raw.contacts),"
                " (select coalesce(sum(rows_loaded), 0) from raw.loads where log = 'contacts'),"
                " (select count(*) from raw.loads),"
                " (select count(distinct (source, log, content_sha256)) from raw.loads)"
            ).fetchone()
        except duckdb.CatalogException:
            # Killed before there was a table.
            return []
    assert row is not None
    rows, promised, loads, contents = row
    found = []
    if rows != promised:
        found.append(f"{rows} contacts are in the raw table, {promised} in the ledger of loads")
    if loads != contents:
        found.append(f"{loads} loads of {contents} files")
    return found


def _let_go(file: Path) -> duckdb.DuckDBPyConnection:
    """Open a file that the last process of a killed run lets go of a moment after the first."""
    deadline = time.monotonic() + LET_GO_SECONDS
    while True:
        try:
            return duckdb.connect(str(file), read_only=True)
        except duckdb.IOException as error:
            if not is_held(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def run_trial(settings: Settings, kills: int, *, seed: int, tell: Callable[[str], None]) -> Trial:
    """Kill that many runs, each at a random moment, each with a new file to load; end with two
    runs that nobody kills.

    Args:
        settings: an empty landing zone and warehouse.
        kills: how many runs are started to be killed.
        seed: of the moments.
        tell: called with a line now and then.
    """
    moments = random.Random(seed)
    found: list[str] = []
    landed = land(settings, 0)
    began = time.monotonic()
    found += _ended_well(settings, landed, "the first run")
    whole = time.monotonic() - began
    killed = ended = 0
    for number in range(1, kills + 1):
        landed += land(settings, number)
        process = start(settings)
        moment = moments.uniform(0, whole * 1.05)
        deadline = time.monotonic() + moment
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if kill(process):
            killed += 1
        else:
            ended += 1
        after = f"after kill {number} at {moment:.2f} s of {whole:.1f}"
        found += [f"{after}: {fault}" for fault in faults(settings)]
        if number % 10 == 0:
            tell(f"{number} of {kills} runs, {len(found)} faults")
    found += _ended_well(settings, landed, "the run after all kills")
    found += _ended_well(settings, landed, "the run with nothing new")
    return Trial(killed, ended, tuple(found))


def _ended_well(settings: Settings, landed: int, which: str) -> list[str]:
    process = start(settings)
    said, _ = process.communicate()
    if process.returncode != 0:
        return [f"{which} ended with status {process.returncode}: {said[-2000:]}"]
    return [f"{which}: {fault}" for fault in faults(settings, landed)]


def main(folder: Path, kills: int, memory_limit: str, tell: Callable[[str], None]) -> bool:
    """Run the trial in a folder, and print what came of it. Gives whether all was well."""
    from bench.pipeline import settings_of

    registry = folder / "registry"
    registry.mkdir(parents=True)
    for table in TABLES:
        header = ",".join(table.columns) + "\n"
        (registry / table.file).write_text(header, encoding="utf-8")
    (folder / "landing").mkdir()
    settings = settings_of(folder / "landing", folder / "warehouse", registry, memory_limit, 1)
    seed = random.SystemRandom().randrange(1_000_000)
    trial = run_trial(settings, kills, seed=seed, tell=tell)
    print(f"{trial.kills} runs killed, {trial.ended} had ended before; seed {seed}")
    for fault in trial.faults:
        print(f"  FAULT {fault}")
    print("every file is whole, and loaded once" if not trial.faults else "FAILED")
    return not trial.faults
