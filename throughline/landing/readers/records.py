"""JSON: one object per line, an array of objects, or objects one after the other.

Belongs here: everything about JSON text. Does not belong here: splitting text that DuckDB refuses
into lines (`repair`) or values (`documents`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from throughline.engine.sql import Bindings, sql
from throughline.landing.conversion import Shape
from throughline.landing.documents import GLUED, repair_document, values_of_line
from throughline.landing.errors import FileFault, NeedsCare
from throughline.landing.logs import Kind
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
from throughline.landing.repair import (
    LINE_SEPARATOR,
    MAX_RECORD_BYTES,
    Repaired,
    repair_lines,
)

# Makes the SQL that gives `row_no` and `line`; told whether DuckDB may use its parallel scanner. As
# in `delimited`, one scanner counts and the other loads, and they have to agree.
Lines = Callable[[Bindings, bool], str]

_MANY_KEYS = 100

# All members of an object but the known ones, each looked up by its own key.
_UNKNOWN_MEMBERS = """
    case when fault is null then nullif(array_to_string(list_filter(list_transform(
        list_filter(json_keys(line), lambda key: not list_contains(@{known}, key)),
        lambda key: cast(to_json(key) as varchar) || ':' || nullif(cast(json_extract(
            line, '/' || replace(replace(key, '~', '~0'), '/', '~1')
        ) as varchar), 'null')
    ), lambda member: member is not null), ','), '') end
"""

# Each line is one value: without quotes, and with a delimiter that JSON cannot hold.
_OPTIONS = (
    f"auto_detect = false, header = false, delim = '{LINE_SEPARATOR.decode()}', quote = '', "
    "escape = '', strict_mode = true, hive_partitioning = false"
)


def read_records(reading: Reading) -> Source:
    """Make a JSON file a query.

    Raises:
        FileFault: there is no object in it, or a required column in none of its objects.
        duckdb.Error: an array or a document is malformed, or a line is not UTF-8 or very long and
            the careful way was not asked for.
    """
    head = reading.head().lstrip()
    if not head:
        return empty_source()
    is_document = reading.format == "json"
    is_array = head.startswith(b"[")
    if is_array or (is_document and not _has_lines(head)):
        if reading.careful:
            return _read_carefully(reading, repair_document)
        return _source(reading, _values(reading, "array" if is_array else "unstructured"))
    if reading.careful:
        return _read_carefully(reading, partial(repair_lines, values_of=values_of_line))
    path = reading.plain_path()

    def lines(bindings: Bindings, is_parallel: bool) -> str:
        return sql(
            # One of the scanners gives a row for an empty line and the other does not.
            "select row_number() over () as row_no, line from read_csv(@{path}, @{options}, "
            "@{sizes}, parallel = @{parallel}, columns = {'line': 'varchar'}) "
            "where landing_bare(line) is not null",
            path=bindings.bind(path),
            options=_OPTIONS,
            sizes=size_options(),
            parallel="true" if is_parallel else "false",
        )

    return _source(reading, lines)


def _read_carefully(reading: Reading, repair: Callable[[Path, Path, Path], Repaired]) -> Source:
    clean = reading.scratch_file("clean.jsonl")
    broken = reading.scratch_file("broken.jsonl")
    repaired = repair(reading.path, clean, broken)
    if not repaired.sound:
        raise FileFault(
            "No record of the file is JSON in UTF-8", "Deliver one JSON object per line, in UTF-8"
        )

    def lines(bindings: Bindings, is_parallel: bool) -> str:
        return sql(
            "select * from read_csv(@{path}, @{options}, @{sizes}, parallel = false, "
            "new_line = '\\n', columns = {'row_no': 'bigint', 'line': 'varchar'})",
            path=bindings.bind(str(clean)),
            options=_OPTIONS,
            sizes=size_options(repaired),
        )

    return with_broken(_source(reading, lines), repaired, broken)


def _has_lines(head: bytes) -> bool:
    """The first line is a whole value, or nothing that goes on in the next line."""
    first = head.partition(b"\n")[0].strip()
    try:
        json.loads(first)
    except ValueError:
        return not first.endswith((b"{", b"[", b","))
    return True


def _values(reading: Reading, layout: str) -> Lines:
    path = reading.plain_path()

    def lines(bindings: Bindings, is_parallel: bool) -> str:
        return sql(
            "select row_number() over () as row_no, cast(json as varchar) as line "
            "from read_json_objects(@{path}, format = @{layout}, maximum_object_size = @{size}, "
            "hive_partitioning = false)",
            path=bindings.bind(path),
            layout=bindings.bind(layout),
            size=str(MAX_RECORD_BYTES),
        )

    return lines


def _objects(
    lines: Lines, bindings: Bindings, *, is_parallel: bool, refuse_repeated_keys: bool
) -> str:
    repeated = "when len(json_keys(line)) <> len(list_distinct(json_keys(line))) then 3"
    return sql(
        "select row_no, line, case when not json_valid(line) then 1 "
        "when landing_bare(line)[1] <> '{' then 2 @{repeated} end as fault "
        "from (@{lines})",
        repeated=repeated if refuse_repeated_keys else "",
        lines=lines(bindings, is_parallel),
    )


@dataclass(frozen=True)
class _Found:
    """What is in a file, before any value is looked at.

    Attributes:
        rows: the values in it, sound or not.
        has_objects: one of them is an object.
        has_repeated_keys: an object has a key twice.
        has_glued: a line that is no JSON looks like several objects.
        keys: the keys of all objects.
    """

    rows: int
    has_objects: bool
    has_repeated_keys: bool
    has_glued: bool
    keys: list[str]


def _look_through(reading: Reading, lines: Lines) -> _Found:
    bindings = Bindings()
    row = reading.connection.execute(
        sql(
            """
            with patterns as (
                -- One line stands for all with the same keys: there are few sets of keys.
                select fault, first(line) as line, count(*) as rows,
                    bool_or(
                        case when fault = 1 then regexp_matches(line, @{glued}) end
                    ) as is_glued
                from (@{objects})
                group by fault, case when fault is null then hash(json_keys(line)) end
            ),

            found as (
                select rows, is_glued, case when fault is null then json_keys(line) end as keys
                from patterns
            )

            select
                (select coalesce(sum(rows), 0) from found),
                (select count(*) from found where keys is not null),
                (select count(*) from found where len(list_distinct(keys)) < len(keys)),
                (select count(*) from found where is_glued),
                (
                    select list(key order by key)
                    from (select distinct unnest(keys) as key from found)
                )
            """,
            glued=bindings.bind(GLUED),
            objects=_objects(lines, bindings, is_parallel=True, refuse_repeated_keys=False),
        ),
        bindings.values,
    ).fetchone()
    assert row is not None
    rows, objects, repeated, glued, keys = row
    return _Found(int(rows), bool(objects), bool(repeated), bool(glued), list(keys or ()))


def _source(reading: Reading, lines: Lines) -> Source:
    found = _look_through(reading, lines)
    if found.has_glued and not reading.careful:
        raise NeedsCare
    if found.rows and not found.has_objects:
        raise FileFault(
            "No record of the file is a JSON object",
            "Deliver one JSON object per line, or an array of objects",
        )
    header = Header.of(reading.log, found.keys)
    if found.rows:
        header.refuse_missing(reading.log)
    extraction = _Extraction(header)

    def query(bindings: Bindings, with_row: bool) -> str:
        selected = ["row_no", "fault", f"{extraction.extra(bindings)} as extra"]
        for name, positions in header.positions.items():
            kind = reading.log.column(name).kind
            may_be_number, is_id = kind is not Kind.INSTANT, kind is Kind.ID
            values = [
                extraction.verbatim(position, bindings, is_id)
                if may_be_number
                else extraction.value(position)
                for position in positions
            ]
            selected.append(f"{first_filled(values)} as in_{name}")
        if with_row:
            selected.append('line as "row"')
        return sql(
            "select @{selected} from (select *@{extracted} from (@{objects}))",
            selected=", ".join(selected),
            extracted=extraction.columns(bindings),
            objects=_objects(
                lines, bindings, is_parallel=False, refuse_repeated_keys=found.has_repeated_keys
            ),
        )

    return Source(
        rows_read=found.rows,
        shapes=dict.fromkeys(header.positions, Shape.TEXT),
        unknown=header.unknown_labels,
        query=query,
    )


class _Extraction:
    """Two lists per object, so that each is parsed twice and not once per key."""

    def __init__(self, header: Header) -> None:
        self._labels = header.labels
        # JSON pointers, and not paths: a pointer can name every key, the empty one included.
        self._pointers = [
            "/" + label.replace("~", "~0").replace("/", "~1") for label in header.labels
        ]
        self._header = header
        self._texts = [position for found in header.positions.values() for position in found]
        # Keys that are data, such as ids: naming each of them for every object would take for ever.
        self._has_many = len(header.unknown) > _MANY_KEYS
        unknown = [] if self._has_many else header.unknown
        self._others = [*unknown, *(loser for _, loser in header.contested)]

    def columns(self, bindings: Bindings) -> str:
        """SQL that adds the lists to a query of `line` and `fault`."""
        return "".join(
            f", case when fault is null then {function}(line, "
            f"{bindings.bind([self._pointers[position] for position in positions])}) end as {name}"
            for function, positions, name in (
                ("json_extract_string", self._texts, "texts"),
                ("json_extract", self._others, "others"),
            )
            if positions
        )

    def value(self, position: int) -> str:
        """SQL of a value as text; a nested one is JSON text."""
        return f"texts[{self._texts.index(position) + 1}]"

    def as_json(self, position: int) -> str:
        """SQL of a value as JSON text, null where there is none."""
        return f"nullif(cast(others[{self._others.index(position) + 1}] as varchar), 'null')"

    def extra(self, bindings: Bindings) -> str:
        """SQL of the JSON object of everything that is in no column, null when it is empty."""
        if not self._has_many:
            members = extra_members(self._header, self.value, self.as_json)
            return json_object(members, bindings)
        known_only = replace(self._header, unknown=[])
        members = extra_members(known_only, self.value, self.as_json)
        known = bindings.bind([self._labels[position] for position in self._texts])
        return json_object(members, bindings, more=sql(_UNKNOWN_MEMBERS, known=known))

    def verbatim(self, position: int, bindings: Bindings, is_id: bool) -> str:
        """SQL of a value as text with the digits that the file has.

        Of an id, only those before the point when all behind it are zeros: data frames turn ids
        with gaps into floats.

        The parser makes a number with a point or an exponent a double, and 1.10 becomes 1.1: find
        the digits in the text again, and take those that mean the same double.
        """
        value = self.value(position)
        pointer = bindings.bind(self._pointers[position])
        pattern = bindings.bind(_number_pattern(self._labels[position]))
        digits = (
            f"coalesce(list_filter(regexp_extract_all(line, {pattern}, 1), lambda digits: "
            f"try_cast(digits as double) = try_cast({value} as double))[1], {value})"
        )
        if is_id:
            digits = f"regexp_replace({digits}, '^(-?[0-9]+)[.]0+$', '\\1')"
        return (
            f"case when contains({value}, '.') and landing_is_number({value}) "
            f"and json_type(line, {pointer}) = 'DOUBLE' then {digits} else {value} end"
        )


def _number_pattern(key: str) -> str:
    """A regular expression for the numbers that follow a key in JSON text."""
    escaped = "".join(
        character if character.isalnum() or character == "_" else f"\\x{{{ord(character):x}}}"
        for character in json.dumps(key, ensure_ascii=False)
    )
    return escaped + r"\s*:\s*(-?[0-9][0-9.eE+-]*)"
