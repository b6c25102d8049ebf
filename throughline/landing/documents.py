"""The careful way through JSON that is no list of lines and that DuckDB refuses as a whole.

One comma too many makes DuckDB refuse an array of a million sound records. This module walks
through the text once, takes value after value, whatever stands between them, and puts aside, with
a reason, what is no value. DuckDB then reads the values as lines.

Belongs here: where a value begins and ends. Does not belong here: whether it is an object with the
columns of a log.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from throughline.landing.errors import FileFault
from throughline.landing.repair import (
    LINE_SEPARATOR,
    MAX_RECORD_BYTES,
    Output,
    Repaired,
    Verdict,
    encoding_fault,
)

# What lies between two objects on one line; in a text of an object it may stand as well.
GLUED = r"\}\s*,?\s*\{"

_CHUNK_BYTES = 1 << 20
_BOM = "\ufeff"

# White space of JSON, and the separator that JSON text sequences (RFC 7464) put before a value.
_BLANK = re.compile(r"[ \t\r\n\x1e]*")
# Where the next record may begin behind a broken one: on a line of its own, or behind a comma.
_NEXT_OBJECT = re.compile(r"\n[ \t\r]*(?=\{)|\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
# An error this near to the end of what was read may only say that there is more.
_MARGIN = 16

_NO_VALUE = Verdict(
    "There is a comma without a record before or behind it", "Write commas only between records"
)
_NO_ARRAY = Verdict(
    "A bracket closes an array that was not opened", "Write one array around all records"
)
_NOT_CLOSED = Verdict(
    "The array is not closed: the file may be cut off", "Deliver the file again, complete"
)

_DECODER = json.JSONDecoder()


def repair_document(source: Path, clean: Path, broken: Path) -> Repaired:
    """Split JSON text into its values: the elements of arrays, and values that follow each other.

    Args:
        source: the file.
        clean: where the values go, one per line, as `<record number><LINE_SEPARATOR><value>`.
        broken: where what is no value goes, one JSON object per line.

    Raises:
        FileFault: a value is longer than `MAX_RECORD_BYTES`.
    """
    with (
        source.open("rb") as stream,
        clean.open("wb") as clean_stream,
        broken.open("w", encoding="utf-8") as broken_stream,
    ):
        output = Output(clean_stream, broken_stream, LINE_SEPARATOR)
        for text, verdict in _Walk(stream).records():
            record = text.encode("utf-8", "surrogateescape")
            verdict = verdict or encoding_fault(record)
            if verdict is None:
                # Inside of texts JSON allows no line breaks, so that these are between tokens.
                output.keep(record.replace(b"\n", b" ").replace(b"\r", b" "))
            else:
                output.put_aside(record, verdict)
        return output.result()


def values_of_line(line: bytes) -> list[bytes]:
    """The values of a line that holds several one after the other, else the line as it is."""
    if not re.search(GLUED.encode(), line):
        return [line]
    text, values = line.decode(), []
    position = _blank_end(text, 0)
    while position < len(text):
        try:
            _, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            return [line]
        values.append(text[position:end].encode())
        position = _blank_end(text, end)
        if text.startswith(",", position):
            position = _blank_end(text, position + 1)
    return values


def _blank_end(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


class _Walk:
    """One pass through JSON text, of which never more than a few records are in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        # Bytes that are no UTF-8 come out again as they were, in the record that holds them.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._position = 0
        self._is_all = False
        self._more()
        self._position = len(_BOM) if self._text.startswith(_BOM) else 0

    def records(self) -> Iterator[tuple[str, Verdict | None]]:
        """Every value, or what stands where one should, with what is wrong with it."""
        # What came last: "[" while nothing did, "," or, after a value, nothing to remember.
        is_in_array, last = False, "["
        while (character := self._next_character()) is not None:
            if character == "[" and not is_in_array:
                self._position += 1
                is_in_array, last = True, "["
            elif character == ",":
                self._position += 1
                if last:
                    yield ",", _NO_VALUE
                else:
                    last = ","
            elif character == "]":
                self._position += 1
                if last == ",":
                    yield ",", _NO_VALUE
                if not is_in_array:
                    yield "]", _NO_ARRAY
                is_in_array, last = False, ""
            else:
                last = ""
                yield self._value()
        if last == ",":
            yield ",", _NO_VALUE
        if is_in_array:
            yield "[", _NOT_CLOSED

    def _next_character(self) -> str | None:
        while True:
            self._position = _blank_end(self._text, self._position)
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._more():
                return None

    def _value(self) -> tuple[str, Verdict | None]:
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if self._may_go_on(error) and self._more():
                    continue
                return self._broken(error.pos)
            except (ValueError, RecursionError):
                # A number of thousands of digits, or brackets in thousands of brackets.
                return self._broken(self._position + 1)
            if end > len(self._text) - _MARGIN and self._more():
                # A number may go on.
                continue
            value = self._text[self._position : end]
            self._position = end
            return value, None

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        return error.pos > len(self._text) - _MARGIN or error.msg.startswith("Unterminated string")

    def _broken(self, at: int) -> tuple[str, Verdict]:
        verdict = Verdict(
            f"The record is not valid JSON from its character {at - self._position + 1} on",
            'Write each record as {"column": value, ...}, with control characters escaped',
        )
        # From the place of the fault on, counted from the end: reading more moves the beginning.
        searched = at - self._position
        while True:
            match = _NEXT_OBJECT.search(self._text, self._position + searched)
            if match is not None:
                record = self._text[self._position : match.end()]
                self._position = match.end()
                return record.rstrip().rstrip(",").rstrip(), verdict
            # A line break or a comma at the end may belong to what comes.
            searched = max(searched, len(self._text) - self._position - _MARGIN)
            if not self._more():
                record, self._position = self._text[self._position :], len(self._text)
                return record.rstrip(), verdict

    def _more(self) -> bool:
        """Read on; False at the end."""
        if self._is_all:
            return False
        rest = self._text[self._position :]
        if len(rest) > MAX_RECORD_BYTES:
            raise FileFault(
                f"A record is longer than {MAX_RECORD_BYTES >> 20} MB, or never closed",
                "Deliver records shorter than that, each with its closing bracket",
            )
        # As much again as there is: a long record is then read a few times and not many.
        chunk = self._stream.read(max(_CHUNK_BYTES, len(rest)))
        if not chunk:
            self._is_all = True
            end = self._decoder.decode(b"", final=True)
            self._text += end
            return bool(end)
        self._text = rest + self._decoder.decode(chunk)
        self._position = 0
        return True
