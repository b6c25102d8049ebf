"""Files that have to be there, whole, after a power cut.

Belongs here: waiting for the disk, replacing a file or a folder in one step, copies, checksums.
Nothing else in the product renames a file. Does not belong here: what is in any file.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

# What begins so is not there yet, or on its way out: whoever was killed over it has left it behind.
DRAFT_PREFIX = ".draft-"
# What Linux calls FICLONE: share the blocks of another file.
_FICLONE = 0x40049409
_SYNCED_AT_ONCE = 8
# What the disk reads and writes past the cache is made of whole blocks, the largest of 4 kB.
_BLOCK = 4096
_AT_ONCE = 8 * 1024 * 1024


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_beside(path: Path) -> Path:
    """A name in the folder of a file or folder that nobody has and no reader looks at."""
    return path.with_name(f"{DRAFT_PREFIX}{secrets.token_hex(4)}")


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Give a draft to write; when the body has ended well it takes the place of a file, for good.

    Nobody finds half of it, and two who write the same at once do not meet.

    Args:
        path: the file; its folder is made.
        mode: the rights of the file; as the system gives them when not given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_beside(path)
    try:
        yield draft
        if mode is not None:
            draft.chmod(mode)
        sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def write(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace a file, atomically and for good; text is written as UTF-8."""
    with replacing(path, mode=mode) as draft:
        # Never readable for more people than in the end.
        descriptor = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode
        )
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)


def ensure(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Let a file hold this: it is written only where it does not."""
    wanted = content.encode("utf-8") if isinstance(content, str) else content
    if not path.exists() or path.read_bytes() != wanted:
        write(path, wanted, mode=mode)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder in one step and for good; a file that is there gives way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    sync(target.parent)


def discard(path: Path, aside: Path) -> None:
    """Remove a folder so that nobody finds half of it: out of sight in one step, then bit by bit.

    Args:
        path: the folder.
        aside: what it is called meanwhile: a name by which a killed program's leftovers are known.
    """
    path.replace(aside)
    remove(aside)


def sha256(path: Path) -> str:
    """A file's checksum, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_all(paths: Iterable[Path]) -> None:
    """Wait until many files are on the disk: several at once, which it writes in one go."""
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
        # To the end of it: a failure of any is raised.
        deque(pool.map(sync, paths), maxlen=0)


def clone_or_copy(source: Path, target: Path) -> None:
    """Make `target` a file of the same content, on the disk when this is over.

    Where the file system can share blocks until one of the two is written (Btrfs, XFS), that is a
    matter of a moment and takes no space. Otherwise the content goes past the system's cache where
    that can be done, which takes a fraction of the processor, or through it.
    """
    for copy in (_clone, _copy_past_cache):
        with suppress(OSError, AttributeError):
            copy(source, target)
            sync(target)
            return
    shutil.copyfile(source, target)
    sync(target)


def _clone(source: Path, target: Path) -> None:
    with source.open("rb") as original, target.open("wb") as copy:
        fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())


def _copy_past_cache(source: Path, target: Path) -> None:
    size = source.stat().st_size
    with (
        _opened(source, os.O_RDONLY | os.O_DIRECT) as original,
        _opened(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_DIRECT) as copy,
        # Memory of the system's own is aligned as the disk wants it.
        mmap.mmap(-1, _AT_ONCE) as memory,
    ):
        at = 0
        while at < size and (read := os.preadv(original, [memory], at)):
            with memoryview(memory) as content, content[: -(-read // _BLOCK) * _BLOCK] as blocks:
                if os.pwritev(copy, [blocks], at) != len(blocks):
                    raise OSError("the file is not whole")
            at += read
        if at != size:
            raise OSError("the file changed its size")
        os.truncate(copy, size)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> bool:
    """Make `target` the same file as `source`, in one step; where links are not possible, a copy.

    Gives False where neither was needed: links are not possible and `target` is there, which the
    caller knows to be the same.
    """
    draft = draft_beside(target)
    try:
        os.link(source, draft)
    except OSError:
        if target.exists():
            return False
        shutil.copyfile(source, target)
        target.chmod(0o444)
        sync(target)
        return True
    try:
        draft.replace(target)
    finally:
        # When both names already are one file, the system's rename does nothing: the draft stays.
        draft.unlink(missing_ok=True)
    return True


def replace_with_link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, atomically; a copy where links are not possible."""
    draft = draft_beside(target)
    try:
        link_or_copy(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def replace_with_symlink(destination: str, link: Path) -> None:
    """Let a link lead to a destination, in one step; a folder of its name goes out of the way."""
    if link.is_dir() and not link.is_symlink():
        # A backup that follows links restores a folder here, over which no link can be renamed.
        link.replace(draft_beside(link))
    draft = draft_beside(link)
    try:
        # Relative, so that the folder can be moved or mounted elsewhere.
        draft.symlink_to(destination, target_is_directory=True)
        draft.replace(link)
    finally:
        draft.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """Bytes of the files in a folder, a file of several names once; files may go meanwhile."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                facts = os.lstat(os.path.join(place, name))  # noqa: PTH118 (many files, quickly)
            except OSError:
                continue
            seen[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(seen.values())
