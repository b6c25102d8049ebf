"""Kernel file locks: who may write the warehouse, and whether a run is still alive.

Belongs here: the advisory locks under `WAREHOUSE_DIR/locks`. The kernel releases them with the
process that holds them, however it ends, so a killed run never leaves one behind.
Does not belong here: Dagster's pools (they only queue steps) and DuckDB's own file lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from throughline.engine import files
from throughline.settings import Settings

POLL_SECONDS = 0.2
CLAIM_SECONDS = 2


class LockTimeout(TimeoutError):  # noqa: N818 (as TimeoutExpired, it says it all)
    """Another process kept a lock for longer than this one was ready to wait."""


def _path(settings: Settings, name: str) -> Path:
    return settings.warehouse_dir / "locks" / f"{name}.lock"


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def held(
    settings: Settings,
    name: str,
    *,
    wait_seconds: float,
    on_wait: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold the lock `name` while the body runs. Not re-entrant.

    Args:
        settings: says where the warehouse is.
        name: the lock, for example `warehouse`.
        wait_seconds: how long to wait for another holder.
        on_wait: called once, when the lock is not free at once.

    Raises:
        LockTimeout: the lock was not free within `wait_seconds`.
    """
    descriptor = _open(_path(settings, name))
    try:
        deadline = time.monotonic() + wait_seconds
        waited = False
        while not _try_lock(descriptor):
            if not waited and on_wait is not None and wait_seconds > 0:
                on_wait()
            waited = True
            if time.monotonic() >= deadline:
                raise LockTimeout(
                    f"another run has kept the {name} lock of {settings.warehouse_dir} for more"
                    f" than {wait_seconds:.0f} s: wait for it to end, or stop it, and try again"
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def is_held(settings: Settings, name: str) -> bool:
    """Whether another process holds the lock `name` now. Creates nothing."""
    try:
        descriptor = os.open(_path(settings, name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def warehouse(settings: Settings, *, wait_seconds: float = 3600) -> Iterator[None]:
    """Be the only process of the pipeline that has the warehouse file open.

    A step takes it after it has its place in Dagster's pool, never before: that order, the same
    for all, is what rules out a deadlock between a run of `make run` and one of the daemon.

    Raises:
        LockTimeout: another process kept the warehouse for longer than `wait_seconds`.
    """
    with held(settings, "warehouse", wait_seconds=wait_seconds):
        yield


_alive: dict[str, int] = {}


def claim_life(settings: Settings, run_id: str) -> None:
    """Show that this process carries the run, until the process ends. Idempotent."""
    if run_id in _alive:
        return
    path = _path(settings, f"run-{run_id}")
    if path.exists():
        # Of an earlier process of the same run. Whoever looks for the dead holds it for an instant.
        descriptor = _open(path)
        deadline = time.monotonic() + CLAIM_SECONDS
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                return
            time.sleep(POLL_SECONDS / 4)
    else:
        # Locked before it has its name: nobody finds it free between the two.
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = _open(draft)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        draft.replace(path)
        # After a loss of power it says that the run is dead.
        files.sync(path.parent)
    _alive[run_id] = descriptor


def is_claimed(settings: Settings, run_id: str) -> bool:
    """Whether a process has ever shown that it carries the run."""
    return _path(settings, f"run-{run_id}").exists()


def release_life(settings: Settings, run_id: str) -> None:
    """Forget a run that ended well: its lock file is not needed to judge it."""
    descriptor = _alive.pop(run_id, None)
    if descriptor is not None:
        _path(settings, f"run-{run_id}").unlink(missing_ok=True)
        os.close(descriptor)


def dead_runs(settings: Settings) -> list[str]:
    """The runs that a process once carried and that nobody carries now, finished or not.

    A run that no step has started yet has no lock file: it may be queued, so it is not among them.
    """
    prefix = "run-"
    found = []
    for path in sorted(_path(settings, "any").parent.glob(f"{prefix}*.lock")):
        run_id = path.stem.removeprefix(prefix)
        if run_id in _alive:
            continue
        descriptor = _open(path)
        try:
            if _try_lock(descriptor):
                found.append(run_id)
        finally:
            os.close(descriptor)
    return found


def forget_dead(settings: Settings, run_id: str) -> None:
    """Remove the lock file of a run that `dead_runs` named."""
    _path(settings, f"run-{run_id}").unlink(missing_ok=True)
