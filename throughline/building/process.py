"""dbt's processes: the command, its environment, its log, and the one that may wait for a command.

Belongs here: starting and following dbt. Does not belong here: what it read (manifest), what came
of it (report).
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from throughline.building import command
from throughline.engine import files
from throughline.settings import Settings

# The dbt that this process has waiting for a command (throughline.building.waiting).
waiting: subprocess.Popen[bytes] | None = None


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child process: this one's, with the settings over it."""
    return {**os.environ, **settings.environment()}


def executable(settings: Settings) -> Path:
    """The dbt command, written under WAREHOUSE_DIR so that it runs with this Python."""
    path = settings.warehouse_dir / "dbt" / "dbt"
    # By path, because dbt has a working directory of its own; -P keeps this folder from hiding
    # other people's modules of the same names.
    words = " ".join(
        shlex.quote(word)
        for word in (sys.executable, "-P", str(Path(__file__).with_name("command.py")))
    )
    content = f'#!/bin/sh\nexec {words} "$@"\n'
    files.ensure(path, content, mode=0o755)
    return path


def start(
    settings: Settings,
    arguments: Sequence[str],
    target: Path,
    *,
    apart: bool = False,
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start dbt in a child process that logs JSON to a pipe; `apart` keeps Ctrl-C from it.

    Args:
        settings: where things are.
        arguments: dbt's.
        target: where it writes.
        apart: see above.
        more: variables over those of the settings.
    """
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    (target / "run_results.json").unlink(missing_ok=True)
    return subprocess.Popen(
        [str(executable(settings)), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=settings.dbt_project_dir,
        env={
            **environment(settings),
            **(more or {}),
            "DBT_LOG_FORMAT": "json",
            "DBT_TARGET_PATH": str(target),
            "PYTHONUNBUFFERED": "1",
        },
        start_new_session=apart,
    )


def follow(
    process: subprocess.Popen[bytes],
    on_event: Callable[[Mapping[str, Any]], None],
    until: str | None = None,
) -> int | None:
    """Pass on dbt's log events. Gives its exit status; None when the line `until` came first."""
    plain: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode("utf-8", errors="replace").strip()
            if text == until:
                return None
            try:
                on_event(json.loads(text))
            except ValueError:
                plain.append(text)
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code != 0 and plain:
        # A traceback of dbt itself is no JSON: its last lines say what it was.
        on_event({"info": {"level": "error", "msg": "\n".join(plain[-20:])}, "data": {}})
    return code


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def killed(status: int) -> str | None:
    """By which signal dbt's process was killed; None when it was not.

    A dbt that handed its command over knows only that the one that waited has ended.
    """
    if status == command.UNHANDLED and waiting is not None:
        with suppress(subprocess.TimeoutExpired):
            status = min(status, waiting.wait(timeout=5))
    if status >= 0:
        return None
    number = -status
    known = {one.value: one.name for one in signal.Signals}
    hint = (
        ": the system does so when memory runs out; lower MEMORY_LIMIT, or give the machine more"
        if number == signal.SIGKILL
        else ""
    )
    return f"dbt's process was killed by {known.get(number, f'signal {number}')}{hint}"
