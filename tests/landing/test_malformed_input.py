"""Malformed input: what each kind of bad file leads to, and that nothing of it is lost or silent.

Belongs here: one row per kind of bad file. Does not belong here: what a good file leads to, in
other formats and compressions.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from landing_zone import LandingZone, Row

H = "contact_id,started_at,agent_id\n"
ROW = "c{0},2026-03-01T10:00:00Z,a1\n"
GOOD = H + ROW.format(1) + ROW.format(2)
RATINGS = "contact_id,question,answered_at,score\n"
AT = "2026-03-01T10:00:00Z"


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
                "20260301",
                "2026-03-01T10:00:00+2",
                "today",
            )
        ),
        0,
        [(number, "started_at", "not an ISO 8601") for number in range(1, 11)],
    ),
    Case(
        "the year zero",
        "acme/contacts/a.csv",
        H + "c,0000-01-01,a1\n",
        0,
        [(1, "started_at", "outside of the years")],
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
        2,
        [(number, None, "not valid JSON") for number in (2, 3, 5, 6)],
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
    Case(
        "infinite and missing timestamps in Parquet",
        "acme/contacts/a.parquet",
        lambda: parquet(
            {
                "contact_id": ["c1", "c2", "c3", None, " "],
                "started_at": pa.array([0, None, 2**62, 0, 0], pa.timestamp("us", "UTC")),
            }
        ),
        1,
        [
            (2, "started_at", "missing"),
            (3, "started_at", "outside of the years"),
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
    Case("UTF-16 text", "acme/contacts/a.csv", GOOD.encode("utf-16"), refused="UTF-16"),
    Case("binary junk", "acme/contacts/a.csv", bytes(range(256)) * 40, refused="required columns"),
    Case(
        "binary junk as lines",
        "acme/contacts/a.jsonl",
        bytes(range(128, 256)) * 40,
        refused="No line",
    ),
    Case(
        "text instead of JSON",
        "acme/contacts/a.jsonl",
        GOOD,
        refused="No line of the file is a JSON object",
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
        refused="cannot be read",
    ),
    Case(
        "a Parquet file without its beginning",
        "acme/contacts/a.parquet",
        lambda: good_parquet()[100:],
        refused="cannot be read",
    ),
    Case("an empty Parquet file", "acme/contacts/a.parquet", b"", refused="cannot be read"),
    Case("CSV that is named as Parquet", "acme/contacts/a.parquet", GOOD, refused="cannot be read"),
    Case(
        "a Parquet file of strings that are not UTF-8",
        "acme/contacts/a.parquet",
        lambda: parquet({"contact_id": not_utf8(), "started_at": [AT]}),
        refused="cannot be read",
    ),
    Case(
        "a truncated array",
        "acme/contacts/a.json",
        '[{"contact_id": "c1", "started_at": "2026-03-01"}, {"cont',
        refused="cannot be read",
    ),
    Case(
        "an array that is followed by text",
        "acme/contacts/a.json",
        '[{"contact_id": "c1", "started_at": "2026-03-01"}] x',
        refused="cannot be read",
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
        refused="'.xlsx' is not supported",
    ),
    Case(
        "a compression that is not supported",
        "acme/contacts/a.csv.bz2",
        b"BZh9",
        refused="'.csv.bz2' is not supported",
    ),
    Case("a file without an ending", "acme/contacts/export", GOOD, refused="is not supported"),
    Case("a file beside the log folders", "acme/a.csv", GOOD, refused="does not lie in"),
    Case("a file beside the source folders", "a.csv", GOOD, refused="does not lie in"),
]


@dataclass(frozen=True)
class Landed:
    """What one landing run over all cases left in the warehouse."""

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
    return Landed({load["path"]: load for load in zone.loads()}, rejected)


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


def test_nothing_is_lost_in_any_file(landed: Landed) -> None:
    assert len(landed.loads) == len(CASES)
    for load in landed.loads.values():
        rejected = landed.rejected.get(load["load_no"], [])
        assert load["rows_read"] == load["rows_loaded"] + load["rows_rejected"]
        assert load["rows_rejected"] == len(rejected)


def test_there_are_enough_kinds_of_bad_files() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 45
