"""One reader per format: each turns a file into a query that DuckDB runs.

Belongs here: headers, delimiters, record boundaries, the mapping of a file's names to a log's
columns, and what makes a whole file unreadable. Does not belong here: what a value means
(`conversion`), or what is done with the rows (`loading`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration.landing.conversion import Shape
from orchestration.landing.errors import FileFault
from orchestration.landing.files import Content, LandedFile
from orchestration.landing.logs import Column, Kind, Log
from orchestration.landing.repair import (
    LINE_SEPARATOR,
    MAX_RECORD_BYTES,
    Repaired,
    repair_csv,
    repair_lines,
)
from orchestration.landing.sql import Bindings, identifier, sql

DELIMITERS = ",;\t|"

_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 1 << 20
# Long enough for a body of a few megabytes; a file with longer lines takes the careful way.
_LINE_BYTES = 8 << 20
_BUFFER_BYTES = 32 << 20

# Column names that this package's own queries use.
_MAX_HEADER_SHOWN = 20


@dataclass
class Source:
    """A file as a query.

    Attributes:
        rows_read: the records in the file, broken ones included, counted on their own way and not
            from what was loaded.
        shapes: for each column of the log that the file has, the type that the query gives.
        unknown: the names in the file that no column of the log has.
        query: makes the query's SQL, its values bound: `row_no`, `fault`, `extra`, `in_<column>`,
            and `row` (the record as text) when asked for.
        broken: a file of records that the query does not give because they are broken, one JSON
            object per line as `repair` writes them.
        broken_rows: how many.
    """

    rows_read: int
    shapes: dict[str, Shape]
    unknown: list[str]
    query: Callable[[Bindings, bool], str]
    broken: Path | None = None
    broken_rows: int = 0


@dataclass
class Header:
    """A file's names, sorted out.

    Attributes:
        names: by column of the log, the positions in the file that fill it, the preferred first.
        unknown: the positions that fill no column.
        labels: all names as the file has them.
    """

    labels: list[str]
    names: dict[str, list[int]] = field(default_factory=dict)
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
        for name, positions in ranked.items():
            header.names[name] = [position for _, position in sorted(positions)]
        return header

    def missing(self, log: Log) -> list[str]:
        """The required columns that the file has not."""
        return [name for name in log.required if name not in self.names]

    def demand(self, log: Log, hint: str = "") -> None:
        """Insist on the required columns.

        Raises:
            FileFault: one is missing; the message says what there is instead.
        """
        missing = self.missing(log)
        if not missing:
            return
        shown = ", ".join(repr(label) for label in self.labels[:_MAX_HEADER_SHOWN])
        more = len(self.labels) - _MAX_HEADER_SHOWN
        plural = "s" if len(missing) > 1 else ""
        raise FileFault(
            f"The required column{plural} {', '.join(missing)} of {log.name} "
            f"{'are' if plural else 'is'} missing; the file has "
            f"{shown or 'no columns'}{f' and {more} more' if more > 0 else ''}",
            f"Add or rename the column{plural}{hint}, and deliver the file again",
        )


def read(
    connection: duckdb.DuckDBPyConnection,
    log: Log,
    file: LandedFile,
    content: Content,
    scratch: Path,
    stack: ExitStack,
) -> Source:
    """Look into a file and make it a query.

    Args:
        connection: an open connection with the macros of `conversion`.
        log: the log that the file belongs to.
        file: the file, for its format.
        content: its bytes.
        scratch: a directory for copies; whatever is written there goes away with `stack`.
        stack: closes over everything that must live as long as the query.

    Raises:
        FileFault: the file cannot be read at all.
        duckdb.Error: likewise, as DuckDB says it.
    """
    path = _without_wildcards(content.path, scratch, stack)
    match file.format:
        case "parquet":
            return _read_parquet(connection, log, path)
        case "csv":
            return _read_csv(connection, log, path, scratch, stack)
        case _:
            return _read_json(connection, log, path, file.format, scratch, stack)


def _without_wildcards(path: Path, scratch: Path, stack: ExitStack) -> Path:
    """A path that DuckDB does not take for a pattern, as it does when it has wildcards."""
    if not set("*?[]{}") & set(str(path)):
        return path
    scratch.mkdir(parents=True, exist_ok=True)
    link = scratch / f"link{path.suffix}"
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    stack.callback(link.unlink, missing_ok=True)
    return link


def _scratch_file(scratch: Path, name: str, stack: ExitStack) -> Path:
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / name
    stack.callback(path.unlink, missing_ok=True)
    return path


def _count(connection: duckdb.DuckDBPyConnection, query: str, bindings: Bindings) -> int:
    row = connection.execute(
        sql("select count(*) from (@{query})", query=query), bindings.values
    ).fetchone()
    assert row is not None
    return int(row[0])


# --- Parquet ------------------------------------------------------------------------------------


def _read_parquet(connection: duckdb.DuckDBPyConnection, log: Log, path: Path) -> Source:
    counted = connection.execute(
        "select coalesce(sum(num_rows), 0) from parquet_file_metadata($path)", {"path": str(path)}
    ).fetchone()
    assert counted is not None
    labels = _parquet_labels(connection, path)
    _refuse_repeated_names(labels)
    types = [
        str(row[1])
        for row in connection.execute(
            "describe select * from read_parquet($path, hive_partitioning = false)",
            {"path": str(path)},
        ).fetchall()
    ]
    header = Header.of(log, labels)
    header.demand(log)
    shapes: dict[str, Shape] = {}
    expressions: dict[str, str] = {}
    for name, positions in header.names.items():
        column, given = log.column(name), [identifier(labels[position]) for position in positions]
        if len(given) == 1:
            shapes[name], expressions[name] = _parquet_value(column, given[0], types[positions[0]])
        else:
            shapes[name] = Shape.TEXT
            expressions[name] = _first_filled([f"cast({value} as varchar)" for value in given])

    def query(bindings: Bindings, with_row: bool) -> str:
        extra = [
            (labels[position], f"cast({identifier(labels[position])} as varchar)", position)
            for position in header.unknown
        ]
        members = [
            (labels[position], _parquet_json(labels[position], types[position]))
            for _, _, position in extra
        ]
        members.extend(
            (labels[loser], _unused(positions[:rank], loser, labels, types))
            for positions in header.names.values()
            for rank, loser in enumerate(positions)
            if rank
        )
        numbered = "file_row_number" not in {label.lower() for label in labels}
        columns = [
            "file_row_number + 1 as row_no" if numbered else "row_number() over () as row_no",
            "cast(null as integer) as fault",
            f"{_json_object(members, bindings)} as extra",
            *(
                f"{expression} as {identifier(f'in_{name}')}"
                for name, expression in expressions.items()
            ),
        ]
        if with_row:
            whole = [
                (label, _parquet_json(label, kind))
                for label, kind in zip(labels, types, strict=True)
            ]
            columns.append(f'{_json_object(whole, bindings, keep_nulls=True)} as "row"')
        return sql(
            "select @{columns} from read_parquet(@{path}, hive_partitioning = false, "
            "file_row_number = @{numbered})",
            columns=", ".join(columns),
            path=bindings.bind(str(path)),
            numbered="true" if numbered else "false",
        )

    return Source(
        rows_read=int(counted[0]),
        shapes=shapes,
        unknown=[labels[position] for position in header.unknown],
        query=query,
    )


def _parquet_labels(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """The top-level names of a Parquet file, in order; nested fields are left out."""
    labels: list[str] = []
    inside: list[int] = []
    rows = connection.execute(
        "select name, coalesce(num_children, 0) from parquet_schema($path)", {"path": str(path)}
    ).fetchall()
    for name, children in rows[1:]:
        if not inside:
            labels.append(str(name))
        else:
            inside[-1] -= 1
        if children:
            inside.append(int(children))
        while inside and inside[-1] == 0:
            inside.pop()
    return labels


def _parquet_value(column: Column, given: str, kind: str) -> tuple[Shape, str]:
    """The shape and the expression of one typed column."""
    if column.kind is Kind.INSTANT:
        if kind == "TIMESTAMP WITH TIME ZONE":
            # Far cheaper than the conversion with a time zone, which infinity needs.
            return Shape.UTC, (
                f"coalesce(make_timestamp(epoch_us({given})), {given} at time zone 'UTC')"
            )
        if kind.startswith("TIMESTAMP") or kind == "DATE":
            return Shape.WALL, f"cast({given} as timestamp)"
    if column.kind in (Kind.SCORE, Kind.AMOUNT) and _is_numeric(kind):
        return Shape.NUMBER, given
    return Shape.TEXT, _parquet_text(given, kind)


def _parquet_text(given: str, kind: str) -> str:
    if kind == "VARCHAR":
        return given
    if kind in ("FLOAT", "DOUBLE"):
        # Ids become floats when a data frame has gaps in them: 1002.0 is the id 1002.
        return (
            f"case when isnan({given}) then null "
            f"when {given} = trunc({given}) and abs({given}) < 9007199254740992 "
            f"then cast(cast({given} as bigint) as varchar) else cast({given} as varchar) end"
        )
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"cast(to_json({given}) as varchar)"
    return f"cast({given} as varchar)"


def _is_numeric(kind: str) -> bool:
    return kind.startswith("DECIMAL") or kind in (
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
        *("FLOAT", "DOUBLE"),
    )


def _parquet_json(label: str, kind: str) -> str:
    given = identifier(label)
    if kind in ("FLOAT", "DOUBLE"):
        # JSON has no word for the values that are not finite.
        return f"case when isfinite({given}) then to_json({given}) end"
    return f"to_json({given})"


def _unused(winners: list[int], loser: int, labels: list[str], types: list[str]) -> str:
    taken = " or ".join(f"{identifier(labels[winner])} is not null" for winner in winners)
    return f"case when {taken} then {_parquet_json(labels[loser], types[loser])} end"


# --- shared -------------------------------------------------------------------------------------


def _refuse_repeated_names(labels: Sequence[str]) -> None:
    seen: set[str] = set()
    for label in labels:
        name = label.strip().lower()
        if name in seen:
            raise FileFault(
                f"The header names the column {name!r} twice",
                "Keep one of the two, or rename one, and deliver the file again",
            )
        seen.add(name)


def _first_filled(values: Sequence[str]) -> str:
    """The first value that is not blank."""
    if len(values) == 1:
        return values[0]
    return f"coalesce({', '.join(f'landing_text_or_null({value})' for value in values)})"


def _json_object(
    members: Sequence[tuple[str, str]], bindings: Bindings, *, keep_nulls: bool = False
) -> str:
    """SQL of a JSON object as text; null when it would be empty.

    Args:
        members: names, and SQL that gives JSON text or null.
        bindings: where the names are bound.
        keep_nulls: write members without a value as null instead of leaving them out.
    """
    if not members:
        return "cast(null as varchar)"
    parts = []
    for name, value in members:
        label = bindings.bind(json.dumps(name, ensure_ascii=False) + ":")
        text = f"cast({value} as varchar)"
        parts.append(f"{label} || {f'''coalesce({text}, 'null')''' if keep_nulls else text}")
    joined = f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"
    return joined if keep_nulls else f"nullif({joined}, '{{}}')"


def _alias_members(
    header: Header, value: Callable[[int], str], as_json: Callable[[int], str]
) -> list[tuple[str, str]]:
    """The values that lost against a preferred name of the same column, for `extra`."""
    members = []
    for positions in header.names.values():
        for rank, loser in enumerate(positions):
            if rank:
                filled = " or ".join(
                    f"not landing_is_blank({value(winner)})" for winner in positions[:rank]
                )
                members.append(
                    (header.labels[loser], f"case when {filled} then {as_json(loser)} end")
                )
    return members


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES).removeprefix(_BOM)


def _refuse_foreign_content(head: bytes, name: str) -> None:
    for magic, what, remedy in (
        (b"\x1f\x8b", "gzip", "Name it with .gz at the end"),
        (b"\x28\xb5\x2f\xfd", "Zstandard", "Name it with .zst at the end"),
        (b"PAR1", "Parquet", "Name it with .parquet at the end"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet", "Export it as plain CSV"),
        (b"\xff\xfe", "UTF-16 text", "Deliver the file in UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "Deliver the file in UTF-8"),
    ):
        if head.startswith(magic):
            raise FileFault(f"The content is {what} and not {name}", remedy)


def _empty() -> Source:
    def query(bindings: Bindings, with_row: bool) -> str:
        return (
            "select 0 as row_no, cast(null as integer) as fault, cast(null as varchar) as extra, "
            """cast(null as varchar) as "row" where false"""
        )

    return Source(rows_read=0, shapes={}, unknown=[], query=query)


# --- CSV ----------------------------------------------------------------------------------------


def _read_csv(
    connection: duckdb.DuckDBPyConnection, log: Log, path: Path, scratch: Path, stack: ExitStack
) -> Source:
    head = _head(path)
    _refuse_foreign_content(head, "CSV")
    if not head.strip():
        return _empty()
    delimiter, labels = _csv_header(log, head)
    header = Header.of(log, labels)
    header.demand(log, " (values are separated by comma, semicolon, tab or bar)")
    _refuse_repeated_names(labels)

    def relation(bindings: Bindings) -> str:
        columns = ", ".join(f"'c{position}': 'varchar'" for position in range(len(labels)))
        return sql(
            "select row_number() over () as row_no, * from read_csv(@{path}, @{options}, "
            "delim = @{delimiter}, skip = 1, columns = {@{columns}}, "
            "max_line_size = @{line}, buffer_size = @{buffer})",
            path=bindings.bind(str(path)),
            options=_CSV_OPTIONS,
            delimiter=bindings.bind(delimiter),
            columns=columns,
            line=str(_LINE_BYTES),
            buffer=str(_BUFFER_BYTES),
        )

    source = _csv_source(header, relation)
    if _starts_plainly(head):
        try:
            bindings = Bindings()
            source.rows_read = _validated_count(connection, relation(bindings), bindings)
            return source
        except duckdb.Error as error:
            _raise_unless_of_the_file(error)
    clean = _scratch_file(scratch, "clean.csv", stack)
    broken = _scratch_file(scratch, "broken.jsonl", stack)
    repaired = repair_csv(path, clean, broken, delimiter=delimiter, header=labels)

    def repaired_relation(bindings: Bindings) -> str:
        columns = ", ".join(f"'c{position}': 'varchar'" for position in range(len(labels)))
        return sql(
            "select * from read_csv(@{path}, @{options}, delim = @{delimiter}, "
            "columns = {'row_no': 'bigint', @{columns}}, new_line = '\\n', "
            "max_line_size = @{line}, buffer_size = @{buffer})",
            path=bindings.bind(str(clean)),
            options=_CSV_OPTIONS,
            delimiter=bindings.bind(delimiter),
            columns=columns,
            **_sizes(repaired),
        )

    source = _csv_source(header, repaired_relation)
    return _with_broken(source, repaired, broken)


# One thread: a quoted line break makes it guesswork where a second one may start. The rows come in
# the file's order, which gives the record numbers.
_CSV_OPTIONS = (
    "auto_detect = false, header = false, quote = '\"', escape = '\"', strict_mode = true, "
    "parallel = false, hive_partitioning = false"
)


def _sizes(repaired: Repaired) -> dict[str, str]:
    longest = max(repaired.longest + 1024, _LINE_BYTES)
    return {"line": str(longest), "buffer": str(max(2 * longest, _BUFFER_BYTES))}


def _with_broken(source: Source, repaired: Repaired, broken: Path) -> Source:
    source.rows_read = repaired.sound + repaired.broken
    source.broken, source.broken_rows = broken, repaired.broken
    return source


def _validated_count(
    connection: duckdb.DuckDBPyConnection, relation: str, bindings: Bindings
) -> int:
    """Count the records, and read every value so that each fault of the text shows now."""
    row = connection.execute(
        sql("select count(*), bit_xor(hash(columns(*))) from (@{relation})", relation=relation),
        bindings.values,
    ).fetchone()
    assert row is not None
    return int(row[0])


def _raise_unless_of_the_file(error: duckdb.Error) -> None:
    """Let a failure pass that is about the file's text; raise any other."""
    of_the_file = (
        duckdb.InvalidInputException,
        duckdb.NotImplementedException,
        duckdb.ConversionException,
    )
    if not isinstance(error, of_the_file):
        raise error


def _starts_plainly(head: bytes) -> bool:
    """The header is the first line, so that DuckDB can skip it as such."""
    first = head.replace(b"\r", b"\n").partition(b"\n")[0]
    return bool(first.strip()) and first.count(b'"') % 2 == 0


def _csv_header(log: Log, head: bytes) -> tuple[str, list[str]]:
    """The delimiter that makes the best sense of the header, and the names with it."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character, or a record further down be bad.
        text = head.decode("utf-8", "replace")
        if "\ufffd" in text.lstrip().partition("\n")[0]:
            raise FileFault(
                f"The header is not UTF-8 (byte 0x{head[error.start]:02x})",
                "Deliver the file in UTF-8",
            ) from error
    best: tuple[tuple[int, int, int], str, list[str]] | None = None
    for delimiter in DELIMITERS:
        names = _csv_names(text, delimiter)
        header = Header.of(log, names)
        score = (-len(header.missing(log)), len(header.names), len(names))
        if best is None or score > best[0]:
            best = (score, delimiter, names)
    assert best is not None
    return best[1], best[2]


def _csv_names(text: str, delimiter: str) -> list[str]:
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(value.strip() for value in record):
                return [
                    name.strip() or f"column_{number}"
                    for number, name in enumerate(record, start=1)
                ]
    except csv.Error:
        pass
    return []


def _csv_source(header: Header, relation: Callable[[Bindings], str]) -> Source:
    def value(position: int) -> str:
        return f"c{position}"

    def as_json(position: int) -> str:
        return f"to_json(c{position})"

    def query(bindings: Bindings, with_row: bool) -> str:
        members = [(header.labels[position], as_json(position)) for position in header.unknown]
        members.extend(_alias_members(header, value, as_json))
        columns = [
            "row_no",
            "cast(null as integer) as fault",
            f"{_json_object(members, bindings)} as extra",
            *(
                f"{_first_filled([value(position) for position in positions])} as "
                f"{identifier(f'in_{name}')}"
                for name, positions in header.names.items()
            ),
        ]
        if with_row:
            whole = [(label, as_json(position)) for position, label in enumerate(header.labels)]
            columns.append(f'{_json_object(whole, bindings, keep_nulls=True)} as "row"')
        return sql(
            "select @{columns} from (@{relation})",
            columns=", ".join(columns),
            relation=relation(bindings),
        )

    return Source(
        rows_read=0,
        shapes=dict.fromkeys(header.names, Shape.TEXT),
        unknown=[header.labels[position] for position in header.unknown],
        query=query,
    )


# --- JSON ---------------------------------------------------------------------------------------


def _read_json(
    connection: duckdb.DuckDBPyConnection,
    log: Log,
    path: Path,
    name: str,
    scratch: Path,
    stack: ExitStack,
) -> Source:
    head = _head(path)
    _refuse_foreign_content(head, "JSON")
    if not head.strip():
        return _empty()
    if head.lstrip().startswith(b"["):
        return _json_source(connection, log, _json_document(path, "array"))
    if name == "json" and not _is_json_lines(head):
        return _json_source(connection, log, _json_document(path, "unstructured"))

    def lines(bindings: Bindings) -> str:
        return sql(
            "select row_number() over () as row_no, line from read_csv(@{path}, @{options}, "
            "columns = {'line': 'varchar'}, max_line_size = @{line}, buffer_size = @{buffer})",
            path=bindings.bind(str(path)),
            options=_LINE_OPTIONS,
            line=str(_LINE_BYTES),
            buffer=str(_BUFFER_BYTES),
        )

    try:
        return _json_source(connection, log, lines)
    except duckdb.Error as error:
        _raise_unless_of_the_file(error)
    clean = _scratch_file(scratch, "clean.jsonl", stack)
    broken = _scratch_file(scratch, "broken.jsonl", stack)
    repaired = repair_lines(path, clean, broken)
    if not repaired.sound:
        raise FileFault(
            "No line of the file is text in UTF-8",
            "Deliver one JSON object per line, in UTF-8",
        )

    def repaired_lines(bindings: Bindings) -> str:
        return sql(
            "select * from read_csv(@{path}, @{options}, new_line = '\\n', "
            "columns = {'row_no': 'bigint', 'line': 'varchar'}, "
            "max_line_size = @{line}, buffer_size = @{buffer})",
            path=bindings.bind(str(clean)),
            options=_LINE_OPTIONS,
            **_sizes(repaired),
        )

    source = _json_source(connection, log, repaired_lines)
    source.rows_read += repaired.broken
    source.broken, source.broken_rows = broken, repaired.broken
    return source


# Each line is one value: without quotes and with a delimiter that JSON cannot hold. Lines are not
# strict about their ends, because files are glued together from several systems.
_LINE_OPTIONS = (
    f"auto_detect = false, header = false, delim = '{LINE_SEPARATOR.decode()}', quote = '', "
    "escape = '', strict_mode = false, parallel = false, hive_partitioning = false"
)


def _is_json_lines(head: bytes) -> bool:
    """The first line is a whole JSON value, or the file cannot be a document of several lines."""
    first = head.lstrip().partition(b"\n")[0]
    try:
        json.loads(first)
    except ValueError:
        return not first.strip().endswith((b"{", b"[", b","))
    return True


def _json_document(path: Path, layout: str) -> Callable[[Bindings], str]:
    def relation(bindings: Bindings) -> str:
        return sql(
            "select row_number() over () as row_no, cast(json as varchar) as line "
            "from read_json_objects(@{path}, format = @{layout}, maximum_object_size = @{size}, "
            "hive_partitioning = false)",
            path=bindings.bind(str(path)),
            layout=bindings.bind(layout),
            size=str(MAX_RECORD_BYTES),
        )

    return relation


def _json_source(
    connection: duckdb.DuckDBPyConnection, log: Log, lines: Callable[[Bindings], str]
) -> Source:
    def records(bindings: Bindings, check_keys: bool) -> str:
        repeated = (
            "when len(json_keys(line)) <> len(list_distinct(json_keys(line))) then 3"
            if check_keys
            else ""
        )
        return sql(
            "select row_no, line, case when not json_valid(line) then 1 "
            "when json_type(line) <> 'OBJECT' then 2 @{repeated} end as fault "
            "from (@{lines}) where landing_bare(line) is not null",
            repeated=repeated,
            lines=lines(bindings),
        )

    bindings = Bindings()
    # One row per set of keys and fault.
    patterns = connection.execute(
        sql(
            "select case when fault is null then json_keys(line) end as keys, count(*) "
            "from (@{records}) group by keys",
            records=records(bindings, False),
        ),
        bindings.values,
    ).fetchall()
    rows_read = sum(int(count) for _, count in patterns)
    if rows_read and all(keys is None for keys, _ in patterns):
        raise FileFault(
            "No line of the file is a JSON object",
            "Deliver one JSON object per line, or an array of objects",
        )
    check_keys = any(keys is not None and len(set(keys)) < len(keys) for keys, _ in patterns)
    labels = sorted({key for keys, _ in patterns for key in keys or ()})
    header = Header.of(log, labels)
    if rows_read:
        header.demand(log)
    pointers = ["/" + label.replace("~", "~0").replace("/", "~1") for label in labels]
    known = [position for positions in header.names.values() for position in positions]
    slots = {position: slot for slot, position in enumerate(known, start=1)}
    others = [*header.unknown, *(p for p in known if _loses(header, p))]
    other_slots = {position: slot for slot, position in enumerate(others, start=1)}

    def value(position: int) -> str:
        return f"known[{slots[position]}]"

    def as_json(position: int) -> str:
        return f"nullif(cast(others[{other_slots[position]}] as varchar), 'null')"

    def verbatim(position: int, bindings: Bindings) -> str:
        """A number with a point or an exponent was read as a double: take its digits back."""
        pattern = _number_pattern(labels[position])
        return (
            f"case when contains({value(position)}, '.') and landing_is_number({value(position)}) "
            f"and json_type(line, {bindings.bind(pointers[position])}) = 'DOUBLE' "
            f"then coalesce(list_filter(regexp_extract_all(line, {bindings.bind(pattern)}, 1), "
            f"lambda digits: try_cast(digits as double) = "
            f"try_cast({value(position)} as double))[1], "
            f"{value(position)}) else {value(position)} end"
        )

    def query(bindings: Bindings, with_row: bool) -> str:
        def given(name: str, position: int) -> str:
            is_instant = log.column(name).kind is Kind.INSTANT
            return value(position) if is_instant else verbatim(position, bindings)

        members = [(labels[position], as_json(position)) for position in header.unknown]
        members.extend(_alias_members(header, value, as_json))
        columns = [
            "row_no",
            "fault",
            f"{_json_object(members, bindings)} as extra",
            *(
                f"{_first_filled([given(name, position) for position in positions])} as "
                f"{identifier(f'in_{name}')}"
                for name, positions in header.names.items()
            ),
        ]
        if with_row:
            columns.append('line as "row"')
        extracts = "".join(
            f", case when fault is null then {function}(line, "
            f"{bindings.bind([pointers[position] for position in positions])}) end as {target}"
            for function, positions, target in (
                ("json_extract_string", known, "known"),
                ("json_extract", others, "others"),
            )
            if positions
        )
        return sql(
            "select @{columns} from (select *@{extracts} from (@{records}))",
            columns=", ".join(columns),
            extracts=extracts,
            records=records(bindings, check_keys),
        )

    return Source(
        rows_read=rows_read,
        shapes=dict.fromkeys(header.names, Shape.TEXT),
        unknown=[labels[position] for position in header.unknown],
        query=query,
    )


def _loses(header: Header, position: int) -> bool:
    return any(position in positions[1:] for positions in header.names.values())


def _number_pattern(key: str) -> str:
    """A regular expression for the numbers that follow a key in JSON text."""
    spelled = json.dumps(key, ensure_ascii=False)
    escaped = "".join(
        character if character.isalnum() or character == "_" else f"\\x{{{ord(character):x}}}"
        for character in spelled
    )
    return escaped + r"\s*:\s*(-?[0-9][0-9.eE+-]*)"
