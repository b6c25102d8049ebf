"""How a file is copied: each way gives the same bytes, and where one fails the next is taken.

Belongs here: `throughline.engine.files` where publishing leans on it. Does not belong here: what a
snapshot holds (test_publish).
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
from pathlib import Path

import pytest

from throughline.engine import files

SIZES = [0, 1, 4096, 4097, 16_384, 50_000]


def written(path: Path, size: int) -> bytes:
    content = random.Random(size).randbytes(size)
    path.write_bytes(content)
    return content


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_past_the_cache_has_the_same_bytes_and_size(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_AT_ONCE", 16_384)
    content = written(tmp_path / "a", size)
    (tmp_path / "b").write_bytes(b"what was there before, and longer" * 1000)
    try:
        files._copy_past_cache(tmp_path / "a", tmp_path / "b")
    except (OSError, AttributeError):
        pytest.skip("the file system of the temporary folder does not go past the cache")
    assert (tmp_path / "b").read_bytes() == content


@pytest.mark.parametrize("size", SIZES)
def test_where_nothing_else_can_be_done_the_content_goes_through_the_cache(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "not on this file system")

    content = written(tmp_path / "a", size)
    monkeypatch.setattr(os, "preadv", refuse)
    monkeypatch.setattr(os, "pwritev", refuse)
    files.clone_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == content


def test_a_clone_is_tried_first_and_is_all_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary folder is seldom on a file system that clones: the call is what is seen."""
    asked: list[int] = []

    def ioctl(target: int, request: int, source: int) -> int:
        asked.append(request)
        os.write(target, os.pread(source, 100, 0))
        return 0

    written(tmp_path / "a", 50)
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    monkeypatch.setattr(files, "_copy_past_cache", None)
    files.clone_or_copy(tmp_path / "a", tmp_path / "b")
    assert asked == [0x40049409]
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
