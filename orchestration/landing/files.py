"""The landing directory: which files there are, what they are, and their bytes.

Belongs here: layout, names, stat, hashing, decompression. Does not belong here: what is inside a
file, or what the ledger knows about it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from orchestration.landing.errors import FileChanged, FileFault, LandingError
from orchestration.landing.logs import LOGS
from orchestration.settings import Settings

FORMATS = {
    "csv": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "parquet": "parquet",
}
COMPRESSIONS = ("gz", "zst")

# A file system may stamp two writes with the same time: a file this fresh is not trusted by its
# stamp alone.
FRESH_NS = 2_000_000_000

# Decompressors are fed little at a time, so that a file which unpacks to a thousand times its size
# does not need that much memory.
_COMPRESSED_CHUNK = 1 << 16

_SOURCE = re.compile(r"[a-z0-9_]+")
_LAYOUT = "<source>/<log>/<file>"


@dataclass(frozen=True)
class Stamp:
    """What the file system says about a file's content without reading it.

    Attributes:
        bytes: the size.
        mtime_ns, ctime_ns: last change of the content and of the inode, in nanoseconds.
        inode: the inode's number.
    """

    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, result: os.stat_result) -> Stamp:
        """The stamp in a stat result."""
        # DuckDB's bigint is signed, and some file systems number inodes beyond it.
        inode = result.st_ino & 0x7FFF_FFFF_FFFF_FFFF
        return cls(result.st_size, result.st_mtime_ns, result.st_ctime_ns, inode)


@dataclass(frozen=True)
class LandedFile:
    """A file that its place and name make a file of a log.

    Attributes:
        path: relative to the landing directory, with `/`.
        absolute: where it is.
        source, log: the folders that it lies in.
        format: `csv`, `jsonl`, `json` or `parquet`.
        compression: `gz`, `zst` or empty.
        stamp: as it was found.
    """

    path: str
    absolute: Path
    source: str
    log: str
    format: str
    compression: str
    stamp: Stamp

    @property
    def format_name(self) -> str:
        """Format and compression, for example `csv.gz`."""
        return f"{self.format}.{self.compression}" if self.compression else self.format


@dataclass(frozen=True)
class UnrecognisedFile:
    """A file that fits no log: its place or its name is wrong.

    Attributes:
        path: relative to the landing directory.
        absolute: where it is.
        source, log: what the path says, empty where it says nothing.
        problem, remedy: what is wrong with it, and what to do.
        stamp: as it was found.
    """

    path: str
    absolute: Path
    source: str
    log: str
    problem: str
    remedy: str
    stamp: Stamp


@dataclass
class Discovery:
    """All files of a landing directory, each list in the order of (source, path)."""

    files: list[LandedFile] = field(default_factory=list)
    unrecognised: list[UnrecognisedFile] = field(default_factory=list)


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


def discover(landing_dir: Path, only_log: str | None = None) -> Discovery:
    """Find the files of a landing directory.

    Dotfiles, dot directories and names that end in `.tmp` or `.part` are not there yet, so they are
    left out. Links to directories are followed.

    Args:
        landing_dir: the directory.
        only_log: do not look into the folders of the other logs.

    Raises:
        LandingError: there is no such directory.
    """
    if not landing_dir.is_dir():
        raise LandingError(
            f"LANDING_DIR={landing_dir} is not a directory: create it, or point LANDING_DIR at the "
            f"raw logs, laid out as {_LAYOUT}"
        )
    found = Discovery()
    closed_folders: list[OSError] = []
    for absolute in _walk(landing_dir, closed_folders, only_log):
        recognised = _recognise(absolute, absolute.relative_to(landing_dir).parts)
        if isinstance(recognised, LandedFile):
            found.files.append(recognised)
        else:
            found.unrecognised.append(recognised)
    found.unrecognised.extend(_closed_folder(landing_dir, error) for error in closed_folders)
    found.files.sort(key=lambda file: (file.source, file.path))
    found.unrecognised.sort(key=lambda file: (file.source, file.path))
    return found


def _walk(
    directory: Path,
    closed_folders: list[OSError],
    only_log: str | None,
    above: tuple[tuple[int, int], ...] = (),
) -> Iterator[Path]:
    try:
        status = directory.stat()
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        closed_folders.append(error)
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        # A link that leads back up: everything below is there already.
        return
    # The landing directory itself is at depth 0, sources are in it, and logs in those.
    is_source = len(above) == 1
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not is_source or only_log in (None, entry.name):
                folder = Path(entry.path)
                yield from _walk(folder, closed_folders, only_log, (*above, identity))
        elif not entry.name.lower().endswith((".tmp", ".part")):
            yield Path(entry.path)


def _closed_folder(landing_dir: Path, error: OSError) -> UnrecognisedFile:
    absolute = Path(os.fsdecode(error.filename))
    parts = (*absolute.relative_to(landing_dir).parts, "", "")
    return UnrecognisedFile(
        path=_printable("/".join(parts).rstrip("/")),
        absolute=absolute,
        source=_printable(parts[0]),
        log=_printable(parts[1]),
        problem=f"The folder cannot be read ({error.strerror})",
        remedy="Give the pipeline's user the right to it",
        stamp=Stamp(0, 0, 0, 0),
    )


def _recognise(absolute: Path, parts: tuple[str, ...]) -> LandedFile | UnrecognisedFile:
    try:
        stamp = Stamp.of(absolute.stat())
    except OSError:
        # Gone since, or a link to nothing: reading it will tell.
        stamp = Stamp(0, 0, 0, 0)
    source = parts[0] if len(parts) > 1 else ""
    log = parts[1] if len(parts) > 2 else ""
    path = "/".join(parts)
    printable = _printable(path)

    def unrecognised(problem: str, remedy: str) -> UnrecognisedFile:
        return UnrecognisedFile(
            printable, absolute, _printable(source), _printable(log), problem, remedy, stamp
        )

    if printable != path:
        return unrecognised("The file's name is not UTF-8", "Rename the file")
    if len(parts) < 3:
        return unrecognised(
            f"The file does not lie in {_LAYOUT}",
            "Move it into the folder of its source and log, or out of the landing directory",
        )
    if not _SOURCE.fullmatch(source):
        return unrecognised(
            f"The source folder {source!r} is not a slug",
            "Rename it with lower-case letters, digits and underscores only",
        )
    if log not in LOGS:
        return unrecognised(f"There is no log {log!r}", f"Use one of the folders {', '.join(LOGS)}")
    name, compression = parts[-1].lower(), ""
    stem, _, extension = name.rpartition(".")
    if extension in COMPRESSIONS:
        compression = extension
        _, _, extension = stem.rpartition(".")
    if extension not in FORMATS or "." not in name:
        return unrecognised(
            f"The file's ending {'.' + name.partition('.')[2]!r} is not supported",
            "Use .csv, .jsonl, .ndjson, .json or .parquet, each also with .gz or .zst",
        )
    return LandedFile(path, absolute, source, log, FORMATS[extension], compression, stamp)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
            sha256 = sha256_of(file.absolute)
        except FileNotFoundError as error:
            raise FileChanged(f"{file.path} went away") from error
        except OSError as error:
            raise _unreadable(error) from error
        yield Content(file.absolute, sha256, stamp, hashed_at_ns, is_copy=False)
        return
    copy = workspace(settings) / f"unpacked.{file.format}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        sha256, fault = _unpack(file, copy)
        yield Content(copy, sha256, stamp, hashed_at_ns, is_copy=True, fault=fault)
    finally:
        copy.unlink(missing_ok=True)


def is_unchanged(file: LandedFile, content: Content) -> bool:
    """Whether a file that was read in place still is what was hashed."""
    if content.is_copy:
        return True
    try:
        if Stamp.of(file.absolute.stat()) != content.stamp:
            return False
        return not content.is_fresh or sha256_of(file.absolute) == content.sha256
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
        except (zlib.error, zstandard.ZstdError) as error:
            fault = FileFault(
                f"The {file.compression} compression is damaged ({error})",
                "Deliver the file again, or name it without the ending if it is not compressed",
            )
            while reader.read():
                pass
        except OSError as error:
            raise LandingError(
                f"{file.path} cannot be unpacked into {copy.parent} ({error}): make room there, or "
                "point WAREHOUSE_DIR at a larger disk"
            ) from error
        return reader.digest.hexdigest(), fault


class _HashingReader:
    """Hashes every byte that it reads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self) -> bytes:
        chunk = self._stream.read(_COMPRESSED_CHUNK)
        self.digest.update(chunk)
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
