"""What all readers share: the job, the result, headers, and JSON text made by SQL.

Belongs here: what does not depend on a format. Does not belong here: opening a file in any of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from throughline.engine.files import replace_with_symlink
from throughline.engine.sql import Bindings
from throughline.landing.contents import refuse_foreign
from throughline.landing.conversion import Shape
from throughline.landing.errors import FileFault
from throughline.landing.logs import Log
from throughline.landing.repair import Repaired

# Long enough for a body of a few megabytes; a file with longer lines takes the careful way.
LINE_BYTES = 8 << 20
BUFFER_BYTES = 32 << 20

_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 1 << 20
_NAMES_SHOWN = 20


@dataclass(frozen=True)
class Reading:
    """A file to read.

    Attributes:
        connection: an open connection with the macros of `conversion`.
        log: the log that the file belongs to.
        format: `csv`, `jsonl`, `json` or `parquet`.
        path: the file's bytes, unpacked.
        scratch: a directory for copies.
        stack: closes over everything that must live as long as the query.
        careful: DuckDB has refused the file as a whole, so look at each record on its own.
    """

    connection: duckdb.DuckDBPyConnection
    log: Log
    format: str
    path: Path
    scratch: Path
    stack: ExitStack
    careful: bool

    def plain_path(self) -> str:
        """A path that DuckDB does not take for a pattern, as it does when it has wildcards."""
        if not set("*?[]{}") & set(str(self.path)):
            return str(self.path)
        link = self.scratch_file(f"link{self.path.suffix}")
        replace_with_symlink(str(self.path), link)
        return str(link)

    def scratch_file(self, name: str) -> Path:
        """A place for a file that goes away when the query is done."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / name
        self.stack.callback(path.unlink, missing_ok=True)
        return path

    def head(self) -> bytes:
        """The first megabyte of a text file, without a byte order mark.

        Raises:
            FileFault: the content is of another format.
        """
        with self.path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES).removeprefix(_BOM)
        refuse_foreign(self.path, self.format.upper(), head)
        return head


@dataclass
class Source:
    """A file as a query.

    Attributes:
        rows_read: the records in the file, broken ones included, counted in a way of its own and
            not from what was loaded.
        shapes: for each column of the log that the file has, the type that the query gives.
        unknown: the names in the file that no column of the log has.
        query: makes the query's SQL, its values bound: `row_no`, `fault`, `extra`, `in_<column>`,
            and `row` (the record as text) when asked for.
        broken: a file of records that the query does not give because they are broken, one JSON
            object per line as `repair` writes them.
        broken_rows: how many.
        broken_longest: the longest line of that file, in bytes.
    """

    rows_read: int
    shapes: dict[str, Shape]
    unknown: list[str]
    query: Callable[[Bindings, bool], str]
    broken: Path | None = None
    broken_rows: int = 0
    broken_longest: int = 0


def empty_source() -> Source:
    """A file without any record."""

    def query(bindings: Bindings, with_row: bool) -> str:
        return (
            "select 0 as row_no, cast(null as integer) as fault, cast(null as varchar) as extra, "
            """cast(null as varchar) as "row" where false"""
        )

    return Source(rows_read=0, shapes={}, unknown=[], query=query)


@dataclass
class Header:
    """A file's names, sorted out.

    Attributes:
        labels: all names as the file has them.
        positions: by column of the log, the positions in `labels` that fill it, the preferred one
            first.
        unknown: the positions that fill no column.
    """

    labels: list[str]
    positions: dict[str, list[int]] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, log: Log, labels: Sequence[str]) -> Header:
        """Sort out the names of a file."""
        header = cls(list(labels))
        ranked: dict[str, list[tuple[int, int]]] = {}
        for position, label in enumerate(labels):
            match = log.column_for(label)
            if match is None:
                header.unknown.append(position)
            else:
                ranked.setdefault(match[0].name, []).append((match[1], position))
        for name, ranks in ranked.items():
            header.positions[name] = [position for _, position in sorted(ranks)]
        return header

    @property
    def unknown_labels(self) -> list[str]:
        """The names whose values go into `extra`: those of no column, and those that give way."""
        positions = [*self.unknown, *(loser for _, loser in self.contested)]
        return [self.labels[position] for position in positions]

    @property
    def contested(self) -> list[tuple[list[int], int]]:
        """Each position that gives way to others for the same column, behind those others."""
        return [
            (positions[:rank], loser)
            for positions in self.positions.values()
            for rank, loser in enumerate(positions)
            if rank
        ]

    def missing(self, log: Log) -> list[str]:
        """The required columns that the file has not."""
        return [name for name in log.required if name not in self.positions]

    def refuse_missing(self, log: Log, hint: str = "") -> None:
        """Insist on the required columns.

        Raises:
            FileFault: one is missing; the message says what there is instead.
        """
        missing = self.missing(log)
        if not missing:
            return
        shown = ", ".join(repr(label[:100]) for label in self.labels[:_NAMES_SHOWN])
        more = len(self.labels) - _NAMES_SHOWN
        several = len(missing) > 1
        raise FileFault(
            f"The required column{'s' if several else ''} {', '.join(missing)} of {log.name} "
            f"{'are' if several else 'is'} missing; the file has "
            f"{shown or 'no columns'}{f' and {more} more' if more > 0 else ''}",
            f"Add or rename the column{'s' if several else ''}{hint}, and deliver the file again",
        )

    def refuse_repeated(self) -> None:
        """Insist on different names.

        Raises:
            FileFault: two are the same, up to case and surrounding space.
        """
        seen: set[str] = set()
        for label in self.labels:
            name = label.strip().lower()
            if name in seen:
                raise FileFault(
                    f"The header names the column {name!r} twice",
                    "Keep one of the two, or rename one, and deliver the file again",
                )
            seen.add(name)


def first_filled(values: Sequence[str]) -> str:
    """SQL for the first text that is not blank."""
    if len(values) == 1:
        return values[0]
    return f"coalesce({', '.join(f'landing_text_or_null({value})' for value in values)})"


def json_object(
    members: Sequence[tuple[str, str]],
    bindings: Bindings,
    *,
    keep_nulls: bool = False,
    more: str | None = None,
) -> str:
    """SQL of a JSON object as text; null when it would be empty.

    Args:
        members: names, and SQL that gives JSON text or null.
        bindings: where the names are bound.
        keep_nulls: write members without a value as null instead of leaving them out.
        more: SQL that gives further members as text, or null.
    """
    if not members and more is None:
        return "cast(null as varchar)"
    parts = []
    for name, value in members:
        label = bindings.bind(json.dumps(name, ensure_ascii=False) + ":")
        text = f"cast({value} as varchar)"
        parts.append(f"{label} || coalesce({text}, 'null')" if keep_nulls else f"{label} || {text}")
    if more is not None:
        parts.append(more)
    joined = f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"
    return joined if keep_nulls else f"nullif({joined}, '{{}}')"


def extra_members(
    header: Header, value: Callable[[int], str], as_json: Callable[[int], str]
) -> list[tuple[str, str]]:
    """The members of `extra`: unknown columns, and values that gave way to a preferred name.

    Args:
        header: the file's names.
        value: SQL of the text at a position.
        as_json: SQL of the JSON text at a position, null where there is nothing.
    """
    members = [(header.labels[position], as_json(position)) for position in header.unknown]
    for winners, loser in header.contested:
        filled = " or ".join(f"not landing_is_blank({value(winner)})" for winner in winners)
        members.append((header.labels[loser], f"case when {filled} then {as_json(loser)} end"))
    return members


def size_options(repaired: Repaired | None = None) -> str:
    """The limits of DuckDB's text reader, wide enough for the longest line of a repaired file."""
    longest = LINE_BYTES
    if repaired is not None:
        longest = max(longest, repaired.longest + 1024)
    return f"max_line_size = {longest}, buffer_size = {max(2 * longest, BUFFER_BYTES)}"


def with_broken(source: Source, repaired: Repaired, broken: Path) -> Source:
    """Add the broken records of a repaired file to a source that gives its sound ones."""
    source.rows_read = repaired.sound + repaired.broken
    source.broken, source.broken_rows = broken, repaired.broken
    source.broken_longest = repaired.longest_broken
    return source
