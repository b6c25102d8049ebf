"""Small files that can be read as one: ten thousand of them cost ten thousand statements otherwise.

Belongs here: which files go together, and their records as one text. Does not belong here: loading
them, or any file whose records are not certain to be the same alone and together: that one is read
by itself.

A file takes part only when this module and DuckDB cannot disagree about its records: valid UTF-8,
one kind of line break, every record with as many values as the header, every object sound and with
the required keys. Of ten thousand files with a record or two each takes some 1 ms of processor
instead of 20 to 27 (decision 0001 says how that was measured).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from throughline.landing.errors import FileChanged, FileFault
from throughline.landing.files import LandedFile
from throughline.landing.logs import Log
from throughline.landing.opening import Content, opened
from throughline.landing.parts import unknown_folders, without_folder_columns
from throughline.landing.readers.delimited import find_header
from throughline.landing.readers.source import Header
from throughline.settings import Settings

# As they landed, and unpacked. Larger files gain nothing: their own rows cost more than statements.
SMALL_BYTES = 32_768
_SMALL_UNPACKED_BYTES = 262_144
# Fewer new files than this are each read by themselves: to look into them twice gains nothing.
FEWEST = 10
# What one batch holds at most.
FILES = 1_000
BYTES = 16_000_000
ROWS = 100_000

_BOM = b"\xef\xbb\xbf"
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_BLANK = " \t\r\n"


@dataclass(frozen=True)
class Portion:
    """A small file whose records are certain.

    Attributes:
        file: the file.
        content: its hash and stamp; its bytes are in `records`.
        form: portions of one form can be read as one: format, header, keys of the folders.
        head: what stands before the records, as text that ends with a line break; may be empty.
        records: the records, as text that ends with a line break.
        rows: how many they are.
        unknown: the names in the file that no column of the log has.
    """

    file: LandedFile
    content: Content
    form: tuple[object, ...]
    head: str
    records: str
    rows: int
    unknown: list[str]

    @property
    def format(self) -> str:
        """The format of `head` and `records`: JSON of any layout has become JSON lines."""
        return "csv" if self.file.format == "csv" else "jsonl"


def grouped(
    log: Log, files: Sequence[LandedFile], settings: Settings
) -> Iterator[list[tuple[LandedFile, Portion | None]]]:
    """The files in their order, small ones of one form that follow each other together.

    A file without a portion is alone in its batch.
    """
    batch: list[tuple[LandedFile, Portion | None]] = []
    size = rows = 0
    is_worth_it = len(files) >= FEWEST
    for file in files:
        found = portion(log, file, settings) if is_worth_it else None
        last = batch[-1][1] if batch else None
        fits = (
            found is not None
            and last is not None
            and found.form == last.form
            and len(batch) < FILES
            and size + len(found.records) <= BYTES
            and rows + found.rows <= ROWS
        )
        if batch and not fits:
            yield batch
            batch, size, rows = [], 0, 0
        batch.append((file, found))
        if found is not None:
            size, rows = size + len(found.records), rows + found.rows
    if batch:
        yield batch


def portion(log: Log, file: LandedFile, settings: Settings) -> Portion | None:
    """A small file's records, or None when it has to be read by itself.

    What is wrong with a file is not told here: reading it by itself tells.
    """
    if file.format == "parquet" or not 0 < file.stamp.bytes <= SMALL_BYTES:
        return None
    try:
        with opened(file, settings) as content:
            if content.fault is not None or content.path.stat().st_size > _SMALL_UNPACKED_BYTES:
                return None
            data = content.path.read_bytes()
            if not content.is_copy and hashlib.sha256(data).hexdigest() != content.sha256:
                return None
        text = data.removeprefix(_BOM).decode("utf-8")
        told = without_folder_columns(log, file)
        found = _delimited(told, text) if file.format == "csv" else _objects(told, file, text)
    except (FileFault, FileChanged, OSError, ValueError, RecursionError, csv.Error):
        return None
    if found is None:
        return None
    form, head, records, rows, header = found
    unknown = header.unknown_labels
    # What a folder says counts where the file does not say it: the same for all files of a form.
    missing = {
        *(
            key
            for key in file.folder_values
            if (match := log.column_for(key)) is not None and match[0].name not in header.positions
        ),
        *unknown_folders(log, file, unknown),
    }
    form = (file.source, *form, tuple(sorted(file.folder_values)), tuple(sorted(missing)))
    return Portion(file, content, form, head, records, rows, unknown)


_Found = tuple[tuple[object, ...], str, str, int, Header]


def _delimited(log: Log, text: str) -> _Found | None:
    """The records of CSV text that has the same records whoever reads it."""
    line_break = "\r\n" if "\r\n" in text else "\n"
    if "\r" in text.replace("\r\n", ""):
        return None
    if line_break == "\r\n" and text.count("\n") != text.count("\r\n"):
        return None
    first, _, rest = text.partition(line_break)
    if not first.strip() or '"' in first or not rest:
        return None
    delimiter, header = find_header(log, first.encode())
    labels = [label.strip().lower() for label in header.labels]
    if header.missing(log) or len(set(labels)) < len(labels):
        return None
    rows = 0
    for record in csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter, strict=True):
        if len(record) != len(labels):
            return None
        rows += 1
    if not rows:
        return None
    records = rest if rest.endswith(line_break) else rest + line_break
    return ("csv", first, line_break), first + line_break, records, rows, header


def _objects(log: Log, file: LandedFile, text: str) -> _Found | None:
    """The objects of JSON text in any layout, one a line."""
    if _LONE_SURROGATE.search(text):
        return None
    lines, keys = [], set()
    for object_text, names in _split(text, is_lines=file.format == "jsonl"):
        lines.append(object_text)
        keys.update(names)
    header = Header.of(log, sorted(keys))
    if not lines or header.missing(log):
        return None
    return ("jsonl",), "", "".join(f"{line}\n" for line in lines), len(lines), header


def _split(text: str, *, is_lines: bool) -> Iterator[tuple[str, list[str]]]:
    """Each object as one line of text, with its keys.

    Raises:
        ValueError: this is nothing but sound objects, in an array, one a line or one after another.
    """
    if is_lines:
        for line in text.split("\n"):
            bare = line.strip(_BLANK)
            if bare:
                names, end = _decode(bare, 0)
                _insist(end == len(bare))
                yield bare, names
        return
    bare = text.strip(_BLANK)
    is_array = bare.startswith("[")
    _insist(not is_array or bare.endswith("]"))
    position, last = (1, len(bare) - 1) if is_array else (0, len(bare))
    while True:
        position = _after_blanks(bare, position)
        names, end = _decode(bare, position)
        # A line break inside of a sound string is written \n, so that these are between its parts.
        yield bare[position:end].replace("\n", " ").replace("\r", " "), names
        position = _after_blanks(bare, end)
        if position == last:
            return
        if is_array:
            _insist(bare[position] == ",")
            position += 1


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANK:
        position += 1
    return position


def _insist(holds: bool) -> None:
    if not holds:
        raise ValueError


def _refuse(_: object) -> Any:
    raise ValueError


def _names(pairs: list[tuple[str, Any]]) -> list[str]:
    names = [name for name, _ in pairs]
    _insist(len(set(names)) == len(names))
    return names


# Objects become the list of their keys: of the values nothing is wanted but that they are sound.
_decoder = json.JSONDecoder(object_pairs_hook=_names, parse_constant=_refuse)


def _decode(text: str, position: int) -> tuple[list[str], int]:
    _insist(text[position : position + 1] == "{")
    names, end = _decoder.raw_decode(text, position)
    return names, end
