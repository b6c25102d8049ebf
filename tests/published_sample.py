"""The published sample: one warehouse for all workers, filled by `throughline run`.

Belongs here: running the command over a landing zone, and the sample that it published. Does not
belong here: expectations of any kind.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from throughline.settings import REPOSITORY, load_settings

_SAMPLE = REPOSITORY / "seeds" / "sample_logs"
_ELSEWHERE = "PUBLISHED_SAMPLE"


@dataclass(frozen=True)
class PublishedSample:
    """A warehouse folder that nobody may change, and what the run said that left it."""

    folder: Path
    said: str


def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> PublishedSample:
    """The sample, published by whichever worker asks first, with the copies of its log.

    Published twice, first without the transfers: those that come later merge conversations, so that
    there are former ids. `PUBLISHED_SAMPLE` names a warehouse in which something else published the
    sample in that way (tests/spark).
    """
    if elsewhere := os.environ.get(_ELSEWHERE):
        return PublishedSample(Path(elsewhere), "")
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder, landing = shared / "sample", shared / "sample-landing"
    said = shared / "sample.said"
    with (shared / "sample.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            without_transfers(landing)
            publish(landing, folder)
            with_transfers(landing)
            told = publish(landing, folder, exports="on")
            said.write_text(told, encoding="utf-8")
    return PublishedSample(folder, said.read_text(encoding="utf-8"))


def need_tables() -> None:
    """Skip a test that changes tables of the published file where it may have views instead."""
    if os.environ.get(_ELSEWHERE):
        pytest.skip("what Spark published may have views in the place of tables")


def without_transfers(landing: Path) -> None:
    """Write the sample's logs but for the transfers."""
    shutil.copytree(_SAMPLE, landing, ignore=shutil.ignore_patterns("transfers"))


def with_transfers(landing: Path) -> None:
    """Write the transfers as well."""
    shutil.copytree(_SAMPLE, landing, dirs_exist_ok=True)


def publish(
    landing: Path,
    folder: Path,
    *,
    command: str = "run",
    exports: str = "off",
    tell: Callable[[str], object] = lambda line: None,
    **more: str,
) -> str:
    """Run the pipeline over a landing zone into a warehouse folder. Gives what it said.

    Args:
        landing: the landing zone.
        folder: the warehouse.
        command: `run` or `rebuild`.
        exports: whether the log is copied too, `on` or `off`.
        tell: called with each line as it comes.
        more: further settings, as their variables.
    """
    given = {"LANDING_DIR": str(landing), "WAREHOUSE_DIR": str(folder), **more}
    settings = load_settings(given)
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "orchestration", command],
        cwd=REPOSITORY,
        # All settings: another test may have left some in this process.
        env={**os.environ, **settings.environment(), **given, "SCHEDULED_EXPORTS": exports},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            said.append(line)
            tell(line)
    assert run.returncode == 0, "".join(said)
    return "".join(said)
