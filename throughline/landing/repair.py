"""The careful way through a text file that DuckDB's reader refuses as a whole.

One broken record makes DuckDB refuse the file, or, told to skip errors, swallow the good records
behind an unclosed quote. This module walks through the file once, copies the sound records into a
clean file with their record number in front, and puts the broken ones aside with a reason. DuckDB
then reads the clean file as any other.

Belongs here: finding record boundaries. Does not belong here: what a value means.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from throughline.landing.errors import FileFault

MAX_RECORD_BYTES = 64 << 20
LINE_SEPARATOR = b"\x01\x02\x03"

_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Repaired:
    """What a walk through a broken file gave.

    Attributes:
        sound: records in the clean file.
        broken: records in the file of broken ones.
        longest: the longest line of the clean file, in bytes.
        longest_broken: the longest line of the file of broken records, in bytes.
    """

    sound: int
    broken: int
    longest: int
    longest_broken: int


@dataclass(frozen=True)
class Verdict:
    reason: str
    remedy: str
    column: str | None = None
    value: str | None = None


_NOT_CLOSED = Verdict(
    "A quoted value is not closed",
    "Close the quote, and write a quote inside a value as two",
)
_AFTER_QUOTE = Verdict(
    "Text follows the closing quote of a value",
    "Write a quote inside a value as two",
)


class Output:
    """The clean file and the file of broken records, numbered together."""

    def __init__(self, clean: BinaryIO, broken: TextIO, separator: bytes) -> None:
        self._clean, self._broken, self._separator = clean, broken, separator
        self._row_no = self._sound = self._longest = self._longest_broken = 0

    def keep(self, record: bytes) -> None:
        self._row_no += 1
        self._sound += 1
        line = b"%d%b%b\n" % (self._row_no, self._separator, record)
        self._longest = max(self._longest, len(line))
        self._clean.write(line)

    def put_aside(self, record: bytes, verdict: Verdict) -> None:
        self._row_no += 1
        entry = {
            "row_no": self._row_no,
            "column_name": verdict.column,
            "value": verdict.value,
            "reason": verdict.reason,
            "remedy": verdict.remedy,
            "row": record.decode("utf-8", "backslashreplace"),
        }
        line = json.dumps(entry)
        self._longest_broken = max(self._longest_broken, len(line))
        self._broken.write(line + "\n")

    def result(self) -> Repaired:
        broken = self._row_no - self._sound
        return Repaired(self._sound, broken, self._longest, self._longest_broken)


def repair_csv(
    source: Path, clean: Path, broken: Path, *, delimiter: str, header: list[str]
) -> Repaired:
    """Split a delimited file into sound and broken records; the header is dropped.

    A record is broken when it has too few or too many values, when its quotes do not close or are
    followed by text, or when it is not UTF-8. A record whose quotes are wrong is given up at the
    end of its first line, so that it takes none of the following ones with it. Empty lines are no
    records. Surplus values that are empty are dropped.

    Args:
        source: the file.
        clean: where the sound records go, as `<record number><delimiter><record>`.
        broken: where the broken records go, one JSON object per line.
        delimiter: one ASCII character.
        header: the names of the columns.

    Raises:
        FileFault: a line is longer than `MAX_RECORD_BYTES`.
    """
    split = delimiter.encode()
    with (
        source.open("rb") as stream,
        clean.open("wb") as clean_stream,
        broken.open("w", encoding="utf-8") as broken_stream,
    ):
        output = Output(clean_stream, broken_stream, split)
        lines = _Lines(stream)
        for record, verdict in _csv_records(lines, split, header):
            if verdict is None:
                output.keep(record)
            else:
                output.put_aside(record, verdict)
        return output.result()


def repair_lines(
    source: Path, clean: Path, broken: Path, values_of: Callable[[bytes], list[bytes]]
) -> Repaired:
    """Split a file of one record per line into lines that are text and lines that are not.

    Args:
        source: the file.
        clean: where the sound records go, as `<record number><LINE_SEPARATOR><record>`.
        broken: where the broken lines go, one JSON object per line.
        values_of: the records of a line that is text, the line itself nearly always.

    Raises:
        FileFault: a line is longer than `MAX_RECORD_BYTES`.
    """
    with (
        source.open("rb") as stream,
        clean.open("wb") as clean_stream,
        broken.open("w", encoding="utf-8") as broken_stream,
    ):
        output = Output(clean_stream, broken_stream, LINE_SEPARATOR)
        for physical_line in _Lines(stream):
            line = physical_line.removesuffix(b"\r")
            if not line.strip():
                continue
            verdict = encoding_fault(line)
            if verdict is None and (b"\r" in line or LINE_SEPARATOR in line):
                verdict = Verdict(
                    "The line holds a control character, which JSON does not allow",
                    "Escape control characters, and end each line in the same way",
                )
            if verdict is not None:
                output.put_aside(line, verdict)
                continue
            for record in values_of(line):
                output.keep(record)
        return output.result()


class _Lines:
    """The physical lines of a file, each of which can be given back.

    The line feed at the end is gone; a carriage return before it stays, because it belongs to the
    value when the line ends inside quotes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._given_back: deque[bytes] = deque()
        self._number = 0
        head = stream.read(_HEAD_BYTES)
        stream.seek(len(_BOM) if head.startswith(_BOM) else 0)
        # A file of the old Mac kind ends its lines in a bare carriage return.
        self._carriage_returns = b"\n" not in head and b"\r" in head
        self._rest = b""

    def __iter__(self) -> Iterator[bytes]:
        while (line := self.next()) is not None:
            yield line

    def next(self) -> bytes | None:
        if self._given_back:
            return self._given_back.popleft()
        line = self._read_to_return() if self._carriage_returns else self._read_line()
        if line is not None:
            self._number += 1
            if len(line) > MAX_RECORD_BYTES:
                raise FileFault(
                    f"Line {self._number} is longer than {MAX_RECORD_BYTES >> 20} MB",
                    "Deliver one record per line, each shorter than that",
                )
        return line

    def give_back(self, lines: list[bytes]) -> None:
        self._given_back.extendleft(reversed(lines))

    def _read_line(self) -> bytes | None:
        line = self._stream.readline(MAX_RECORD_BYTES + 2)
        if not line:
            return None
        return line[:-1] if line.endswith(b"\n") else line

    def _read_to_return(self) -> bytes | None:
        while b"\r" not in self._rest and len(self._rest) <= MAX_RECORD_BYTES:
            chunk = self._stream.read(_HEAD_BYTES)
            if not chunk:
                break
            self._rest += chunk
        if not self._rest:
            return None
        line, _, self._rest = self._rest.partition(b"\r")
        return line


def _csv_records(
    lines: _Lines, delimiter: bytes, header: list[str]
) -> Iterator[tuple[bytes, Verdict | None]]:
    is_header = True
    while (line := lines.next()) is not None:
        if not line.strip():
            continue
        taken = [line]
        scan = _Scan(delimiter)
        scan.feed(line)
        while scan.is_open and scan.length <= MAX_RECORD_BYTES:
            following = lines.next()
            if following is None:
                break
            taken.append(following)
            scan.feed(b"\n" + following)
        if is_header:
            is_header = False
            continue
        fault = scan.fault or (_NOT_CLOSED if scan.is_open else None)
        if fault is not None:
            # The quotes cannot be trusted, so neither can the lines that they seemed to join.
            lines.give_back(taken[1:])
            yield line.removesuffix(b"\r"), fault
            continue
        record = b"\n".join(taken).removesuffix(b"\r")
        values = scan.values
        while len(values) > len(header) and values[-1].start == values[-1].end:
            del values[-1]
        if len(values) != len(header):
            few = "few" if len(values) < len(header) else "many"
            count = f"{len(values)} where the header names {len(header)}"
            wrong_count = Verdict(
                f"The record has too {few} values: {count}",
                "Quote values that hold the delimiter or a line break",
            )
            yield record, wrong_count
        elif (not_utf8 := encoding_fault(record, values, header)) is not None:
            yield record, not_utf8
        else:
            yield _standardised(record, values, delimiter), None


@dataclass(frozen=True)
class _Value:
    """Where a value is in its record, quotes and spaces around them included."""

    start: int
    end: int
    is_quoted: bool


class _Scan:
    """The state of reading one record, line after line."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._start = 0
        self.is_open = False
        self.fault: Verdict | None = None
        self.length = 0
        self.values: list[_Value] = []

    def feed(self, line: bytes) -> None:
        """Read one more line, which begins with a line break when it is not the first."""
        offset, self.length = self.length, self.length + len(line)
        text_end = len(line) - line.endswith(b"\r")
        position = 0
        while True:
            if not self.is_open:
                self._start = offset + position
                start = _skip_spaces(line, position)
                if line[start : start + 1] != b'"':
                    end = line.find(self._delimiter, position)
                    end = text_end if end < 0 else end
                    self.values.append(_Value(self._start, offset + end, False))
                    if end == text_end:
                        return
                    position = end + 1
                    continue
                self.is_open = True
                position = start + 1
            close = line.find(b'"', position)
            while close >= 0 and line[close + 1 : close + 2] == b'"':
                close = line.find(b'"', close + 2)
            if close < 0:
                return
            self.is_open = False
            position = _skip_spaces(line, close + 1)
            self.values.append(_Value(self._start, offset + position, True))
            if position == text_end:
                return
            if line[position : position + 1] != self._delimiter:
                self.fault = _AFTER_QUOTE
                return
            position += 1


def _skip_spaces(line: bytes, position: int) -> int:
    while line[position : position + 1] == b" ":
        position += 1
    return position


def _standardised(record: bytes, values: list[_Value], delimiter: bytes) -> bytes:
    """The record in the strictest form of CSV, so that no reader can take it for another.

    Quotes inside a value without quotes are letters, and so is a carriage return.
    """
    if b'"' not in record and b"\r" not in record:
        return record[: values[-1].end]
    parts = []
    for value in values:
        part = record[value.start : value.end]
        if value.is_quoted:
            part = part.strip(b" ")
        elif b'"' in part or b"\r" in part:
            part = b'"' + part.replace(b'"', b'""') + b'"'
        parts.append(part)
    return delimiter.join(parts)


def encoding_fault(
    record: bytes, values: Sequence[_Value] = (), header: Sequence[str] = ()
) -> Verdict | None:
    try:
        record.decode("utf-8")
    except UnicodeDecodeError as error:
        column = text = None
        for name, value in zip(header, values, strict=True):
            if value.start <= error.start < value.end:
                column = name
                text = record[value.start : value.end].decode("utf-8", "backslashreplace")
        return Verdict(
            f"Byte {error.start + 1} of the record (0x{record[error.start]:02x}) is not UTF-8",
            "Deliver the file in UTF-8",
            column,
            text,
        )
    return None
