"""`make bench ARGS="--kills 200"`: whole runs that end in any way, at any moment.

Belongs here: ending them, and looking at what each leaves. Does not belong here: any number; the
disk that is filled and loses its power (disks).
The small form of it, at chosen moments, is tests/orchestration/test_kills.py.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import duckdb

from bench import disks, pipeline
from bench.cases import empty_registry
from bench.deliveries import World, write_delivery
from bench.refreshes import SAYS, differences
from orchestration.instance import open_instance
from seeds.generator.__main__ import SEED, committed_sample_period
from seeds.generator.volume import Volume, write_volume
from throughline.engine import is_held
from throughline.settings import REPOSITORY, Settings

LET_GO_SECONDS = 10
# A run that was asked to end, or whose disk is full, must have ended by then.
END_SECONDS = 120
# So many contacts at first that a delivery is a small part of them, with old ones to make one.
FIRST = 20_000
DELIVERED = 50
MESSAGES_PER_CONTACT = 2
REBUILDS_PER_CENT = 25
# Runs between two comparisons with a rebuild.
COMPARED_AFTER = 50
# Free bytes on a disk that is filled: from nothing to what a run may just get by with.
MOST_LEFT = 60_000_000

Tell = Callable[[str], None]


@dataclass
class Trial:
    """What came of it.

    Attributes:
        ends: runs by what they did and how they ended.
        good: runs that nobody disturbed.
        compared: times that what stood was compared with a rebuild.
        faults: what was wrong, and after which run; nothing is good.
    """

    ends: Counter[str] = field(default_factory=Counter)
    good: int = 0
    compared: int = 0
    faults: list[str] = field(default_factory=list)


def start(
    settings: Settings, command: str = "run", said: IO[str] | int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """A run in a process group of its own, which is killed as one."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration", command],
        cwd=REPOSITORY,
        # The kills are meant for the pipeline, not for its copies of the log.
        env={**os.environ, **settings.environment(), "SCHEDULED_EXPORTS": "off"},
        stdout=said,
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


class _Trials:
    """One warehouse, and run after run over it."""

    def __init__(
        self, settings: Settings, world: World, disk: disks.Disk | None, seed: int, tell: Tell
    ) -> None:
        self._settings = settings
        self._world = world
        self._disk = disk
        self._tell = tell
        self._chance = random.Random(seed)
        self._delivered = 0
        self._ids: set[tuple[str, str]] = set()
        # How long whole runs of each command took last.
        self._seconds = {"run": 0.0, "rebuild": 0.0}
        self.trial = Trial()
        self._ways: dict[str, Callable[[subprocess.Popen[str]], bool]] = {
            "killed": kill,
            "hung up": self._hang_up,
            "asked to end": self._terminate,
        }
        if disk is not None:
            self._ways |= {"disk full": self._fill, "power lost": self._lose_power}

    def _deliver(self) -> None:
        write_delivery(self._world, self._delivered, self._settings.landing_dir)
        self._delivered += 1

    def _landed(self) -> int:
        return self._world.first.contacts + self._delivered * self._world.contacts

    def _wrong(self, after: str, found: list[str]) -> None:
        for fault in found:
            self._tell(f"FAULT {after}: {fault}")
            self.trial.faults.append(f"{after}: {fault}")

    def disturb(self) -> None:
        """Deliver, and end the run over it in some way at some moment."""
        self._deliver()
        command = "rebuild" if self._chance.randrange(100) < REBUILDS_PER_CENT else "run"
        way = self._chance.choice(sorted(self._ways))
        moment = self._chance.uniform(0, self._seconds[command] * 1.05)
        # Not on the disk, which could not lose its power while it is open.
        with (self._settings.landing_dir.parent / "disturbed.log").open("w+") as said:
            process = start(self._settings, command, said)
            deadline = time.monotonic() + moment
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            was_on = self._ways[way](process)
            said.seek(0)
            doing = _doing(command, said.read())
        self.trial.ends[f"{doing}, {way if was_on else 'ended before'}"] += 1
        after = f"after a {doing} {way} at {moment:.2f} s, delivery {self._delivered}"
        self._wrong(after, faults(self._settings))

    def end_well(self, which: str, command: str = "run", *, delivers: bool = False) -> None:
        """Run undisturbed, and look at everything."""
        if delivers:
            self._deliver()
        began = time.monotonic()
        process = start(self._settings, command)
        said, _ = process.communicate()
        self._seconds[command] = time.monotonic() - began
        self.trial.good += 1
        if process.returncode != 0:
            self._wrong(which, [f"ended with status {process.returncode}: {said[-2000:]}"])
            return
        self._wrong(which, faults(self._settings, self._landed()))
        ids = set(_asked(self._settings, "select source, id from marts.conversation_ids"))
        self._wrong(which, [f"{lost} leads nowhere now" for lost in sorted(self._ids - ids)[:4]])
        self._ids = ids

    def compare(self, folder: Path) -> None:
        """Compare what stands with a rebuild of it."""
        self.end_well("the run before a comparison")
        refreshed = folder / "refreshed.duckdb"
        shutil.copyfile(self._settings.published_file, refreshed)
        self.end_well("a rebuild to compare with", "rebuild")
        _, _, found = differences(refreshed, self._settings.published_file)
        self._wrong("compared with a rebuild", [str(one) for one in found])
        self.trial.compared += 1

    # --- the ways to end a run; each gives whether it was still on

    def _hang_up(self, process: subprocess.Popen[str]) -> bool:
        # A terminal that is closed tells all that run in it.
        return self._asked_to_end(process, lambda: os.killpg(process.pid, signal.SIGHUP))

    def _terminate(self, process: subprocess.Popen[str]) -> bool:
        return self._asked_to_end(process, process.terminate)

    def _asked_to_end(self, process: subprocess.Popen[str], ask: Callable[[], None]) -> bool:
        if process.poll() is not None:
            return False
        ask()
        self._has_ended(process)
        return True

    def _has_ended(self, process: subprocess.Popen[str]) -> None:
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._wrong("a run that should end", [f"it is still on after {END_SECONDS} s"])
        kill(process)

    def _fill(self, process: subprocess.Popen[str]) -> bool:
        assert self._disk is not None
        if process.poll() is not None:
            return False
        self._disk.fill(self._chance.randrange(MOST_LEFT))
        self._has_ended(process)
        self._disk.empty()
        # With just enough room it ends well.
        return process.returncode != 0

    def _lose_power(self, process: subprocess.Popen[str]) -> bool:
        assert self._disk is not None
        self._disk.cut()
        was_on = kill(process)
        with _let_go(self._settings.warehouse_file):
            pass
        self._disk.lose_power()
        return was_on


def _doing(command: str, said: str) -> str:
    """What a run was at, by its words."""
    if command == "rebuild":
        return "rebuild"
    if SAYS in said:
        return "refresh"
    return "full build" if "Everything is built" in said else "run before its plan"


def _asked(settings: Settings, query: str) -> list[tuple[str, str]]:
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def run_trial(
    settings: Settings,
    world: World,
    disk: disks.Disk | None,
    kills: int,
    *,
    seed: int,
    tell: Tell,
) -> Trial:
    """Disturb that many runs, each over a new delivery, with an undisturbed one after most.

    What a killed run built is built anew; so that refreshes are killed as well as those, every
    other disturbed run follows one that ended well.

    Args:
        settings: a landing zone with the first logs, and no warehouse.
        world: the first logs, and the deliveries.
        disk: that the warehouse lies on, where it has one of its own.
        kills: how many runs are disturbed.
        seed: of the ways and moments.
        tell: called with a line now and then.
    """
    trials = _Trials(settings, world, disk, seed, tell)
    trials.end_well("the first run")
    trials.end_well("the first rebuild", "rebuild")
    trials.end_well("the first refresh", delivers=True)
    for number in range(1, kills + 1):
        trials.disturb()
        if number % 2 == 0:
            trials.end_well(f"the run after {number} disturbed ones", delivers=True)
        if number % COMPARED_AFTER == 0 or number == kills:
            trials.compare(settings.landing_dir.parent)
        if number % 10 == 0:
            tell(f"{number} of {kills} runs, {len(trials.trial.faults)} faults")
    trials.end_well("the run with nothing new")
    return trials.trial


@contextmanager
def _a_disk(folder: Path) -> Iterator[disks.Disk | None]:
    if reason := disks.why_not():
        print(f"no disk is filled and none loses its power: {reason}")
        yield None
        return
    with disks.disk(folder) as found:
        yield found


def main(folder: Path, kills: int, memory_limit: str, tell: Tell) -> bool:
    """Run the trial in a folder, and print what came of it. Gives whether all was well."""
    world = World(
        Volume(
            contacts=FIRST,
            messages_per_contact=MESSAGES_PER_CONTACT,
            period=committed_sample_period(),
            seed=SEED,
            shape=None,
            source="volume",
            threads=1,
        ),
        DELIVERED,
        2 * kills + 1,
    )
    write_volume(world.first, folder / "landing", folder / "truth", lambda _: None)
    seed = random.SystemRandom().randrange(1_000_000)
    with _a_disk(folder) as disk:
        settings = pipeline.settings_of(
            folder / "landing",
            (disk.root if disk is not None else folder) / "warehouse",
            empty_registry(folder / "registry"),
            memory_limit,
            1,
        )
        trial = run_trial(settings, world, disk, kills, seed=seed, tell=tell)
    print(f"{kills} runs disturbed, {trial.good} not; seed {seed}")
    for end, number in sorted(trial.ends.items()):
        print(f"  {number:4} {end}")
    if trial.faults:
        print(f"FAILED: {len(trial.faults)} faults")
    else:
        print("every file is whole, and loaded once, and every id leads where it led")
        print(f"equal to a rebuild, {trial.compared} times")
    return not trial.faults
