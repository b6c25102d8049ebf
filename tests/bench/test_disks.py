"""The disk of the kill trial does what a disk does that is full, and one that loses its power."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[disks.Disk]:
    if reason := disks.why_not():
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            found = stack.enter_context(disks.disk(tmp_path))
        except RuntimeError as error:
            # A container's root may not mount.
            pytest.skip(str(error))
        yield found


def test_what_was_not_synced_is_gone_after_a_loss_of_power(disk: disks.Disk) -> None:
    synced, written = (disk.root / name for name in ("synced", "written"))
    for file in (synced, written):
        with file.open("wb") as opened:
            opened.write(b"x" * 100_000)
            opened.flush()
            if file == synced:
                os.fsync(opened.fileno())
    disk.cut()
    disk.lose_power()
    assert synced.read_bytes() == b"x" * 100_000
    assert not written.exists() or written.read_bytes() != b"x" * 100_000


def test_a_full_disk_takes_no_more_until_it_is_emptied(disk: disks.Disk) -> None:
    disk.fill(1_000_000)
    with pytest.raises(OSError, match="No space left"):
        (disk.root / "more").write_bytes(b"x" * 10_000_000)
    disk.empty()
    (disk.root / "more").write_bytes(b"x" * 10_000_000)
