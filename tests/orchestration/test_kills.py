"""Whole runs that are killed, that fill their disk, that find an older folder restored.

At chosen moments, and small. The large form, two hundred random kills, is bench/kills.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folders import make_settings

from bench import kills
from orchestration import run
from orchestration.instance import open_instance
from throughline.settings import REPOSITORY, Settings

# What a run says at the moments: half a file loaded, a version half published, models half built.
# The last is one after which there is much to do, so that the kill comes in the middle for certain.
MOMENTS = ("Loading", "Publishing", "of 1", "Building and checking")


CONTACTS_PER_FILE = 50
_HEADER = "contact_id,started_at,ended_at,agent_id,agent_kind,conversation_ref\n"


def _land(settings: Settings, number: int) -> int:
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


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    # Whatever a folder may be called.
    home = tmp_path_factory.mktemp("kills") / "a b'é[c]*;${d}&"
    home.mkdir()
    return make_settings(home, SCHEDULED_EXPORTS="off")


def _kill_at(settings: Settings, moment: str) -> None:
    process = kills.start(settings)
    assert process.stdout is not None
    line = next((line for line in process.stdout if moment in line), None)
    kills.kill(process)
    assert line is not None


def _run(settings: Settings) -> str:
    process = kills.start(settings)
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def survived(settings: Settings) -> tuple[int, str]:
    """Runs killed one after the other, then one that ended: contacts landed, and what it said."""
    landed = 0
    for number, moment in enumerate(MOMENTS):
        landed += _land(settings, number)
        _kill_at(settings, moment)
        assert kills.faults(settings) == [], f"after a kill at {moment!r}"
    return landed, _run(settings)


def test_a_run_after_killed_ones_publishes_all_that_landed_once(
    settings: Settings, survived: tuple[int, str]
) -> None:
    landed, said = survived
    assert kills.faults(settings, landed) == []
    assert re.search(r"Ended run [0-9a-f]{8}, whose process was killed", said)


def test_a_restored_older_folder_is_brought_up_to_date_by_the_next_run(
    settings: Settings,
    survived: tuple[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNS_KEPT", "1")
    landed, _ = survived
    backup = tmp_path / "backup"
    shutil.copytree(settings.warehouse_dir, backup, symlinks=True)
    landed += _land(settings, 100)
    _run(settings)
    assert kills.faults(settings, landed) == []

    shutil.rmtree(settings.warehouse_dir)
    shutil.copytree(backup, settings.warehouse_dir, symlinks=True)
    settings.outgoing_file.write_bytes(b"torn")
    said = _run(settings)
    assert "outgoing.duckdb was damaged: it is built again" in said
    assert "1 new files" in said
    assert kills.faults(settings, landed) == []
    assert "Nothing new" in _run(settings)
    with open_instance(settings) as instance:
        # The newest that was there, and the run that forgot the others.
        assert instance.get_runs_count() == 2


# A folder on a disk of a megabyte, that grows to nine and then to plenty: full before there is a
# history, and in the middle of a build. The mount is seen in this script alone.
ON_A_SMALL_DISK = """
set -u
mount -t tmpfs -o size=1m small "$1" || exit 99
"$2" -m orchestration run
echo "status $?"
mount -o remount,size=9m "$1" || exit 99
"$2" -m orchestration run
echo "status $?"
mount -o remount,size=500m "$1" || exit 99
"$2" -m orchestration run
echo "status $?"
"""


def test_a_full_disk_ends_a_run_with_the_remedy_and_one_with_room_takes_up(tmp_path: Path) -> None:
    unshare = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("a disk of its own needs a mount, which this system does not allow")
    settings = make_settings(tmp_path, SCHEDULED_EXPORTS="off")
    _land(settings, 0)
    settings.warehouse_dir.mkdir()
    done = subprocess.run(
        [*unshare, "sh", "-c", ON_A_SMALL_DISK, "sh", settings.warehouse_dir, sys.executable],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment(), "SCHEDULED_EXPORTS": "off"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode == 99:
        pytest.skip("a disk of its own needs a mount, which this system does not allow")
    statuses = re.findall(r"^status (\d+)", done.stdout, re.M)
    assert statuses == [str(run.FAILED), str(run.FAILED), "0"], said
    assert done.stderr.count(f"The disk of {settings.warehouse_dir} is full. Make room") == 2, said
