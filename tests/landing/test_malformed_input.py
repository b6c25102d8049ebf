"""Malformed input: what each kind of bad file leads to, and that nothing of it is lost or silent.

Belongs here: one row per kind of bad file. Does not belong here: what a good file leads to, in
other formats and compressions.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from landing_zone import LandingZone, Row

from throughline.landing import documents, wording
from throughline.landing.checking import Verdict, check_files

H = "contact_id,started_at,agent_id\n"
ROW = "c{0},2026-03-01T10:00:00Z,a1\n"
GOOD = H + ROW.format(1) + ROW.format(2)
RATINGS = "contact_id,question,answered_at,score\n"
AT = "2026-03-01T10:00:00Z"
# One JSON record, to be filled in with a number.
R = '{{"contact_id": "c{}", "started_at": "2026-03-01", "body": "}}, {{"}}'


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """A Parquet file with these columns."""
    output = io.BytesIO()
    pq.write_table(pa.table(columns), output, **options)
    return output.getvalue()


def not_utf8() -> pa.Array:
    return pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(struct.pack("<ii", 0, 2)), pa.py_buffer(b"\xff\xfe")]
    )


def good_parquet() -> bytes:
    return parquet({"contact_id": ["c1", "c2"], "started_at": [AT, AT]})


def archive(*names: str) -> bytes:
    """A ZIP archive with files of these names."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as written:
        for name in names:
            written.writestr(name, "x")
    return output.getvalue()


def jsonl(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@dataclass(frozen=True)
class Case:
    """One bad file.

    Attributes:
        name: a sentence, the test's id.
        path: below the landing directory.
        content: its bytes, its text, or what makes them.
        loaded: rows that load.
        bad: the rejected rows: number, column, a part of the reason.
        refused: a part of the reason for which the whole file is rejected.
    """

    name: str
    path: str
    content: bytes | str | Callable[[], bytes]
    loaded: int = 0
    bad: list[tuple[int, str | None, str]] = field(default_factory=list)
    refused: str | None = None


CASES = [
    # Files that load, however odd they are.
    Case("an empty file loads with no rows", "acme/contacts/a.csv", b""),
    Case("an empty file of lines loads with no rows", "acme/contacts/a.jsonl", b""),
    Case("a file of blank lines loads with no rows", "acme/contacts/a.csv", b"\n \r\n\n"),
    Case("a file that is only a byte order mark loads", "acme/contacts/a.csv", b"\xef\xbb\xbf"),
    Case("a header without rows loads", "acme/contacts/a.csv", H),
    Case("an empty array loads", "acme/contacts/a.json", " [ ]\n"),
    Case(
        "a Parquet file without rows loads",
        "acme/contacts/a.parquet",
        lambda: parquet(
            {"contact_id": pa.array([], pa.string()), "started_at": pa.array([], pa.string())}
        ),
    ),
    Case("a byte order mark is no part of the header", "acme/contacts/a.csv", "\ufeff" + GOOD, 2),
    Case(
        "a byte order mark is no part of the first record",
        "acme/contacts/a.jsonl",
        "\ufeff" + jsonl({"contact_id": "c1", "started_at": AT}),
        1,
    ),
    Case("Windows line ends load", "acme/contacts/a.csv", GOOD.replace("\n", "\r\n"), 2),
    Case("old Mac line ends load", "acme/contacts/a.csv", GOOD.replace("\n", "\r"), 2),
    Case(
        "different line ends in one file load",
        "acme/contacts/a.csv",
        H + ROW.format(1).replace("\n", "\r\n") + ROW.format(2) + ROW.format(3),
        3,
    ),
    Case(
        "old Mac line ends with one broken record load but for that",
        "acme/contacts/a.csv",
        (GOOD + "c3\n" + ROW.format(4)).replace("\n", "\r"),
        3,
        [(3, None, "too few values")],
    ),
    Case(
        "a carriage return or a quote inside a plain value is a letter of it",
        "acme/contacts/a.csv",
        GOOD + f'c\r3,{AT},say "hi"\n' + "c4\n",
        3,
        [(4, None, "too few values")],
    ),
    Case(
        "a flag that is neither true nor false is a rejected row",
        "acme/messages/a.csv",
        f"contact_id,sent_at,author_kind,is_private\nc1,{AT},agent,maybe\nc2,{AT},agent,2\n"
        f"c3,{AT},agent,true\n",
        1,
        [
            (1, "is_private", "is_private is neither true nor false"),
            (2, "is_private", "is_private is neither true nor false"),
        ],
    ),
    Case("a file without a line end at its end loads", "acme/contacts/a.csv", GOOD[:-1], 2),
    Case("semicolons load", "acme/contacts/a.csv", GOOD.replace(",", ";"), 2),
    Case("tabs load", "acme/contacts/a.csv", GOOD.replace(",", "\t"), 2),
    Case("vertical bars load", "acme/contacts/a.csv", GOOD.replace(",", "|"), 2),
    Case(
        "blank lines between records are no records",
        "acme/contacts/a.csv",
        "\n" + GOOD.replace("\n", "\n\n"),
        2,
    ),
    Case(
        "lines of spaces are no records", "acme/contacts/a.csv", GOOD + "   \n" + ROW.format(3), 3
    ),
    Case(
        "a delimiter behind the last value loads",
        "acme/contacts/a.csv",
        H + ROW.format(1).replace("\n", ",\n") + ROW.format(2),
        2,
    ),
    Case(
        "names in capitals and with spaces around load",
        "acme/contacts/a.csv",
        GOOD.replace("contact_id", " Contact_ID ").replace("started_at", '"STARTED_AT"'),
        2,
    ),
    Case(
        "embedded line breaks and quotes load",
        "acme/messages/a.csv",
        f'contact_id,sent_at,author_kind,body\nc1,{AT},bot,"one\ntwo ""three"", four\r\nfive"\n',
        1,
    ),
    Case(
        "a body of three megabytes loads",
        "acme/messages/a.csv",
        f"contact_id,sent_at,author_kind,body\nc1,{AT},bot,{'é' * 1_500_000}\n",
        1,
    ),
    Case(
        "a body of twenty megabytes loads",
        "acme/messages/a.jsonl",
        lambda: jsonl(
            {"contact_id": "c1", "sent_at": AT, "author_kind": "bot", "body": "x" * 20_000_000},
            {"contact_id": "c2", "sent_at": AT, "author_kind": "bot", "body": "y"},
        ).encode(),
        2,
    ),
    Case("NUL bytes in a value load", "acme/contacts/a.csv", GOOD.replace("a1", "a\x001"), 2),
    Case(
        "every plane of Unicode loads",
        "acme/contacts/a.csv",
        GOOD.replace("a1", "é漢🙂\u2028\x85"),
        2,
    ),
    Case(
        "the same column with different types in two records loads",
        "acme/contacts/a.jsonl",
        jsonl(
            {"contact_id": 1, "started_at": AT, "tags": ["a", {"b": 1}]},
            {"contact_id": "x", "started_at": AT, "tags": "plain"},
            {"contact_id": True, "started_at": AT, "tags": None},
        ),
        3,
    ),
    Case(
        "an array instead of lines loads",
        "acme/contacts/a.jsonl",
        '[{"contact_id": "c1", "started_at": "2026-03-01"},\n'
        ' {"contact_id":"c2",\n"started_at":"2026-03-01"}]',
        2,
    ),
    Case(
        "objects that go over several lines load",
        "acme/contacts/a.json",
        '{\n "contact_id": "c1",\n "started_at": "2026-03-01"\n}\n'
        '{\n "contact_id": "c2", "started_at": "2026-03-01"}',
        2,
    ),
    Case(
        "one object is a file of one record",
        "acme/contacts/a.json",
        '{"contact_id": "c1", "started_at": "2026-03-01"}',
        1,
    ),
    Case(
        "lines in a file that is called a document load",
        "acme/contacts/a.json",
        jsonl({"contact_id": "c1", "started_at": AT}, {"contact_id": "c2", "started_at": AT}),
        2,
    ),
    Case(
        "negative durations load, for a later check",
        "acme/contacts/a.csv",
        f"contact_id,started_at,ended_at\nc1,{AT},2026-02-01T00:00:00Z\n",
        1,
    ),
    Case(
        "an unknown optional code loads, for a later check",
        "acme/contacts/a.csv",
        f"contact_id,started_at,agent_kind\nc1,{AT},wizard\n",
        1,
    ),
    Case(
        "a wildcard in a file's name is a letter like any other",
        "acme/contacts/a[1]*.csv",
        GOOD,
        2,
    ),
    Case(
        "a folder that looks like a partition adds no column", "acme/contacts/day=1/a.csv", GOOD, 2
    ),
    Case("an ending in capitals loads", "acme/contacts/A.CSV", GOOD, 2),
    Case(
        "several gzip streams after each other load",
        "acme/contacts/a.csv.gz",
        lambda: gzip.compress(GOOD.encode()) + gzip.compress(ROW.format(3).encode()) + b"\0" * 512,
        3,
    ),
    Case(
        "several Zstandard frames after each other load",
        "acme/contacts/a.csv.zst",
        lambda: b"".join(
            zstandard.ZstdCompressor().compress(part.encode()) for part in (GOOD, ROW.format(3))
        ),
        3,
    ),
    # Rows that are rejected, and only they.
    Case(
        "a blank required value",
        "acme/contacts/a.csv",
        GOOD + f" \t,{AT},a1\n" + f",{AT},a1\n" + ROW.format(5),
        3,
        [(3, "contact_id", "missing"), (4, "contact_id", "missing")],
    ),
    Case(
        "a missing required value in one of the objects",
        "acme/contacts/a.jsonl",
        jsonl(
            {"contact_id": "c1", "started_at": AT},
            {"contact_id": "c2"},
            {"contact_id": None, "started_at": AT},
        ),
        1,
        [(2, "started_at", "missing"), (3, "contact_id", "missing")],
    ),
    Case(
        "a day that does not exist",
        "acme/contacts/a.csv",
        GOOD + "c3,2026-02-30,a1\n",
        2,
        [(3, "started_at", "does not exist")],
    ),
    Case(
        "times and offsets that do not exist",
        "acme/contacts/a.csv",
        H
        + "".join(
            f"c,{value},a1\n"
            for value in (
                "2026-03-01T25:00:00Z",
                "2026-03-01T10:61",
                "2026-03-01T10:00:00+19:00",
                "2026-03-01T10:00:00+02:60",
                "2026-13-01",
            )
        ),
        0,
        [(number, "started_at", "does not exist") for number in range(1, 6)],
    ),
    Case(
        "timestamps that are not ISO 8601",
        "acme/contacts/a.csv",
        H
        + "".join(
            f"c,{value},a1\n"
            for value in (
                "1767225600",
                "infinity",
                "epoch",
                "2026-1-5",
                "01/02/2026",
                "2026-03-01 10h00",
                "2026-03-01T10:00:00 CET",
                "20260301100000",
                "2026-03-01T10:00:00+2",
                "today",
            )
        ),
        0,
        [(number, "started_at", "not an ISO 8601") for number in range(1, 11)],
    ),
    Case(
        "forms of ISO 8601 that are not taken are called so",
        "acme/contacts/a.csv",
        H
        + "".join(
            f'c,"{value}",a1\n'
            for value in (
                "2026-W48-6",
                "2026W486T10:00:00Z",
                "2026-w48",
                "2026-332",
                "2026332T1000Z",
                "2026-11",
                "2026",
                "2026-11-28T10:30,5Z",
                "2026-11-28T10.25",
                "+002026-11-28T10:00:00Z",
                "PT15M",
                "2026-11-28/2026-11-29",
            )
        ),
        0,
        [
            (row_no, "started_at", f"started_at is {what}, a form of ISO 8601 that is not taken")
            for row_no, what in enumerate(
                ["a week date"] * 3
                + ["an ordinal date (the day of the year)"] * 2
                + ["a date without its day"] * 2
                + ["a time with a fraction of an hour or minute"] * 2
                + ["a date with a sign before its year", "a span of time", "a span of time"],
                start=1,
            )
        ],
    ),
    Case(
        "other forms of ISO 8601 have their own moments that do not exist",
        "acme/contacts/a.csv",
        H
        + "".join(
            f"c,{value},a1\n"
            for value in (
                "20260230",
                "20260301T2500Z",
                "2026-03-01T10:00:60Z",
                "2026-02-29T23:59:60Z",
            )
        ),
        0,
        [(number, "started_at", "does not exist") for number in range(1, 5)],
    ),
    Case(
        "times that stand for none are rejected where one is required",
        "acme/contacts/a.csv",
        H
        + "".join(
            f"c,{value},a1\n"
            for value in (
                "0000-00-00 00:00:00",
                "0000-01-01",
                "0001-01-01T00:00:00Z",
                "19000101",
                "1970-01-01T23:59:59.999999Z",
                "1970-01-02T01:59:59+02:00",
                "2200-01-01",
                "2199-12-31T23:00:00-01:00",
                "9999-12-31T23:59:59.9999999-12:00",
            )
        )
        + "c1,1970-01-02,a1\nc2,2199-12-31T23:59:59.999999Z,a1\n",
        2,
        [(number, "started_at", "is a placeholder for a time") for number in range(1, 10)],
    ),
    Case(
        "an optional timestamp that is none",
        "acme/contacts/a.csv",
        f"contact_id,started_at,ended_at\nc1,{AT},soon\nc2,{AT},\n",
        1,
        [(1, "ended_at", "not an ISO 8601")],
    ),
    Case(
        "amounts that are no numbers",
        "acme/transactions/a.csv",
        "transaction_id;occurred_at;amount\n"
        + "".join(
            f"t;{AT};{value}\n"
            for value in ("12,50", "€5", "1 000", "0x10", "1_000", "nan", "inf", "", "--1")
        )
        + f"t;{AT}; 12.50 \nt;{AT};-1e2\nt;{AT};.5\n",
        3,
        [
            *((number, "amount", "not a number") for number in range(1, 8)),
            (8, "amount", "missing"),
            (9, "amount", "not a number"),
        ],
    ),
    Case(
        "an amount that is too large",
        "acme/transactions/a.csv",
        f"transaction_id,occurred_at,amount\nt1,{AT},100000000000000\nt2,{AT},99999999999999.9999\n",
        1,
        [(1, "amount", "too large")],
    ),
    Case(
        "a score that is not finite",
        "acme/ratings/a.csv",
        RATINGS + f"c1,csat,{AT},1e400\nc1,comment,{AT},\n",
        1,
        [(1, "score", "not finite")],
    ),
    Case(
        "a satisfaction score off its scale",
        "acme/ratings/a.csv",
        RATINGS
        + "".join(f"c1,CSAT,{AT},{score}\n" for score in ("0", "1", "5", "5.5", "6", "-1", "")),
        3,
        [(number, "score", "1 to 5") for number in (1, 4, 5, 6)],
    ),
    Case(
        "a recommendation score off its scale",
        "acme/ratings/a.jsonl",
        jsonl(
            *(
                {"contact_id": "c", "question": "nps", "answered_at": AT, "score": score}
                for score in (0, 10, 11, -0.5)
            )
        ),
        2,
        [(3, "score", "0 to 10"), (4, "score", "0 to 10")],
    ),
    Case(
        "a required code that is unknown",
        "acme/messages/a.csv",
        f"contact_id,sent_at,author_kind\nc1,{AT}, Visitor \nc1,{AT},alien\nc1,{AT},BOT\n",
        2,
        [(2, "author_kind", "known codes")],
    ),
    Case(
        "an unknown question",
        "acme/ratings/a.csv",
        RATINGS + f"c1,ces,{AT},3\n",
        0,
        [(1, "question", "known codes")],
    ),
    Case(
        "too few values",
        "acme/contacts/a.csv",
        GOOD + "c3\n" + ROW.format(4),
        3,
        [(3, None, "too few values: 1 where the header names 3")],
    ),
    Case(
        "too many values",
        "acme/contacts/a.csv",
        GOOD + "c3,2026-03-01,a1,x,y\n" + ROW.format(4),
        3,
        [(3, None, "too many values: 5")],
    ),
    Case(
        "an unclosed quote takes no other record with it",
        "acme/contacts/a.csv",
        GOOD + f'c3,{AT},"a1\n' + ROW.format(4) + ROW.format(5),
        4,
        [(3, None, "not closed")],
    ),
    Case(
        "an unclosed quote that meets another quote",
        "acme/contacts/a.csv",
        GOOD + f'c3,{AT},"a1\n' + f'c4,{AT},"a2"\n' + ROW.format(5),
        4,
        [(3, None, "closing quote")],
    ),
    Case(
        "text behind a closing quote",
        "acme/contacts/a.csv",
        GOOD + f'c3,{AT},"a"1\n' + ROW.format(4),
        3,
        [(3, None, "closing quote")],
    ),
    Case(
        "a record of several lines with too few values is one rejected record",
        "acme/contacts/a.csv",
        GOOD + '"c\n3",x\n' + ROW.format(4),
        3,
        [(3, None, "too few values")],
    ),
    Case(
        "bytes that are not UTF-8 in a record",
        "acme/contacts/a.csv",
        GOOD.encode() + f'c3,{AT},"caf\xe9"\n'.encode("latin-1") + ROW.format(4).encode(),
        3,
        [(3, "agent_id", "0xe9) is not UTF-8")],
    ),
    Case(
        "bytes that are not UTF-8 in a line",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1", "started_at": AT}).encode()
        + b'{"contact_id": "\xff\xfe", "started_at": "2026-03-01"}\n'
        + jsonl({"contact_id": "c3", "started_at": AT}).encode(),
        2,
        [(2, None, "not UTF-8")],
    ),
    Case(
        "overlong and surrogate encodings are not UTF-8",
        "acme/contacts/a.csv",
        GOOD.encode() + f"c3,{AT},".encode() + b"\xc0\xaf\nc4,2026-03-01,\xed\xa0\x80\n",
        2,
        [(3, "agent_id", "not UTF-8"), (4, "agent_id", "not UTF-8")],
    ),
    Case(
        "a malformed line",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1", "started_at": AT})
        + '{"contact_id": "c2", "started\n'
        + "plain text\n\n"
        + jsonl({"contact_id": "c3", "started_at": AT})
        + '{"contact_id": 0044, "started_at": "2026-03-01"}\n'
        + '{"contact_id": "c9", "started_at": "2026-03-01"} {"x": 1}\n',
        3,
        [
            *((number, None, "not valid JSON") for number in (2, 3, 5)),
            # Two on one line are two records.
            (7, "contact_id", "missing"),
        ],
    ),
    Case(
        "a raw control character in a line",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1", "started_at": AT})
        + '{"contact_id": "c\x01", "started_at": 1}\n',
        1,
        [(2, None, "not valid JSON")],
    ),
    Case(
        "the reader's own separator in a line",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1", "started_at": AT}) + '{"contact_id": "\x01\x02\x03"}\n',
        1,
        [(2, None, "control character")],
    ),
    Case(
        "lines that are not objects",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1", "started_at": AT}, 7, "x", None, ["contact_id"]),
        1,
        [(number, None, "not a JSON object") for number in (2, 3, 4, 5)],
    ),
    Case(
        "the same key twice in an object",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1", "started_at": AT})
        + '{"contact_id": "c2", "contact_id": "c3", "started_at": "2026-03-01"}\n',
        1,
        [(2, None, "same key twice")],
    ),
    Case(
        "an array with an element that is no object",
        "acme/contacts/a.json",
        '[{"contact_id": "c1", "started_at": "2026-03-01"}, 3]',
        1,
        [(2, None, "not a JSON object")],
    ),
    *(
        Case(f"{name} in {ending}", f"acme/contacts/a.{ending}", content, loaded, bad)
        for ending in ("json", "jsonl")
        for name, content, loaded, bad in [
            ("objects glued together", R.format(1) + R.format(2) + " " + R.format(3), 3, []),
            ("objects with commas between them", f"{R.format(1)}, {R.format(2)}", 2, []),
            (
                "glued objects on one of several lines",
                f"{R.format(1)}\n{R.format(2)}{R.format(3)}\nx}}{{\n{R.format(4)}\n",
                4,
                [(4, None, "not valid JSON")],
            ),
            ("two arrays", f"[{R.format(1)}]\n[{R.format(2)},{R.format(3)}]", 3, []),
            ("an array without commas", f"[{R.format(1)}\n {R.format(2)}]", 2, []),
            (
                "a comma behind the last record",
                f"[{R.format(1)},{R.format(2)},]",
                2,
                [(3, None, "a comma without a record")],
            ),
            (
                "commas without a record",
                f"[,{R.format(1)},,{R.format(2)}],",
                2,
                [(number, None, "a comma without a record") for number in (1, 3, 5)],
            ),
            (
                "an array that is not closed",
                f"[{R.format(1)},\n{R.format(2)}\n",
                2,
                [(3, None, "may be cut off")],
            ),
            (
                "an array that ends in a record",
                f'[{R.format(1)}, {{"cont',
                1,
                [(2, None, "from its character 2 on"), (3, None, "may be cut off")],
            ),
            ("an array followed by text", f"[{R.format(1)}] x", 1, [(2, None, "not valid JSON")]),
            ("a bracket too many", f"[{R.format(1)}]]", 1, [(2, None, "that was not opened")]),
            (
                "broken records in an array of lines",
                f'[\n{R.format(1)},\n{{"a": "not closed}},\n{R.format(2)},\n'
                f'{{"a" 1}},\n{R.format(3)}\n]',
                3,
                [(2, None, "from its character 20 on"), (4, None, "from its character 6 on")],
            ),
            (
                "broken records in an array on one line",
                f'[{R.format(1)}, {{"a": 1, {{"b": 2}}, {R.format(2)}, {{"a":}}, {R.format(3)}]',
                3,
                [(2, None, "from its character 10 on"), (4, None, "not valid JSON")],
            ),
            (
                "a record in an array that is not UTF-8",
                f"[{R.format(1)}, ".encode() + b'{"a": "\xff"},' + f"{R.format(2)}]".encode(),
                2,
                [(2, None, "(0xff) is not UTF-8")],
            ),
            (
                "brackets in brackets without end",
                f"[{R.format(1)}, {'[' * 100_000}",
                1,
                [(2, None, "not valid JSON"), (3, None, "may be cut off")],
            ),
        ]
    ),
    Case(
        "infinite and missing timestamps in Parquet",
        "acme/contacts/a.parquet",
        lambda: parquet(
            {
                "contact_id": ["c1", "c2", "c3", None, " "],
                "started_at": pa.array(
                    [2**50, None, 2**62, 2**50, 2**50], pa.timestamp("us", "UTC")
                ),
            }
        ),
        1,
        [
            (2, "started_at", "missing"),
            (3, "started_at", "is a placeholder for a time"),
            (4, "contact_id", "missing"),
            (5, "contact_id", "missing"),
        ],
    ),
    Case(
        "epoch numbers in Parquet",
        "acme/contacts/a.parquet",
        lambda: parquet({"contact_id": ["c1"], "started_at": [1767225600]}),
        0,
        [(1, "started_at", "not an ISO 8601")],
    ),
    Case(
        "numbers that are not finite in Parquet",
        "acme/transactions/a.parquet",
        lambda: parquet(
            {
                "transaction_id": ["t1", "t2", "t3"],
                "occurred_at": [AT] * 3,
                "amount": [float("nan"), float("inf"), 12.345678],
            }
        ),
        1,
        [(1, "amount", "not finite"), (2, "amount", "not finite")],
    ),
    # Files that are rejected as a whole.
    Case(
        "a missing required column",
        "acme/contacts/a.csv",
        "contact_id,begun\nc1,x\n",
        refused="required column started_at of contacts is missing; "
        "the file has 'contact_id', 'begun'",
    ),
    Case(
        "a missing required column in all objects",
        "acme/contacts/a.jsonl",
        jsonl({"contact_id": "c1"}),
        refused="required column started_at",
    ),
    Case(
        "a missing required column in Parquet",
        "acme/contacts/a.parquet",
        lambda: parquet({"id": ["c1"]}),
        refused="required columns contact_id, started_at of contacts are missing; "
        "the file has 'id'",
    ),
    Case(
        "a delimiter that hides the columns",
        "acme/contacts/a.csv",
        GOOD.replace(",", "^"),
        refused="required columns contact_id, started_at",
    ),
    Case(
        "records without a header",
        "acme/contacts/a.csv",
        ROW.format(1) + ROW.format(2),
        refused="the file has 'c1'",
    ),
    Case(
        "the same name twice in a header",
        "acme/contacts/a.csv",
        "contact_id,started_at,Agent_id, agent_id\nc1,2026-03-01,a,b\n",
        refused="names the column 'agent_id' twice",
    ),
    Case(
        "the same name twice in Parquet",
        "acme/contacts/a.parquet",
        lambda: parquet({"contact_id": ["c1"], "started_at": [AT], "Contact_ID": ["x"]}),
        refused="names the column 'contact_id' twice",
    ),
    Case(
        "a header that is not UTF-8",
        "acme/contacts/a.csv",
        b"contact_id,started_at,pr\xe9nom\nc1,2026-03-01,x\n",
        refused="header is not UTF-8 (byte 0xe9)",
    ),
    *(
        Case(f"{name} named .{ending}", f"acme/contacts/a.{ending}", content, refused=refused)
        for ending in ("csv", "jsonl", "json", "parquet")
        for name, content, refused in [
            ("UTF-16 text", GOOD.encode("utf-16"), "is UTF-16 text and not"),
            ("UTF-16 text without a mark", GOOD.encode("utf-16-le"), "is UTF-16 text and not"),
            ("big UTF-16 text without a mark", GOOD.encode("utf-16-be"), "is UTF-16 text and not"),
            ("UTF-32 text", GOOD.encode("utf-32"), "is UTF-32 text and not"),
            ("a workbook", lambda: archive("xl/workbook.xml"), "an Excel workbook (.xlsx)"),
            ("a spreadsheet", lambda: archive("mimetype", "content.xml"), "a spreadsheet (.ods)"),
            ("an archive", lambda: archive("a.csv"), "is a ZIP archive and not"),
            ("an empty archive", archive, "is a ZIP archive and not"),
            (
                "an old workbook",
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
                "an Excel workbook of the old kind (.xls)",
            ),
            ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF document"),
            ("a page", b"\n<!DOCTYPE html>\n<html><body>502", "an HTML page"),
            ("a table of a page", b"<table><tr><td>contact_id</td></tr></table>", "an HTML page"),
            ("XML", b"<?xml version='1.0'?><contacts/>", "is XML and not"),
            ("bzip2", bz2.compress(GOOD.encode()), "compressed by bzip2"),
            ("xz", lzma.compress(GOOD.encode()), "compressed by xz"),
            ("a database", b"SQLite format 3\0" + b"\0" * 100, "an SQLite database"),
        ]
    ),
    *(
        Case(f"{name} named .csv.{ending}", f"acme/contacts/a.csv.{ending}", content, refused=what)
        for ending in ("gz", "zst")
        for name, content, what in [
            ("an archive", lambda: archive("a.csv"), f"is a ZIP archive and not .{ending}"),
            ("a page", b"<html>502</html>", "is an HTML page, perhaps an error message and not"),
        ]
    ),
    Case(
        "a workbook in gzip",
        "acme/contacts/a.csv.gz",
        lambda: gzip.compress(archive("xl/workbook.xml")),
        refused="an Excel workbook (.xlsx)",
    ),
    Case(
        "gzip named as Zstandard",
        "acme/contacts/a.csv.zst",
        lambda: gzip.compress(GOOD.encode()),
        refused="is gzip and not .zst. Name it with .gz",
    ),
    Case(
        "an encrypted Parquet file",
        "acme/contacts/a.parquet",
        b"PARE" + b"\0" * 40 + b"PARE",
        refused="it is encrypted",
    ),
    Case(
        "a Parquet file that is damaged inside",
        "acme/contacts/a.parquet",
        lambda: b"PAR1" + b"\x7f" * 400 + good_parquet()[-8:],
        refused="cannot be read as Parquet: it is damaged",
    ),
    Case("binary junk", "acme/contacts/a.csv", bytes(range(256)) * 40, refused="required columns"),
    Case(
        "binary junk as lines",
        "acme/contacts/a.jsonl",
        bytes(range(128, 256)) * 40,
        refused="No record",
    ),
    Case(
        "text instead of JSON",
        "acme/contacts/a.jsonl",
        GOOD,
        refused="No record of the file is a JSON object",
    ),
    Case("NUL bytes only", "acme/contacts/a.csv", b"\0" * 4096, refused="required columns"),
    Case(
        "a truncated gzip",
        "acme/contacts/a.csv.gz",
        lambda: gzip.compress(GOOD.encode() * 50)[:-20],
        refused="cut off",
    ),
    Case(
        "a gzip that ends in its header",
        "acme/contacts/a.csv.gz",
        lambda: gzip.compress(GOOD.encode())[:5],
        refused="cut off",
    ),
    Case("an empty gzip", "acme/contacts/a.csv.gz", b"", refused="empty"),
    Case(
        "a gzip with a wrong checksum",
        "acme/contacts/a.csv.gz",
        lambda: gzip.compress(GOOD.encode())[:-8] + struct.pack("<II", 1, len(GOOD)),
        refused="damaged",
    ),
    Case(
        "a gzip followed by something else",
        "acme/contacts/a.csv.gz",
        lambda: gzip.compress(GOOD.encode()) + b"junk",
        refused="damaged",
    ),
    Case(
        "a truncated Zstandard file",
        "acme/contacts/a.csv.zst",
        lambda: zstandard.ZstdCompressor().compress(GOOD.encode() * 50)[:-4],
        refused="cut off",
    ),
    Case(
        "a damaged Zstandard file",
        "acme/contacts/a.csv.zst",
        b"\x28\xb5\x2f\xfd" + b"\xff" * 50,
        refused="damaged",
    ),
    Case(
        "plain text that is named as compressed", "acme/contacts/a.csv.gz", GOOD, refused="damaged"
    ),
    Case(
        "a compressed file that is named as plain",
        "acme/contacts/a.csv",
        lambda: gzip.compress(GOOD.encode()),
        refused="gzip and not CSV",
    ),
    Case(
        "a truncated Parquet file",
        "acme/contacts/a.parquet",
        lambda: good_parquet()[:-10],
        refused="cannot be read as Parquet: it is cut off before its end",
    ),
    Case(
        "a Parquet file without its beginning",
        "acme/contacts/a.parquet",
        lambda: good_parquet()[100:],
        refused="cannot be read as Parquet: it does not begin as Parquet does",
    ),
    Case(
        "an empty Parquet file",
        "acme/contacts/a.parquet",
        b"",
        refused="cannot be read as Parquet: it is empty",
    ),
    Case(
        "CSV that is named as Parquet",
        "acme/contacts/a.parquet",
        GOOD,
        refused="cannot be read as Parquet: it does not begin as Parquet does",
    ),
    Case(
        "a Parquet file of strings that are not UTF-8",
        "acme/contacts/a.parquet",
        lambda: parquet({"contact_id": not_utf8(), "started_at": [AT]}),
        refused="cannot be read as Parquet: it holds text that is not UTF-8. Write text as UTF-8",
    ),
    Case(
        "a document without a record",
        "acme/contacts/a.json",
        '["contact_id", }{, 7',
        refused="No record of the file is a JSON object",
    ),
    Case(
        "a document that is no JSON at all",
        "acme/contacts/a.json",
        "[\nHTTP/1.1 502 Bad Gateway\n",
        refused="No record of the file is JSON",
    ),
    Case(
        "an object around the records",
        "acme/contacts/a.json",
        '{"data": [{"contact_id": "c1", "started_at": "2026-03-01"}]}',
        refused="the file has 'data'",
    ),
    Case(
        "a spreadsheet that is named as CSV",
        "acme/contacts/a.csv",
        b"PK\x03\x04" + b"\0" * 100,
        refused="spreadsheet",
    ),
    # Files that fit nowhere.
    Case("an unknown log", "acme/calls/a.csv", GOOD, refused="no log 'calls'"),
    Case("a source folder that is no slug", "Acme-1/contacts/a.csv", GOOD, refused="not a slug"),
    Case(
        "an ending that is not supported",
        "acme/contacts/a.xlsx",
        b"PK\x03\x04",
        refused="'.xlsx' is not supported. Export it as plain CSV",
    ),
    Case(
        "a compression that is not supported",
        "acme/contacts/a.csv.bz2",
        b"BZh9",
        refused="'.csv.bz2' is not supported. Compress it with gzip",
    ),
    Case("a file without an ending", "acme/contacts/export", GOOD, refused="is not supported"),
    Case("a file beside the log folders", "acme/a.csv", GOOD, refused="does not lie in"),
    Case("a file beside the source folders", "a.csv", GOOD, refused="does not lie in"),
]


@dataclass(frozen=True)
class Landed:
    """What one landing run over all cases left in the warehouse."""

    zone: LandingZone
    loads: dict[str, Row]
    rejected: dict[int, list[Row]]


def place(number: int, case: Case) -> str:
    """Where the file of a case lies: a source of its own, unless the source is the point."""
    return case.path.replace("acme/", f"source_{number}/", 1)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """All cases in one landing directory, so that each stands in the way of all others."""
    zone = LandingZone(tmp_path_factory.mktemp("malformed"))
    for number, case in enumerate(CASES):
        content = case.content() if callable(case.content) else case.content
        zone.write(place(number, case), content)
    zone.land()
    rejected: dict[int, list[Row]] = {}
    for row in zone.rejected():
        rejected.setdefault(row["load_no"], []).append(row)
    return Landed(zone, {load["path"]: load for load in zone.loads()}, rejected)


@pytest.mark.parametrize(
    ("number", "case"), list(enumerate(CASES)), ids=[case.name for case in CASES]
)
def test_each_bad_file_has_its_outcome_and_stops_no_other_file(
    number: int, case: Case, landed: Landed
) -> None:
    load = landed.loads[place(number, case)]
    rejected = landed.rejected.get(load["load_no"], [])
    if case.refused is not None:
        assert load["status"] == "rejected"
        assert case.refused in load["reason"]
        # A reason and a remedy: two sentences at least.
        assert ". " in load["reason"]
        assert (load["rows_read"], load["rows_loaded"], rejected) == (0, 0, [])
        return
    assert (load["status"], load["reason"]) == ("loaded", None)
    assert [(row["row_no"], row["column_name"]) for row in rejected] == [
        (row_no, column) for row_no, column, _ in case.bad
    ]
    for row, (_, _, reason) in zip(rejected, case.bad, strict=True):
        assert reason in row["reason"]
        assert row["path"] == load["path"]
        assert row["remedy"]
        assert row["row"]
    assert load["rows_loaded"] == case.loaded
    assert load["rows_rejected"] == len(case.bad)


def test_the_check_of_files_finds_what_a_load_finds_in_the_same_words(landed: Landed) -> None:
    checked = check_files(landed.zone.settings, landed.zone.settings.landing_dir, examples=100)
    assert {file.path for file in checked.files} == set(landed.loads)
    for file in checked.files:
        load = landed.loads[file.path]
        assert (file.verdict is Verdict.REJECTED) == (load["status"] == "rejected")
        told = asdict(file)
        for name in load.keys() & told.keys() - {"unknown_columns"}:
            assert told[name] == load[name], (file.path, name)
        assert file.unknown_columns == json.loads(load["unknown_columns"])
        found = [
            (row_no, one.column, value, one.reason, one.remedy)
            for one in file.rejected
            for row_no, value in one.examples
        ]
        assert sorted(found) == sorted(
            (
                row["row_no"],
                row["column_name"],
                row["value"] and row["value"][:200],
                row["reason"],
                row["remedy"],
            )
            for row in landed.rejected.get(load["load_no"], [])
        )


def test_nothing_is_lost_in_any_file(landed: Landed) -> None:
    assert len(landed.loads) == len(CASES)
    for load in landed.loads.values():
        rejected = landed.rejected.get(load["load_no"], [])
        assert load["rows_read"] == load["rows_loaded"] + load["rows_rejected"]
        assert load["rows_rejected"] == len(rejected)


def test_there_are_enough_kinds_of_bad_files() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 45


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 50])
@pytest.mark.parametrize(
    "name", [case.name for case in CASES if case.path.endswith("a.json") and not case.refused]
)
def test_a_document_is_taken_apart_alike_wherever_its_reading_pauses(
    chunk_bytes: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [case] = [case for case in CASES if case.name == name]
    content = case.content() if callable(case.content) else case.content
    source = tmp_path / "a.json"
    source.write_bytes(content.encode() if isinstance(content, str) else content[:5000])

    def taken_apart() -> tuple[object, bytes, bytes]:
        clean, broken = tmp_path / "clean", tmp_path / "broken"
        repaired = documents.repair_document(source, clean, broken)
        return repaired, clean.read_bytes(), broken.read_bytes()

    whole = taken_apart()
    monkeypatch.setattr(documents, "_CHUNK_BYTES", chunk_bytes)
    assert taken_apart() == whole


def test_a_large_document_with_one_fault_is_read_in_little_memory(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    more = documents._Walk._more

    def measured(walk: documents._Walk) -> bool:
        held.append(len(walk._text))
        return more(walk)

    monkeypatch.setattr(documents._Walk, "_more", measured)
    records = ",".join(R.format(number) for number in range(60_000))
    zone.write("acme/contacts/a.json", f"[{records},]")

    summary = zone.land("contacts")["contacts"]

    assert (summary.rows_loaded, summary.rows_rejected) == (60_000, 1)
    assert len(records) > 4_000_000 > 3_000_000 > max(held)


def test_no_reason_speaks_in_the_words_of_the_engine(landed: Landed) -> None:
    reasons = [load["reason"] for load in landed.loads.values() if load["reason"]]
    reasons += [row["reason"] for rows in landed.rejected.values() for row in rows]
    assert len(reasons) > 100
    ours = [re.sub(r'\(the engine says "[^"]+"\)', "", reason) for reason in reasons]
    engine = re.compile(r"Error|read_csv|auto_detect|input length|don't know|/landing/|LINE|TProto")
    assert [reason for reason in ours if engine.search(reason)] == []


def test_what_the_engine_alone_knows_is_quoted_in_a_sentence_with_a_remedy() -> None:
    error = duckdb.InvalidInputException("Invalid Input Error: don't know what type: \x0e.\nLINE 1")
    assert wording.reason_of(error, "parquet") == (
        "The file cannot be read as Parquet: it is damaged, or holds what Parquet does not allow "
        '(the engine says "don\'t know what type: \x0e"). '
        "Deliver it again, complete and in the format that its name says"
    )
