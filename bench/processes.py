"""Running a program and measuring what it cost: wall time, processor time, memory.

Belongs here: processes, their descendants and /proc. Does not belong here: what the program does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Cost:
    """What a program cost, its descendants included.

    Attributes:
        wall_seconds: from start to end.
        cpu_seconds: user and system time.
        peak_bytes: the most memory that all processes held at once, shared pages counted once
            (PSS); read whenever the resident size reaches a new peak.
        status: the exit status; None when the program was stopped at its time limit.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    status: int | None


class ProgramError(RuntimeError):
    """A measured program ended with an error; the message holds the last lines of its output."""


def run(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    limit_seconds: float | None = None,
    may_fail: bool = False,
) -> Cost:
    """Run a program to its end, or stop it at a time limit.

    Args:
        command: the program and its arguments.
        log: receives what it prints, appended.
        cwd: its working directory.
        environment: variables on top of this process's own.
        limit_seconds: stop it, with all its descendants, after this time.
        may_fail: a failure is a result as well.

    Raises:
        ProgramError: its exit status is not 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            cost = _watch(process, began, limit_seconds)
        except BaseException:
            _stop(process)
            raise
    if cost.status not in (0, None) and not may_fail:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
        raise ProgramError(f"{' '.join(command)} ended with status {cost.status}:\n{tail}")
    return cost


def memory_of_family(pid: int) -> int:
    """Bytes that a process and its descendants hold now, shared pages counted once (PSS)."""
    return sum(_proportional_bytes(member) for member in _descendants(pid))


def _watch(process: subprocess.Popen[bytes], began: float, limit: float | None) -> Cost:
    highest = peak = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        family = _descendants(process.pid)
        resident = sum(_resident_bytes(member) for member in family)
        if resident > highest * 1.01:
            highest = resident
            peak = max(peak, sum(_proportional_bytes(member) for member in family))
        if limit is not None and time.monotonic() - began > limit:
            _stop(process)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
            return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, peak, None)
        time.sleep(SAMPLE_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        wall_seconds=time.monotonic() - began,
        # Of the process and of all its descendants that were waited for.
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=peak,
        status=process.returncode,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and whatever it started: they share a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _descendants(root: int) -> list[int]:
    """The process and its descendants, from one look at /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in parentheses may hold anything; the parent is the second field after it.
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    family, waiting = [], [root]
    while waiting:
        member = waiting.pop()
        family.append(member)
        waiting.extend(children.get(member, ()))
    return family


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _proportional_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return _resident_bytes(pid)
