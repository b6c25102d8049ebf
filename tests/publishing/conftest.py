"""Fixtures of the publishing tests: a fake warehouse and its child processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fake_warehouse
import pytest

from throughline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a warehouse at generation 0, not published yet."""
    settings = fake_warehouse.settings_of(tmp_path / "warehouse")
    fake_warehouse.build(settings, 0)
    return settings


@pytest.fixture
def child() -> Iterator[fake_warehouse.Child]:
    """Starts a function of `fake_warehouse` in a process of its own; all are gone at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str, settings: Settings, *numbers: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                fake_warehouse.__file__,
                command,
                str(settings.warehouse_dir),
                *map(str, numbers),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
