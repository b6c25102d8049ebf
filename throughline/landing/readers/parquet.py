"""Parquet: typed columns go through without a detour over text.

Belongs here: the schema of a Parquet file and what its types mean. Does not belong here: checks.
"""

from __future__ import annotations

import os
from pathlib import Path

from throughline.engine.sql import Bindings, identifier, sql
from throughline.landing.contents import refuse_foreign
from throughline.landing.conversion import Shape
from throughline.landing.errors import FileFault
from throughline.landing.logs import Column, Kind
from throughline.landing.readers.source import (
    Header,
    Reading,
    Source,
    extra_members,
    first_filled,
    json_object,
)

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_SMALLEST = 12
_HEAD_BYTES = 1024
_ROW_NUMBER = "file_row_number"
_NUMERIC = frozenset(
    (
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
        *("FLOAT", "DOUBLE"),
    )
)
# Above it a float does not tell neighbouring integers apart.
_EXACT_FLOAT_LIMIT = 1 << 53


def read_parquet(reading: Reading) -> Source:
    """Make a Parquet file a query; the record count comes from the file's own metadata.

    Raises:
        FileFault: a required column is missing, or a name is there twice.
        duckdb.Error: it is no whole Parquet file.
    """
    _refuse_unfinished(reading.path)
    path = reading.plain_path()
    counted = reading.connection.execute(
        "select coalesce(sum(num_rows), 0) from parquet_file_metadata($path)", {"path": path}
    ).fetchone()
    assert counted is not None
    header = Header.of(reading.log, _labels(reading, path))
    header.refuse_repeated()
    header.refuse_missing(reading.log)
    types = [
        str(row[1])
        for row in reading.connection.execute(
            "describe select * from read_parquet($path, hive_partitioning = false)",
            {"path": path},
        ).fetchall()
    ]
    columns = [identifier(label) for label in header.labels]
    shapes: dict[str, Shape] = {}
    expressions: list[str] = []
    for name, positions in header.positions.items():
        if len(positions) == 1:
            shape, expression = _typed(
                reading.log.column(name), columns[positions[0]], types[positions[0]]
            )
        else:
            texts = [_as_text(columns[position], types[position]) for position in positions]
            shape, expression = Shape.TEXT, first_filled(texts)
        shapes[name] = shape
        given = "bytes" if shape is Shape.BYTES else "in"
        expressions.append(f"{expression} as {given}_{name}")
    # The reader adds its row number under a name that the file may have for itself.
    is_numbered = _ROW_NUMBER not in {label.lower() for label in header.labels}

    def value(position: int) -> str:
        return f"cast({columns[position]} as varchar)"

    def as_json(position: int) -> str:
        return _as_json(columns[position], types[position])

    def query(bindings: Bindings, with_row: bool) -> str:
        selected = [
            f"{_ROW_NUMBER} + 1 as row_no" if is_numbered else "row_number() over () as row_no",
            "cast(null as integer) as fault",
            f"{json_object(extra_members(header, value, as_json), bindings)} as extra",
            *expressions,
        ]
        if with_row:
            whole = [(label, as_json(position)) for position, label in enumerate(header.labels)]
            selected.append(f'{json_object(whole, bindings, keep_nulls=True)} as "row"')
        return sql(
            "select @{selected} from read_parquet(@{path}, hive_partitioning = false, "
            "file_row_number = @{is_numbered})",
            selected=", ".join(selected),
            path=bindings.bind(path),
            is_numbered="true" if is_numbered else "false",
        )

    return Source(
        rows_read=int(counted[0]), shapes=shapes, unknown=header.unknown_labels, query=query
    )


def _refuse_unfinished(path: Path) -> None:
    """Insist on a file that begins and ends as Parquet does.

    Raises:
        FileFault: it is of another kind, empty, encrypted, or cut off at either end.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(-min(len(head), len(_MAGIC)), os.SEEK_END)
        tail = stream.read()
    if not head:
        problem = "it is empty"
    elif _ENCRYPTED in (head[:4], tail):
        raise FileFault(
            "The file cannot be read as Parquet: it is encrypted", "Deliver it without encryption"
        )
    elif not head.startswith(_MAGIC):
        refuse_foreign(path, "Parquet", head)
        problem = "it does not begin as Parquet does"
    elif tail != _MAGIC or len(head) < _SMALLEST:
        problem = "it is cut off before its end"
    else:
        return
    raise FileFault(
        f"The file cannot be read as Parquet: {problem}",
        "Deliver it again, complete and in the format that its name says",
    )


def _labels(reading: Reading, path: str) -> list[str]:
    """The top-level names in order; fields of nested types are left out."""
    labels: list[str] = []
    fields_to_come: list[int] = []
    rows = reading.connection.execute(
        "select name, coalesce(num_children, 0) from parquet_schema($path)", {"path": path}
    ).fetchall()
    # The first row is the root.
    for name, fields in rows[1:]:
        if fields_to_come:
            fields_to_come[-1] -= 1
        else:
            labels.append(str(name))
        if fields:
            fields_to_come.append(int(fields))
        while fields_to_come and not fields_to_come[-1]:
            fields_to_come.pop()
    return labels


def _typed(column: Column, given: str, kind: str) -> tuple[Shape, str]:
    if column.kind is Kind.INSTANT:
        if kind.startswith("TIMESTAMPTZ") or kind == "TIMESTAMP WITH TIME ZONE":
            # Since DuckDB 2.0 nanoseconds have a type of their own, with fewer functions.
            instant = f"cast({given} as timestamptz)"
            # Far cheaper than the conversion by time zone, which only infinity needs.
            return Shape.UTC, (
                f"coalesce(make_timestamp(epoch_us({instant})), {instant} at time zone 'UTC')"
            )
        if kind.startswith("TIMESTAMP") or kind == "DATE":
            return Shape.WALL, f"cast({given} as timestamp)"
    if _is_number(kind) and column.kind in (Kind.SCORE, Kind.AMOUNT):
        return Shape.NUMBER, given
    if kind == "BLOB":
        # Strings that the writer did not mark as such.
        return Shape.BYTES, given
    return Shape.TEXT, _as_text(given, kind)


def _as_text(given: str, kind: str) -> str:
    if kind == "VARCHAR":
        return given
    if kind == "BLOB":
        return f"coalesce(try(decode({given})), cast({given} as varchar))"
    if kind.startswith("DECIMAL"):
        # The type says how many digits follow the point, and not the id: 1002.0000 is the id 1002.
        return (
            f"case when {given} = trunc({given}) "
            f"then cast(cast({given} as decimal(38, 0)) as varchar) "
            f"else cast({given} as varchar) end"
        )
    if kind == "BLOB[]":
        return _as_text(_decoded(given), "VARCHAR[]")
    if kind in ("FLOAT", "DOUBLE"):
        # Ids become floats when a data frame has gaps in them: 1002.0 is the id 1002. The cast may
        # be done for a gap as well, since DuckDB takes what several branches share out of them.
        return (
            f"case when isnan({given}) then null "
            f"when {given} = trunc({given}) and abs({given}) < {_EXACT_FLOAT_LIMIT} "
            f"then cast(try_cast({given} as bigint) as varchar) else cast({given} as varchar) end"
        )
    if _is_nested(kind):
        return f"cast(to_json({given}) as varchar)"
    return f"cast({given} as varchar)"


def _as_json(given: str, kind: str) -> str:
    if kind in ("FLOAT", "DOUBLE"):
        # JSON has no word for numbers that are not finite.
        return f"case when isfinite({given}) then to_json({given}) end"
    if kind == "BLOB[]":
        return f"to_json({_decoded(given)})"
    if _is_nested(kind) or kind == "BOOLEAN" or _is_number(kind):
        return f"to_json({given})"
    # Every type has a text, and not every type has a JSON value.
    return f"to_json({_as_text(given, kind)})"


def _decoded(given: str) -> str:
    """SQL of a list of texts that came as a list of bytes."""
    return (
        f"list_transform({given}, lambda item: coalesce(try(decode(item)), cast(item as varchar)))"
    )


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))


def _is_number(kind: str) -> bool:
    return kind in _NUMERIC or kind.startswith("DECIMAL")
