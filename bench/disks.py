"""A disk of its own for a trial, that can be filled and can lose its power.

Belongs here: making it, filling it, cutting it off. Does not belong here: what is tried on it.

It is an ext4 on a loop device. The file behind it lies on an XFS, which copies a file at one
instant: what had reached the device then is what is there after a loss of power, and what a program
had written and not synced is gone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 3_000_000_000
# Room of the file system below for a second copy of everything, and its own records.
_BELOW = 3 * SIZE
_TOOLS = ("mkfs.ext4", "mkfs.xfs", "mount", "umount", "cp")
_BALLOON = "balloon"
_LET_GO_SECONDS = 20


def why_not() -> str:
    """What a disk of its own lacks here, in words; empty where it can be had."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        return "only root may mount one"
    return f"{', '.join(missing)} not installed" if missing else ""


class Disk:
    """One that is mounted.

    Attributes:
        root: where.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "disk"
        self._device = folder / "below" / "disk.img"
        self._instant = folder / "below" / "instant.img"

    def fill(self, left: int) -> None:
        """Leave so many bytes free, and no more."""
        room = shutil.disk_usage(self.root).free - left
        if room > 0:
            _run("fallocate", "--length", str(room), str(self.root / _BALLOON))

    def empty(self) -> None:
        """Give the room back."""
        (self.root / _BALLOON).unlink(missing_ok=True)

    def cut(self) -> None:
        """Remember what the device holds at this instant."""
        _run("cp", "--reflink=always", str(self._device), str(self._instant))

    def lose_power(self) -> None:
        """Go back to the instant that was remembered. No program has a file open on the disk."""
        self.unmount()
        self._instant.replace(self._device)
        self.mount()

    def mount(self) -> None:
        """Mount it: what its journal holds is carried out."""
        _run("mount", "-o", "loop", str(self._device), str(self.root))

    def unmount(self) -> None:
        """Unmount it, which waits for the last program to let go of it."""
        _unmount(self.root)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """A new disk, whose files lie in a folder.

    Raises:
        RuntimeError: it cannot be made.
    """
    below = folder / "below"
    for made in (below, folder / "disk"):
        made.mkdir(parents=True)
    outer = folder / "below.img"
    _sparse(outer, _BELOW)
    _run("mkfs.xfs", "-q", "-m", "reflink=1", str(outer))
    _run("mount", "-o", "loop", str(outer), str(below))
    try:
        _sparse(below / "disk.img", SIZE)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(below / "disk.img"))
        found = Disk(folder)
        found.mount()
        try:
            yield found
        finally:
            found.unmount()
    finally:
        _unmount(below)
        outer.unlink()


def _sparse(file: Path, size: int) -> None:
    with file.open("wb") as empty:
        empty.truncate(size)


def _unmount(root: Path) -> None:
    deadline = time.monotonic() + _LET_GO_SECONDS
    while True:
        try:
            return _run("umount", str(root))
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
