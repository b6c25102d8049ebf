"""The landing directory: which files there are, and of what source and log.

Belongs here: layout, names, stat; the one walk through the directory. Does not belong here: their
bytes (opening), what is inside of one (contents), what the ledger knows about it (ledger).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from throughline.landing.contents import remedy_for_ending
from throughline.landing.errors import LandingError
from throughline.landing.logs import LOGS

FORMATS = {
    "csv": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "parquet": "parquet",
}
COMPRESSIONS = ("gz", "zst")
# How a folder says that its rows have no value.
_NO_VALUE = ("", "__HIVE_DEFAULT_PARTITION__")

# What programs that write tables leave beside the files of records.
_MARKERS = re.compile(r"_SUCCESS|_committed_.*|_started_.*|_metadata|_common_metadata")

SOURCE = re.compile(r"[a-z0-9_]+")
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

    @property
    def folder_values(self) -> dict[str, str | None]:
        """What the `key=value` folders below the log say, by key; the innermost wins.

        Escaped characters are as they were before whoever wrote the folders escaped them.
        """
        found: dict[str, str | None] = {}
        for folder in self.path.split("/")[2:-1]:
            key, sign, value = folder.partition("=")
            if sign and key.strip():
                text = unquote(value)
                found[unquote(key).strip()] = None if text in _NO_VALUE else text
        return found

    def identity(self, sha256: str) -> str:
        """What the ledger knows a content by: its hash, and what its folders add to it.

        Files of equal bytes in folders that say different things are different contents.
        """
        values = self.folder_values
        if not values:
            return sha256
        told = json.dumps([sha256, sorted(values.items())])
        return hashlib.sha256(told.encode()).hexdigest()


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


def discover(landing_dir: Path, only_log: str | None = None) -> Discovery:
    """Find the files of a landing directory.

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
    for entry in walk(landing_dir, only_log):
        recognised = _recognise(entry, entry.path.relative_to(landing_dir).parts)
        if isinstance(recognised, LandedFile):
            found.files.append(recognised)
        else:
            found.unrecognised.append(recognised)
    found.files.sort(key=lambda file: (file.source, file.path))
    found.unrecognised.sort(key=lambda file: (file.source, file.path))
    return found


@dataclass(frozen=True)
class Walked:
    """A place in a landing directory that holds a file, or that cannot be entered.

    Attributes:
        path: where it is.
        fault: why it cannot be entered; None for a file.
    """

    path: Path
    fault: OSError | None = None

    def stamp(self) -> Stamp:
        """What the file system says about it now; zeros where it says nothing."""
        try:
            return Stamp(0, 0, 0, 0) if self.fault else Stamp.of(self.path.stat())
        except OSError:
            # Gone since, or a link to nothing: reading it will tell.
            return Stamp(0, 0, 0, 0)


def walk(
    directory: Path, only_log: str | None = None, *, above: tuple[tuple[int, int], ...] = ()
) -> Iterator[Walked]:
    """Every file of a landing directory that is there to be read, in the order of names.

    Dotfiles, dot directories and names that end in `.tmp` or `.part` are not there yet, and the
    marks of programs that write tables hold no records: these are left out. Links to directories
    are followed, but not round in a circle.

    Args:
        directory: the landing directory.
        only_log: do not look into the folders of the other logs.
        above: the folders that led here, by device and inode; none for the landing directory.
    """
    try:
        status = directory.stat()
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        yield Walked(directory, error)
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
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            # A link round in a circle, or through a folder that is closed to this user.
            yield Walked(Path(entry.path), error)
            continue
        if is_folder:
            if not is_source or only_log in (None, entry.name):
                yield from walk(Path(entry.path), only_log, above=(*above, identity))
        elif not entry.name.lower().endswith((".tmp", ".part")) and not _MARKERS.fullmatch(
            entry.name
        ):
            yield Walked(Path(entry.path))


def _closed(entry: Walked, parts: tuple[str, ...]) -> UnrecognisedFile:
    """A place that cannot be entered; it may be a folder, or a link to one."""
    assert entry.fault is not None
    is_link = entry.path.is_symlink()
    is_circle = entry.fault.errno == errno.ELOOP
    what = "The link leads round in a circle" if is_circle else "The folder cannot be read"
    return UnrecognisedFile(
        path=_printable("/".join(parts)),
        absolute=entry.path,
        source=_printable(parts[0]) if parts else "",
        log=_printable(parts[1]) if len(parts) > 1 else "",
        problem=what if is_circle else f"{what} ({entry.fault.strerror})",
        remedy="Remove the link, or let it lead to a folder of records"
        if is_circle
        else "Give the pipeline's user the right to it"
        + (", or remove the link that leads there" if is_link else ""),
        stamp=entry.stamp(),
    )


def _recognise(entry: Walked, parts: tuple[str, ...]) -> LandedFile | UnrecognisedFile:
    if entry.fault is not None:
        return _closed(entry, parts)
    absolute, stamp = entry.path, entry.stamp()
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
    if not SOURCE.fullmatch(source):
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
            remedy_for_ending(name.rpartition(".")[2]),
        )
    return LandedFile(path, absolute, source, log, FORMATS[extension], compression, stamp)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
