"""What one insertion takes: one file, or many small ones read as one, and which row is whose.

Belongs here: the place of each row (file, load, number in its file) and what the folders of its
file say. Does not belong here: which files go together (`batches`), or the statements that insert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from throughline.engine.sql import Bindings, sql
from throughline.landing.conversion import Shape
from throughline.landing.files import LandedFile
from throughline.landing.logs import Log
from throughline.landing.readers import Source
from throughline.landing.readers.source import json_object


@dataclass(frozen=True)
class Part:
    """A file's share of an insertion.

    Attributes:
        file: the file.
        load_no: the number of its load.
        rows: its records, in the order of the parts: the first part has rows 1 to `rows`.
        unknown: the names in it that no column of the log has.
    """

    file: LandedFile
    load_no: int
    rows: int
    unknown: Sequence[str]


def without_folder_columns(log: Log, file: LandedFile) -> Log:
    """The log as a reader of the file sees it: what its folders say need not be in the file."""
    told = _columns_told(log, file)
    columns = tuple(
        replace(column, required=column.required and column.name not in told)
        for column in log.columns
    )
    return replace(log, columns=columns)


def placed(log: Log, source: Source, parts: Sequence[Part]) -> Source:
    """A source whose rows say whose they are, and have what their folders say.

    Its query has, beside what every source's has, `part_no` (from 1) and `load_no`; `row_no` counts
    from 1 in each part. A column that the file has stays as it is. All parts have folders of the
    same keys.
    """
    first = parts[0].file
    told = _columns_told(log, first)
    missing = {name: key for name, key in told.items() if name not in source.shapes}
    others = unknown_folders(log, first, source.unknown)

    def query(bindings: Bindings, with_row: bool) -> str:
        def said(key: str) -> str:
            values = [part.file.folder_values[key] for part in parts]
            return f"{bindings.bind(values)}[part_no]"

        replaced = ["row_no - before as row_no"]
        if others:
            members = [(key, f"to_json({said(key)})") for key in others]
            replaced.append(f"{_merged('extra', json_object(members, bindings))} as extra")
        added = [f"{said(key)} as in_{name}" for name, key in missing.items()]
        return sql(
            "select * exclude (before) replace (@{replaced})@{added} from (@{rows})",
            replaced=", ".join(replaced),
            added="".join(f", {column}" for column in added),
            rows=_with_places(source.query(bindings, with_row), parts, bindings),
        )

    return replace(
        source,
        shapes={**source.shapes, **dict.fromkeys(missing, Shape.TEXT)},
        unknown=[*source.unknown, *others],
        query=query,
    )


def unknown_folders(log: Log, file: LandedFile, unknown: Sequence[str]) -> list[str]:
    """The keys of a file's folders that are no column of the log, nor one of its unknown names."""
    taken = {label.strip().lower() for label in unknown}
    return [
        key for key in file.folder_values if not log.column_for(key) and key.lower() not in taken
    ]


def unlike_folder(log: Log, source: Source, file: LandedFile) -> dict[str, str | None]:
    """By column, what the folders of a file say of a column that the file has itself."""
    return {
        name: file.folder_values[key]
        for name, key in _columns_told(log, file).items()
        if name in source.shapes
    }


def _columns_told(log: Log, file: LandedFile) -> dict[str, str]:
    """The columns of the log that the folders of a file speak of, with the folders' key."""
    found = {}
    for key in file.folder_values:
        match = log.column_for(key)
        if match is not None:
            found[match[0].name] = key
    return found


def _with_places(rows: str, parts: Sequence[Part], bindings: Bindings) -> str:
    if len(parts) == 1:
        return sql(
            "select *, 1 as part_no, 0 as before, cast(@{load_no} as bigint) as load_no "
            "from (@{rows})",
            load_no=bindings.bind(parts[0].load_no),
            rows=rows,
        )
    part_of_row, before, total = [], [], 0
    for number, part in enumerate(parts, start=1):
        part_of_row += [number] * part.rows
        before.append(total)
        total += part.rows
    return sql(
        "select *, @{before}[part_no] as before, cast(@{load_nos}[part_no] as bigint) as load_no "
        "from (select *, @{part_of_row}[row_no] as part_no from (@{rows}))",
        before=bindings.bind(before),
        load_nos=bindings.bind([part.load_no for part in parts]),
        part_of_row=bindings.bind(part_of_row),
        rows=rows,
    )


def _merged(given: str, added: str) -> str:
    """SQL of one JSON object as text out of two, each null when it is empty."""
    return (
        f"case when {given} is null then {added} when {added} is null then {given} "
        f"else left({given}, -1) || ',' || substr({added}, 2) end"
    )
