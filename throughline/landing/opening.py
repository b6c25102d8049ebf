"""The bytes of a landed file: hashed, and unpacked where they are compressed.

Belongs here: one reading of a file, and whether it has changed meanwhile. Does not belong here:
which files there are (files), what is inside of one (contents, readers).
"""

from __future__ import annotations

import hashlib
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from throughline.engine.files import sha256
from throughline.landing.contents import kind_of
from throughline.landing.errors import FileChanged, FileFault, LandingError
from throughline.landing.files import LandedFile, Stamp
from throughline.settings import Settings

_BEGINNINGS = {"gz": b"\x1f\x8b", "zst": b"\x28\xb5\x2f\xfd"}

# A file system may stamp two writes with the same time: a file this fresh is not trusted by its
# stamp alone.
FRESH_NS = 2_000_000_000

# Decompressors are fed little at a time, so that a file which unpacks to a thousand times its size
# does not need that much memory.
_COMPRESSED_CHUNK = 1 << 16


@dataclass(frozen=True)
class Content:
    """A file's bytes, ready to be read in place or from an unpacked copy.

    Attributes:
        path: the file to read.
        sha256: of the bytes as they landed (compressed ones included), in hexadecimal.
        stamp: before the bytes were hashed.
        hashed_at_ns: when hashing began, in nanoseconds since 1970.
        is_copy: `path` is a private copy that nobody else can change.
        fault: why a compressed file could not be unpacked; its hash is of these very bytes.
    """

    path: Path
    sha256: str
    stamp: Stamp
    hashed_at_ns: int
    is_copy: bool
    fault: FileFault | None = None

    @property
    def is_fresh(self) -> bool:
        """The file was written so shortly before that its stamp may hide another write."""
        return not is_at_rest(self.stamp, self.hashed_at_ns)


def is_at_rest(stamp: Stamp, hashed_at_ns: int) -> bool:
    """Whether a later write would have given the file another stamp than it had when hashed."""
    return hashed_at_ns - stamp.ctime_ns >= FRESH_NS


def workspace(settings: Settings) -> Path:
    """The directory for unpacked copies."""
    return settings.scratch_dir / "landing"


@contextmanager
def opened(file: LandedFile, settings: Settings) -> Iterator[Content]:
    """Hash a file and make its bytes readable; a private copy goes away at the end.

    A compressed file is read once: the same pass hashes the landed bytes and unpacks them, so a
    file that changes meanwhile cannot be half old and half new, and one that is cut off shows.

    Raises:
        FileFault: the file is no readable file.
        FileChanged: the file went away.
        LandingError: there is no room for the unpacked copy.
    """
    try:
        status = file.absolute.stat()
    except FileNotFoundError as error:
        if file.absolute.is_symlink():
            raise FileFault(
                "The file is a link that leads nowhere", "Remove it or put the file back"
            ) from error
        raise FileChanged(f"{file.path} went away") from error
    except OSError as error:
        raise _unreadable(error) from error
    if not stat.S_ISREG(status.st_mode):
        raise FileFault("This is not a regular file", "Put a file of records there")
    stamp, hashed_at_ns = Stamp.of(status), time.time_ns()
    if not file.compression:
        try:
            digest = sha256(file.absolute)
        except FileNotFoundError as error:
            raise FileChanged(f"{file.path} went away") from error
        except OSError as error:
            raise _unreadable(error) from error
        yield Content(file.absolute, digest, stamp, hashed_at_ns, is_copy=False)
        return
    copy = workspace(settings) / f"unpacked.{file.format}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        digest, fault = _unpack(file, copy)
        yield Content(copy, digest, stamp, hashed_at_ns, is_copy=True, fault=fault)
    finally:
        copy.unlink(missing_ok=True)


def is_unchanged(file: LandedFile, content: Content) -> bool:
    """Whether a file that was read in place still is what was hashed."""
    if content.is_copy:
        return True
    try:
        if Stamp.of(file.absolute.stat()) != content.stamp:
            return False
        return not content.is_fresh or sha256(file.absolute) == content.sha256
    except OSError:
        return False


def _unreadable(error: OSError) -> FileFault:
    return FileFault(
        f"The file cannot be read ({error.strerror})", "Give the pipeline's user the right to it"
    )


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes) -> bytes: ...


def _unpacker(compression: str) -> _Unpacker:
    if compression == "gz":
        return zlib.decompressobj(wbits=31)
    # Frames with a long window are refused by default; 2 GB is what the format's tools can write.
    unpacker: _Unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
    return unpacker


def _unpack(file: LandedFile, copy: Path) -> tuple[str, FileFault | None]:
    """Unpack a file; give the hash of its bytes, and what is wrong with them."""
    try:
        stream = file.absolute.open("rb")
    except FileNotFoundError as error:
        raise FileChanged(f"{file.path} went away") from error
    except OSError as error:
        raise _unreadable(error) from error
    with stream:
        reader = _HashingReader(stream)
        try:
            with copy.open("wb") as output:
                fault = _unpack_stream(reader, output, file.compression)
        except (zlib.error, zstandard.ZstdError):
            fault = _damaged(file, reader.head)
            while reader.read():
                pass
        except OSError as error:
            raise LandingError(
                f"{file.path} cannot be unpacked into {copy.parent} ({error}): make room there, or "
                "point WAREHOUSE_DIR at a larger disk"
            ) from error
        return reader.digest.hexdigest(), fault


def _damaged(file: LandedFile, head: bytes) -> FileFault:
    kind = kind_of(file.absolute, head)
    # Its own beginning is no news.
    if kind is not None and not head.startswith(_BEGINNINGS[file.compression]):
        what, remedy = kind
        return FileFault(f"The content is {what} and not .{file.compression}", remedy)
    return FileFault(
        f"The {file.compression} compression is damaged",
        "Deliver the file again, or name it without the ending if it is not compressed",
    )


class _HashingReader:
    """Hashes every byte that it reads, and keeps the first."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.head = b""

    def read(self) -> bytes:
        chunk = self._stream.read(_COMPRESSED_CHUNK)
        self.digest.update(chunk)
        self.head = self.head or chunk
        return chunk


def _unpack_stream(reader: _HashingReader, output: BinaryIO, compression: str) -> FileFault | None:
    unpacker: _Unpacker | None = None
    streams = 0
    while chunk := reader.read():
        # One file may hold several streams after each other, as `cat a.gz b.gz` makes them.
        while chunk:
            if unpacker is None:
                if streams and not chunk.strip(b"\0"):
                    # Tape-style padding behind the last stream is allowed.
                    break
                unpacker, streams = _unpacker(compression), streams + 1
            output.write(unpacker.decompress(chunk))
            chunk = b""
            if unpacker.eof:
                chunk, unpacker = unpacker.unused_data, None
    if unpacker is not None:
        return FileFault(
            f"The {compression} file is cut off before its end",
            "Deliver the file again, and give it its final name only when it is complete",
        )
    if not streams:
        return FileFault(
            f"The {compression} file is empty, which no complete {compression} file is",
            "Deliver the file again",
        )
    return None
