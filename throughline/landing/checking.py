"""What landing would make of files, found out before a warehouse sees them.

Belongs here: taking a path for a place of a landing directory, landing what lies there into an
engine in memory, and reading off what became of it. Does not belong here: any rule on files, rows
or values: whatever is said here, a load has said.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import duckdb

from throughline import engine
from throughline.engine.files import replace_with_symlink
from throughline.landing.database import prepare
from throughline.landing.files import SOURCE, Discovery, LandedFile, discover
from throughline.landing.loading import Progress, land_log
from throughline.landing.logs import LOGS
from throughline.settings import Settings

# What a file without a source's folder is read as, when nobody says: nothing but its name hangs on
# it, and the time zone in which repeats are compared.
UNNAMED_SOURCE = "source"

_LONGEST_VALUE = 200


class NotCheckable(ValueError):  # noqa: N818 - a verdict on what was asked, not on a file
    """The path cannot be taken for files of logs; the message says what to add."""


class Verdict(Enum):
    """What a run would do with a file."""

    LOADS = "loads"  # in whole, or but for its rejected rows
    REJECTED = "rejected"
    REPEATS = "repeats"  # the content of another file of its source and log, which is loaded once
    CHANGING = "changing"  # it was written while it was read: the next run would try again


@dataclass(frozen=True)
class Rejection:
    """Rows of one file that would be rejected for one reason.

    Attributes:
        column: the column to blame; None for the whole record.
        reason, remedy: as `raw.rejected_rows` would have them.
        rows: how many.
        examples: the number in the file, from 1, and the value, at most 200 characters of it, of
            the first of them.
    """

    column: str | None
    reason: str
    remedy: str
    rows: int
    examples: list[tuple[int, str | None]]


@dataclass(frozen=True)
class CheckedFile:
    """What a run would make of one file.

    Attributes:
        path: as a run would name it, below the landing directory.
        source, log: what it was recognised as; empty where its path says nothing.
        format: format and compression, such as `csv.gz`; None when it was not recognised.
        verdict: what a run would do with it.
        reason: why it would not load, with the remedy; None when it would.
        bytes: its size.
        rows_read, rows_loaded, rows_rejected: the first is the sum of the others.
        rows_repeated: rows loaded whose business key was there already, in these files.
        rows_local_time: rows with a time that has no offset: the source's clock is believed.
        rows_unlike_folder: rows with another value than a `key=value` folder above them.
        placeholder_times: times so far off that they stand for "none".
        unknown_columns: rows with a value, by name of a column that the log does not have.
        rejected: the rejected rows by reason, in the order of the first of each.
    """

    path: str
    source: str
    log: str
    format: str | None
    verdict: Verdict
    reason: str | None = None
    bytes: int = 0
    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rows_repeated: int = 0
    rows_local_time: int = 0
    rows_unlike_folder: int = 0
    placeholder_times: int = 0
    unknown_columns: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def is_rejected(self) -> bool:
        """A run would reject the file, or rows of it."""
        return self.verdict is Verdict.REJECTED or self.rows_rejected > 0


@dataclass(frozen=True)
class Findings:
    """What a run would make of the files below a path.

    Attributes:
        path: what was checked.
        place: where a landing directory would have it, such as `acme/contacts`; empty for a whole
            one.
        files: in the order of (source, path).
    """

    path: Path
    place: str
    files: list[CheckedFile]

    @property
    def is_clean(self) -> bool:
        """A run would reject nothing of it."""
        return not any(file.is_rejected for file in self.files)


def check_files(
    settings: Settings,
    path: Path,
    *,
    source: str | None = None,
    log: str | None = None,
    examples: int = 3,
    progress: Progress | None = None,
) -> Findings:
    """Land what lies at a path into an engine in memory, and say what became of it.

    No warehouse is opened, and nothing is written but below a temporary folder, which goes away:
    unpacked copies, and what does not fit into the memory limit.

    Args:
        settings: the limits, the registry, and the landing directory, for a path in it.
        path: a landing directory, the folder of a source or of a log, a folder below it, or a file.
        source, log: what the path does not say, or instead of what it says.
        examples: how many rows to name for each reason.
        progress: told what is going on, in short sentences.

    Raises:
        NotCheckable: there is nothing, or it does not say of which log it is.
        LandingError: there is no room or memory to go on.
    """
    parts = _place(path, settings.landing_dir, source, log)
    with landed_aside(settings, path, parts, progress=progress) as (connection, found):
        files = _checked(connection, found, examples)
    return Findings(path, "/".join(parts), files)


@contextmanager
def landed_aside(
    settings: Settings, path: Path, parts: Sequence[str] = (), *, progress: Progress | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Discovery]]:
    """Land what lies at a path into an engine in memory.

    Args:
        settings: the limits and the registry.
        path: a landing directory, or what lies at some place of one.
        parts: that place; none for a landing directory.
        progress: told what is going on, in short sentences.

    Yields:
        The engine with the raw tables and ledgers, and the files that were found.

    Raises:
        NotCheckable: there is no file.
        LandingError: there is no room or memory to go on.
    """
    with tempfile.TemporaryDirectory(prefix="throughline-check-") as scratch:
        aside = settings.replaced(
            landing_dir=_zone(path, parts, Path(scratch) / "landing"), warehouse_dir=Path(scratch)
        )
        found = discover(aside.landing_dir)
        if not found.files and not found.unrecognised:
            raise NotCheckable(
                f"{path} holds no file that a run would read: dotfiles, names that end in .tmp or "
                ".part and marker files such as _SUCCESS are passed over"
            )
        with engine.connect(aside) as connection:
            prepare(connection)
            for name in LOGS:
                if any(file.log == name for file in found.files):
                    land_log(connection, aside, name, progress=progress)
            yield connection, found


def _place(path: Path, landing_dir: Path, source: str | None, log: str | None) -> tuple[str, ...]:
    """Where a landing directory would have what lies at a path; nothing for a whole one."""
    if not path.exists():
        raise NotCheckable(f"there is nothing at {path}: give a file or a folder that is there")
    if source is not None and not SOURCE.fullmatch(source):
        raise NotCheckable(
            f"{source!r} is no source name: use lower-case letters, digits and underscores only"
        )
    if log is not None and log not in LOGS:
        raise NotCheckable(f"there is no log {log!r}: use one of {', '.join(LOGS)}")
    # Not resolved: the folders that were named say what it is, not those that a link leads to.
    told = _told(Path(os.path.normpath(path.absolute())), landing_dir)
    if log is None and source is None:
        if told is None:
            raise NotCheckable(
                f"{path} does not lie in a folder of a log: say which with --log, one of "
                f"{', '.join(LOGS)}"
            )
        return told
    known = told or ()
    if log is None:
        if path.is_file() and len(known) < 3:
            raise NotCheckable(f"{path} does not lie in a folder of a log: add --log")
        return (source or "", *known[1:])
    below = known[2:] or ((path.name,) if path.is_file() else ())
    return (source or (known[0] if known else UNNAMED_SOURCE), log, *below)


def _told(path: Path, landing_dir: Path) -> tuple[str, ...] | None:
    """What a path says by itself, as a place in a landing directory; None for a file elsewhere."""
    if path.is_relative_to(landing_dir):
        return path.relative_to(landing_dir).parts
    folders = path.parts[:-1] if path.is_file() else path.parts
    for position in reversed(range(2, len(folders))):
        if folders[position] in LOGS:
            return path.parts[position - 1 :]
    if path.is_file():
        return None
    return (path.name,) if any((path / name).is_dir() for name in LOGS) else ()


def _zone(path: Path, parts: Sequence[str], folder: Path) -> Path:
    """A landing directory that has the path at its place, and nothing else."""
    if not parts:
        return path.absolute()
    place = folder.joinpath(*parts)
    place.parent.mkdir(parents=True)
    replace_with_symlink(str(path.resolve()), place)
    return folder


def _checked(
    connection: duckdb.DuckDBPyConnection, found: Discovery, examples: int
) -> list[CheckedFile]:
    loads = {row["path"]: row for row in _rows(connection, "from raw.loads")}
    seen = dict(connection.execute("select path, content_sha256 from raw.landing_files").fetchall())
    first_of = {
        (row["source"], row["log"], row["content_sha256"]): path for path, row in loads.items()
    }
    rejected = _rejections(connection, examples)
    files = [
        _of_load(row, rejected.get(row["load_no"], []))
        if (row := loads.get(file.path)) is not None
        else _without_load(file, seen.get(file.path), first_of)
        for file in found.files
    ]
    files += [
        CheckedFile(
            path=file.path,
            source=file.source,
            log=file.log,
            format=None,
            verdict=Verdict.REJECTED,
            reason=f"{file.problem}. {file.remedy}",
            bytes=file.stamp.bytes,
        )
        for file in found.unrecognised
    ]
    return sorted(files, key=lambda file: (file.source, file.path))


def _of_load(row: Mapping[str, Any], rejected: list[Rejection]) -> CheckedFile:
    is_loaded = row["status"] == "loaded"
    return CheckedFile(
        path=row["path"],
        source=row["source"],
        log=row["log"],
        format=row["format"],
        verdict=Verdict.LOADS if is_loaded else Verdict.REJECTED,
        reason=row["reason"],
        bytes=row["bytes"],
        rows_read=row["rows_read"],
        rows_loaded=row["rows_loaded"],
        rows_rejected=row["rows_rejected"],
        rows_repeated=row["rows_repeated"] or 0,
        rows_local_time=row["rows_local_time"],
        rows_unlike_folder=row["rows_unlike_folder"],
        placeholder_times=row["placeholder_times"],
        unknown_columns=json.loads(row["unknown_columns"] or "{}"),
        rejected=rejected,
    )


def _without_load(
    file: LandedFile, sha256: str | None, first_of: Mapping[tuple[str, str, str], str]
) -> CheckedFile:
    """A file of which the ledger has nothing: its content is another's, or never stood still."""
    first = first_of.get((file.source, file.log, file.identity(sha256))) if sha256 else None
    return CheckedFile(
        path=file.path,
        source=file.source,
        log=file.log,
        format=file.format_name,
        verdict=Verdict.REPEATS if first else Verdict.CHANGING,
        reason=f"It has the content of {first}, which is loaded once"
        if first
        else "It keeps changing. Give it its final name when it is complete",
        bytes=file.stamp.bytes,
    )


def _rejections(connection: duckdb.DuckDBPyConnection, examples: int) -> dict[int, list[Rejection]]:
    found: dict[int, list[Rejection]] = {}
    for row in _rows(
        connection,
        """
        select load_no, column_name, reason, remedy, count(*) as row_count,
            arg_min({'row_no': row_no, 'value': left(value, $longest)}, row_no, $examples) as shown
        from raw.rejected_rows
        group by load_no, column_name, reason, remedy
        order by load_no, min(row_no)
        """,
        {"longest": _LONGEST_VALUE, "examples": max(examples, 1)},
    ):
        found.setdefault(row["load_no"], []).append(
            Rejection(
                column=row["column_name"],
                reason=row["reason"],
                remedy=row["remedy"],
                rows=row["row_count"],
                examples=[(one["row_no"], one["value"]) for one in row["shown"]],
            )
        )
    return found


def _rows(
    connection: duckdb.DuckDBPyConnection, statement: str, values: Mapping[str, Any] | None = None
) -> Iterable[dict[str, Any]]:
    result = connection.execute(statement, dict(values or {}))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
