"""The logs of the server and of Dagster go to files that rotate, where the settings say so."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration import cli, log_writer
from serving import __main__ as server
from throughline.engine import log_files
from throughline.settings import (
    REPOSITORY,
    ServingSettings,
    SettingError,
    load_serving_settings,
    load_settings,
)


@pytest.fixture
def rotating(tmp_path: Path) -> dict[str, str]:
    return {"LOG_DIR": str(tmp_path / "logs"), "LOG_FILE_SIZE": "1KB", "LOG_FILES": "3"}


@contextmanager
def _of_its_own() -> Iterator[logging.Logger]:
    """The root logger without the handlers of pytest, as a process of its own has it."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    root.handlers = []
    try:
        yield root
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers = before
        root.setLevel(level)


def _lines(folder: str, name: str) -> tuple[list[str], list[int]]:
    files = sorted(Path(folder).glob(f"{name}.log*"), reverse=True)
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return lines, [file.stat().st_size for file in files]


def test_the_server_logs_to_files_of_the_size_and_number_that_are_set(
    rotating: dict[str, str],
) -> None:
    with _of_its_own():
        server.log(load_serving_settings(rotating))
        for number in range(200):
            logging.getLogger("throughline.serving").info("line %s", number)
    lines, sizes = _lines(rotating["LOG_DIR"], "serve")
    assert lines[-1].endswith("INFO line 199")
    assert len(sizes) == 3
    assert max(sizes) <= 1000
    # The newest lines are there, without a gap.
    numbers = [int(line.rsplit(" ", 1)[1]) for line in lines]
    assert numbers == list(range(200 - len(numbers), 200))


def test_without_the_setting_the_server_logs_to_standard_error() -> None:
    settings: ServingSettings = load_serving_settings({})
    assert log_files.rotating(settings, "serve") is None
    with _of_its_own() as root:
        server.log(settings)
        [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert not isinstance(handler, logging.FileHandler)


def test_what_a_command_prints_comes_to_its_log_to_the_last_word(rotating: dict[str, str]) -> None:
    """As `throughline ui` does before it becomes Dagster: the process itself is another then."""
    code = (
        "import os, sys; from orchestration import log_writer;"
        " from throughline.settings import load_settings;"
        " print('before'); log_writer.take_over(load_settings(), 'ui');"
        " os.execv(sys.executable, [sys.executable, '-c', "
        "\"import sys; [print('line', n, flush=True) for n in range(500)];"
        " print('last words', file=sys.stderr)\"])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, **rotating},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # Its output ends when the writer has: nobody else has it open then.
    assert (done.stdout, done.stderr) == ("before\n", "")
    lines, sizes = _lines(rotating["LOG_DIR"], "ui")
    assert lines[-2:] == ["line 499", "last words"]
    assert len(sizes) == 3
    assert max(sizes) <= 1000


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    settings = load_settings({"LOG_DIR": str(tmp_path / "file")})
    with pytest.raises(SettingError, match=r"^LOG_DIR='.*/file' cannot be written"):
        log_writer.take_over(settings, "ui")


def test_the_units_call_commands_that_are_there() -> None:
    units = sorted((REPOSITORY / "docs" / "service").iterdir())
    page = (REPOSITORY / "docs" / "service.md").read_text(encoding="utf-8")
    called = {
        word
        for unit in units
        for word in re.findall(r"bin/throughline (\S+)", unit.read_text(encoding="utf-8"))
    }
    assert called == {"run", "ui", "serve", "backup"}
    commands = {
        command.name or getattr(command.callback, "__name__", "")
        for command in cli.app.registered_commands
    }
    assert called <= commands
    # Each timer starts the service of its name.
    names = {unit.name for unit in units}
    assert {name.replace(".timer", ".service") for name in names} <= names
    assert [name for name in names if name.endswith(".timer") and name not in page] == []
