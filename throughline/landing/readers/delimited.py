"""CSV: delimiters, headers, and the fast and the careful way through the records.

Belongs here: everything about delimited text. Does not belong here: splitting broken text into
records (`repair`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from throughline.engine.sql import Bindings, sql
from throughline.landing.conversion import Shape
from throughline.landing.errors import FileFault
from throughline.landing.logs import Log
from throughline.landing.readers.source import (
    Header,
    Reading,
    Source,
    empty_source,
    extra_members,
    first_filled,
    json_object,
    size_options,
    with_broken,
)
from throughline.landing.repair import repair_csv

DELIMITERS = ",;\t|"

# DuckDB has two scanners, and each is wrong where the other is right. With `parallel = false` the
# records are those of the file whatever its quotes hold, but a last record whose quote never closes
# goes missing in silence. With `parallel = true` that is an error, but so are, now and then, sound
# files whose quoted line breaks look like records. So records are counted with the one and loaded
# with the other, and where they disagree the careful way decides.
_OPTIONS = (
    "auto_detect = false, header = false, quote = '\"', escape = '\"', strict_mode = true, "
    "hive_partitioning = false"
)


def read_delimited(reading: Reading) -> Source:
    """Make a CSV file a query; the header's names decide on the delimiter.

    Raises:
        FileFault: the header is not readable, lacks a required column or has a name twice.
        duckdb.Error: a record is broken, and the careful way was not asked for.
    """
    head = reading.head()
    if not head.strip():
        return empty_source()
    delimiter, header = find_header(reading.log, head)
    header.refuse_missing(
        reading.log, " (values are separated by comma, semicolon, tab or vertical bar)"
    )
    header.refuse_repeated()
    types = ", ".join(f"'{_name(position)}': 'varchar'" for position in range(len(header.labels)))
    if reading.careful or not _header_is_first_line(head):
        return _read_carefully(reading, header, delimiter, types)
    path = reading.plain_path()

    def records(bindings: Bindings, is_parallel: bool = False) -> str:
        return sql(
            "select row_number() over () as row_no, * from read_csv(@{path}, @{options}, "
            "@{sizes}, parallel = @{parallel}, delim = @{delimiter}, skip = 1, "
            "columns = {@{types}})",
            path=bindings.bind(path),
            options=_OPTIONS,
            sizes=size_options(),
            parallel="true" if is_parallel else "false",
            delimiter=bindings.bind(delimiter),
            types=types,
        )

    source = _source(header, records)
    bindings = Bindings()
    counted = reading.connection.execute(
        sql("select count(*) from (@{records})", records=records(bindings, is_parallel=True)),
        bindings.values,
    ).fetchone()
    assert counted is not None
    source.rows_read = int(counted[0])
    return source


def _read_carefully(reading: Reading, header: Header, delimiter: str, types: str) -> Source:
    clean = reading.scratch_file("clean.csv")
    broken = reading.scratch_file("broken.jsonl")
    repaired = repair_csv(reading.path, clean, broken, delimiter=delimiter, header=header.labels)

    def records(bindings: Bindings) -> str:
        return sql(
            "select * from read_csv(@{path}, @{options}, @{sizes}, parallel = false, "
            "delim = @{delimiter}, new_line = '\\n', columns = {'row_no': 'bigint', @{types}})",
            path=bindings.bind(str(clean)),
            options=_OPTIONS,
            sizes=size_options(repaired),
            delimiter=bindings.bind(delimiter),
            types=types,
        )

    return with_broken(_source(header, records), repaired, broken)


def _source(header: Header, records: Callable[[Bindings], str]) -> Source:
    def as_json(position: int) -> str:
        return f"to_json({_name(position)})"

    def query(bindings: Bindings, with_row: bool) -> str:
        selected = [
            "row_no",
            "cast(null as integer) as fault",
            f"{json_object(extra_members(header, _name, as_json), bindings)} as extra",
            *(
                f"{first_filled([_name(position) for position in positions])} as in_{name}"
                for name, positions in header.positions.items()
            ),
        ]
        if with_row:
            whole = [(label, as_json(position)) for position, label in enumerate(header.labels)]
            selected.append(f'{json_object(whole, bindings, keep_nulls=True)} as "row"')
        return sql(
            "select @{selected} from (@{records})",
            selected=", ".join(selected),
            records=records(bindings),
        )

    shapes = dict.fromkeys(header.positions, Shape.TEXT)
    return Source(rows_read=0, shapes=shapes, unknown=header.unknown_labels, query=query)


def _name(position: int) -> str:
    return f"value_{position}"


def _header_is_first_line(head: bytes) -> bool:
    """DuckDB can skip the header as one line: nothing is before it and no line break in it."""
    first = head.replace(b"\r", b"\n").partition(b"\n")[0]
    return bool(first.strip()) and first.count(b'"') % 2 == 0


def find_header(log: Log, head: bytes) -> tuple[str, Header]:
    """The delimiter that makes the best sense of the header, and the names with it.

    Args:
        log: the log whose columns are looked for.
        head: the first bytes of the file, the header among them.

    Raises:
        FileFault: the header is not UTF-8.
    """
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
    candidates = [(delimiter, Header.of(log, _names(text, delimiter))) for delimiter in DELIMITERS]
    return max(
        candidates,
        key=lambda candidate: (
            -len(candidate[1].missing(log)),
            len(candidate[1].positions),
            len(candidate[1].labels),
        ),
    )


def _names(text: str, delimiter: str) -> list[str]:
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(value.strip() for value in record):
                return [
                    name.strip() or f"column_{number}"
                    for number, name in enumerate(record, start=1)
                ]
    except csv.Error:
        # A NUL byte, or a name longer than any: no header with this delimiter.
        pass
    return []
