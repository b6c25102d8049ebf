"""docs/walk.md: every command works on the sample and says what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from throughline.settings import REPOSITORY, load_settings

PAGE = REPOSITORY / "docs" / "walk.md"
# The commands of a step, and what they say where the page shows it.
STEP = re.compile(r"```sh\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.S)
DEFINITION, *STEPS = STEP.findall(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def walked(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the warehouse: dbt notes that it was there, and the other one is shared."""
    copy = tmp_path_factory.mktemp("walked") / "warehouse"
    shutil.copytree(warehouse, copy, ignore=shutil.ignore_patterns("dagster", "logs"))
    return copy


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
@pytest.mark.parametrize("step", STEPS, ids=range(1, len(STEPS) + 1))
def test_each_step_of_the_walk_says_what_the_page_shows(
    step: tuple[str, str], walked: Path, server: str
) -> None:
    commands, shown = step
    script = DEFINITION[0] + commands
    for written, here in (
        (".venv/bin/", f"{Path(sys.executable).parent}/"),
        (".warehouse/", f"{walked}/"),
        ("http://127.0.0.1:8000", server),
    ):
        script = script.replace(written, here)
    settings = load_settings({"WAREHOUSE_DIR": str(walked)})
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=REPOSITORY,
        # As `make setup` leads a bare dbt to its project, whatever is set up where this runs.
        env={**os.environ, **settings.environment(), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert said
    for line in shown.splitlines():
        assert " ".join(line.split()) in said, done.stdout


def test_the_walk_is_one_screen_and_every_step_shows_something() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 90
    assert len(STEPS) == 6
    assert all(shown for _, shown in STEPS)
