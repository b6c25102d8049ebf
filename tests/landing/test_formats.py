"""Every format and compression leads to the same rows, and values arrive as they were sent.

Belongs here: what a good file leads to. Does not belong here: bad input, or how often a file loads.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from landing_zone import LandingZone, compressed, csv_text

from throughline.landing import LOGS

AT = "2026-03-01T10:00:00Z"

RECORDS: list[dict[str, str | None]] = [
    {
        "contact_id": "0044123",
        "started_at": "2026-03-29T01:30:00+01:00",
        "agent_id": "a,1",
        "ended_at": "2026-03-29 03:45",
        "tags": 'one "two"\nthree',
        "mood": "glad",
    },
    {
        "contact_id": "c2",
        "started_at": "2026-03-29",
        "agent_id": None,
        "ended_at": None,
        "tags": "é漢🙂",
        "mood": None,
    },
]


def as_csv(records: list[dict[str, str | None]]) -> bytes:
    output = io.StringIO(newline="")
    writer = csv.DictWriter(output, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return output.getvalue().encode()


def as_lines(records: list[dict[str, str | None]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def as_document(records: list[dict[str, str | None]]) -> bytes:
    return json.dumps(records, indent=2, ensure_ascii=False).encode()


def as_parquet(records: list[dict[str, str | None]]) -> bytes:
    return parquet({name: [record[name] for record in records] for name in records[0]})


def parquet(columns: dict[str, Any]) -> bytes:
    output = io.BytesIO()
    pq.write_table(pa.table(columns), output)
    return output.getvalue()


WRITERS = {
    "csv": as_csv,
    "jsonl": as_lines,
    "ndjson": as_lines,
    "json": as_document,
    "parquet": as_parquet,
}


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
@pytest.mark.parametrize("ending", list(WRITERS))
def test_each_format_and_compression_gives_the_same_rows(
    ending: str, compression: str, zone: LandingZone
) -> None:
    name = f"a.{ending}.{compression}".rstrip(".")
    zone.write(f"acme/contacts/2026/{name}", compressed(WRITERS[ending](RECORDS), compression))

    summary = zone.land("contacts")["contacts"]

    assert (summary.rows_read, summary.rows_loaded, summary.rows_local_time) == (2, 2, 2)
    assert summary.unknown_columns == {"mood": 1}
    first, second = zone.rows("select * from raw.contacts order by row_id")
    assert first["contact_id"] == "0044123"
    assert first["started_at"] == datetime(2026, 3, 29, 0, 30)
    assert first["ended_at"] == datetime(2026, 3, 29, 3, 45)
    assert first["agent_id"] == "a,1"
    assert json.loads(first["tags"]) == ['one "two"\nthree']
    assert json.loads(first["extra"]) == {"mood": "glad"}
    # Bit 2 is ended_at: the third timestamp column of contacts.
    assert first["local_times"] == 4
    assert (first["source"], first["load_no"], first["row_id"]) == ("acme", 1, (1 << 32) + 1)
    assert second["row_id"] == (1 << 32) + 2
    assert second["started_at"] == datetime(2026, 3, 29)
    assert (second["agent_id"], second["ended_at"], second["extra"]) == (None, None, None)
    assert second["tags"] == '["é漢🙂"]'
    assert second["local_times"] == 1
    load = zone.loads()[0]
    assert load["format"] == name.partition(".")[2].replace("ndjson", "jsonl")


def test_timestamps_of_iso_8601_load_and_those_without_an_offset_are_marked(
    zone: LandingZone,
) -> None:
    expected = {
        "2026-03-01": (datetime(2026, 3, 1), True),
        "2026-03-01T10:20": (datetime(2026, 3, 1, 10, 20), True),
        "2026-03-01 10:20:30.5": (datetime(2026, 3, 1, 10, 20, 30, 500000), True),
        "2026-03-01T24:00:00": (datetime(2026, 3, 2), True),
        "2026-03-01T10:20Z": (datetime(2026, 3, 1, 10, 20), False),
        "2026-03-01T10:20:30.123456789Z": (datetime(2026, 3, 1, 10, 20, 30, 123456), False),
        "2026-03-01T10:20+02": (datetime(2026, 3, 1, 8, 20), False),
        "2026-03-01 10:20:30-0330": (datetime(2026, 3, 1, 13, 50, 30), False),
        "2026-03-01T00:20:30.25+05:45": (datetime(2026, 2, 28, 18, 35, 30, 250000), False),
        "2026-03-01T10:20:30+01:00[Etc/UTC]": (datetime(2026, 3, 1, 9, 20, 30), False),
        " 2026-03-01T10:20:30Z ": (datetime(2026, 3, 1, 10, 20, 30), False),
        "1970-01-02T00:00:00Z": (datetime(1970, 1, 2), False),
        # The basic form, and the two mixed; a comma; the hour alone; lower case; a long minus.
        "20260301": (datetime(2026, 3, 1), True),
        "20260301T102030Z": (datetime(2026, 3, 1, 10, 20, 30), False),
        "20260301T102030.5+0200": (datetime(2026, 3, 1, 8, 20, 30, 500000), False),
        "20260301T1020": (datetime(2026, 3, 1, 10, 20), True),
        "20260301 10:20:30": (datetime(2026, 3, 1, 10, 20, 30), True),
        "2026-03-01T10:20:30,25-03": (datetime(2026, 3, 1, 13, 20, 30, 250000), False),
        "2026-03-01T10": (datetime(2026, 3, 1, 10), True),
        "2026-03-01T10Z": (datetime(2026, 3, 1, 10), False),
        "20260301T10+01:00": (datetime(2026, 3, 1, 9), False),
        "2026-03-01t10:20:30z": (datetime(2026, 3, 1, 10, 20, 30), False),
        "2026-03-01T10:20:30\u221203:00": (datetime(2026, 3, 1, 13, 20, 30), False),
        "20260301T24Z": (datetime(2026, 3, 2), False),
        # Leap seconds are the seconds after them, in whatever time zone.
        "2016-12-31T23:59:60Z": (datetime(2017, 1, 1), False),
        "20161231T235960,5": (datetime(2017, 1, 1, 0, 0, 0, 500000), True),
        "2017-01-01T05:44:60.250+05:45": (datetime(2017, 1, 1, 0, 0, 0, 250000), False),
    }
    records = [("contact_id", "started_at"), *((f"c{n}", t) for n, t in enumerate(expected))]
    zone.write("acme/contacts/a.csv", csv_text(*records, delimiter=";"))

    zone.land("contacts")

    assert zone.rejected() == []
    rows = zone.rows("select started_at, local_times from raw.contacts order by row_id")
    found = [(row["started_at"], row["local_times"] == 1) for row in rows]
    assert found == list(expected.values())


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_time_that_stands_for_none_is_none_where_it_may_be_and_is_counted(
    ending: str, zone: LandingZone
) -> None:
    far = ["9999-12-31T23:59:59Z", "0001-01-01 00:00:00", "0000-00-00", "1970-01-01"]
    records: list[dict[str, str | None]] = [
        *(
            {"contact_id": f"c{n}", "started_at": AT, "ended_at": time, "updated_at": time}
            for n, time in enumerate(far)
        ),
        {"contact_id": "odd", "started_at": "9999-12-31", "ended_at": None, "updated_at": far[0]},
        {"contact_id": "good", "started_at": AT, "ended_at": "2026-03-02", "updated_at": AT},
    ]
    zone.write(f"acme/contacts/a.{ending}", WRITERS[ending](records))
    zone.land("contacts")

    rows = zone.rows("select ended_at, updated_at, local_times from raw.contacts order by row_id")
    assert [tuple(row.values()) for row in rows[:-1]] == [(None, None, 0)] * 4
    assert rows[-1]["ended_at"] == datetime(2026, 3, 2)
    assert [row["column_name"] for row in zone.rejected()] == ["started_at"]
    # Two in each of four rows, and the one for which a row was rejected.
    assert [load["placeholder_times"] for load in zone.loads()] == [9]


def test_typed_times_that_stand_for_none_are_none_as_well(zone: LandingZone) -> None:
    day, us = pa.date32(), pa.timestamp("us")
    typed = {
        "answered_at": pa.array([date(9999, 12, 31), date(2026, 3, 1), None], day),
        "ended_at": pa.array([2**62, 1772323200000000, -(2**62)], us),
        "updated_at": pa.array([0, 253402300799000000, None], pa.timestamp("us", "UTC")),
    }
    fixed = {"contact_id": ["c1", "c2", "c3"], "started_at": [AT] * 3}
    zone.write("acme/contacts/a.parquet", parquet({**fixed, **typed}))
    zone.land("contacts")

    rows = zone.rows(
        "select answered_at, ended_at, updated_at, local_times from raw.contacts order by row_id"
    )
    day_of_march = datetime(2026, 3, 1)
    assert [tuple(row.values()) for row in rows] == [
        (None, None, None, 0),
        (day_of_march, day_of_march, None, 2 + 4),
        (None, None, None, 0),
    ]
    assert [load["placeholder_times"] for load in zone.loads()] == [5]


def test_every_timestamp_column_has_its_own_bit() -> None:
    assert {name: log.timestamp_bits for name, log in LOGS.items()} == {
        "contacts": {"started_at": 1, "answered_at": 2, "ended_at": 4, "updated_at": 8},
        "transfers": {"requested_at": 1, "updated_at": 2},
        "messages": {"sent_at": 1},
        "ratings": {"answered_at": 1},
        "transactions": {"occurred_at": 1},
        "agents": {"valid_from": 1, "updated_at": 2},
    }


def test_typed_parquet_columns_arrive_without_loss(zone: LandingZone) -> None:
    instant = datetime(2026, 3, 1, 10, 20, 30, 123456, tzinfo=UTC)
    zone.write(
        "acme/contacts/a.parquet",
        parquet(
            {
                "contact_id": pa.array([2**63 - 1, 44123], pa.int64()),
                "started_at": pa.array([instant, instant], pa.timestamp("ns", "Europe/Paris")),
                "answered_at": pa.array([instant.replace(tzinfo=None), None], pa.timestamp("ms")),
                "ended_at": pa.array([date(2026, 3, 2), None], pa.date32()),
                "updated_at": ["2026-03-03T00:00:00Z", "2026-03-03 00:00"],
                # What a data frame makes of ids with gaps.
                "previous_contact_id": [1002.0, float("nan")],
                "conversation_ref": [Decimal("12345678901234567890.10"), None],
                "tags": [["a", "b"], []],
                "agent_kind": pa.array(["bot", None]).dictionary_encode(),
                "device": [{"os": "x", "version": 1.5}, None],
                "weight": [1.5, float("inf")],
                "raw": [b"\xc3\xa9", None],
            }
        ),
    )

    summary = zone.land("contacts")["contacts"]

    first, second = zone.rows("select * from raw.contacts order by row_id")
    assert (first["contact_id"], second["contact_id"]) == ("9223372036854775807", "44123")
    assert first["started_at"] == instant.replace(tzinfo=None)
    assert first["answered_at"] == datetime(2026, 3, 1, 10, 20, 30, 123000)
    assert first["ended_at"] == datetime(2026, 3, 2)
    # answered_at 2, ended_at 4; the second row has only updated_at 8 without an offset.
    assert (first["local_times"], second["local_times"]) == (6, 8)
    assert (first["previous_contact_id"], second["previous_contact_id"]) == ("1002", None)
    assert first["conversation_ref"] == "12345678901234567890.10"
    assert (first["tags"], second["tags"]) == ('["a","b"]', None)
    assert first["agent_kind"] == "bot"
    extra = json.loads(first["extra"])
    assert extra["device"] == {"os": "x", "version": 1.5}
    assert extra["weight"] == 1.5
    assert second["extra"] is None
    assert summary.unknown_columns == {"device": 1, "raw": 1, "weight": 1}


def test_numbers_in_json_keep_their_digits(zone: LandingZone) -> None:
    ids = ["1", "9007199254740993", "123456789012345678901234567890", "1.10", "-0.50", "1e3"]
    zone.write(
        "acme/transactions/a.jsonl",
        "".join(
            f'{{"note": {{"transaction_id": 7.5}}, "transaction_id": {number}, '
            f'"occurred_at": "2026-03-01", "amount": 12345678901234.5678}}\n'
            for number in ids
        ),
    )

    zone.land("transactions")

    rows = zone.rows("select * from raw.transactions order by row_id")
    assert [row["transaction_id"] for row in rows] == ids
    assert {row["amount"] for row in rows} == {Decimal("12345678901234.5678")}


def test_ids_in_csv_stay_verbatim(zone: LandingZone) -> None:
    ids = ["0044123", " x ", "1e5", "NULL", "1.0", "O'Brien", "true", "\\N", "c;1"]
    zone.write(
        "acme/agents/a.csv", csv_text(("agent_id", "group_id"), *((value, "") for value in ids))
    )

    zone.land("agents")

    rows = zone.rows("select agent_id, group_id from raw.agents order by row_id")
    assert [row["agent_id"] for row in rows] == ids
    assert {row["group_id"] for row in rows} == {None}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_whether_a_message_is_private_may_be_written_in_many_ways(
    ending: str, zone: LandingZone
) -> None:
    values = ["true", "T", "1", "1.0", " yes", "y", "FALSE", "f", "0", "0.0", "No", "n ", "", None]
    records = [
        {"contact_id": f"c{n}", "sent_at": AT, "author_kind": "agent", "is_private": value}
        for n, value in enumerate(values)
    ]
    zone.write(f"acme/messages/a.{ending}", WRITERS[ending](records))
    zone.land("messages")

    rows = zone.rows("select is_private from raw.messages order by row_id")
    assert [row["is_private"] for row in rows] == [True] * 6 + [False] * 6 + [None] * 2


def test_booleans_and_numbers_say_whether_a_message_is_private(zone: LandingZone) -> None:
    fixed = {"contact_id": ["c1", "c2", "c3"], "sent_at": [AT] * 3, "author_kind": ["agent"] * 3}
    for name, values in {
        "bool": [True, False, None],
        "double": [1.0, 0.0, float("nan")],
        "int": [1, 0, None],
    }.items():
        zone.write(f"acme/messages/{name}.parquet", parquet({**fixed, "is_private": values}))
    lines = [
        {"contact_id": "c1", "sent_at": AT, "author_kind": "agent", "is_private": value}
        for value in (True, False, None)
    ]
    zone.write("acme/messages/lines.jsonl", "\n".join(map(json.dumps, lines)))
    zone.land("messages")

    rows = zone.rows("select is_private from raw.messages order by row_id")
    assert [row["is_private"] for row in rows] == [True, False, None] * 4


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_list_of_tags_is_the_same_list_however_it_is_written(
    ending: str, zone: LandingZone
) -> None:
    expected = {
        "a,b": ["a", "b"],
        " a , , b,": ["a", "b"],
        "[299029, 5]": ["299029", "5"],
        ' ["a", "b, c", null, " ", "d\\"e"]': ["a", "b, c", 'd"e'],
        '[["a"], {"b": 1}, true]': ['["a"]', '{"b":1}', "true"],
        "[urgent],vip": ["[urgent]", "vip"],
        "[": ["["],
        "5": ["5"],
        "[]": None,
        " , ": None,
        "": None,
    }
    records: list[dict[str, str | None]] = [
        {"contact_id": f"c{n}", "started_at": AT, "tags": tags} for n, tags in enumerate(expected)
    ]
    zone.write(f"acme/contacts/a.{ending}", WRITERS[ending](records))
    zone.land("contacts")

    rows = zone.rows("select tags from raw.contacts order by row_id")
    assert [row["tags"] and json.loads(row["tags"]) for row in rows] == list(expected.values())


@pytest.mark.parametrize("blank", [" ", "\t", "\v", "\f", "\r\n"])
def test_blanks_around_a_value_go_and_no_letter_with_them(blank: str, zone: LandingZone) -> None:
    words = ["vip", "five", "x0b", "return", "next", "tent"]
    zone.write(
        "acme/contacts/a.jsonl",
        json.dumps({"contact_id": "c", "started_at": AT, "tags": f",{blank}".join(words)})
        + "\n"
        + json.dumps({"contact_id": f"{blank}v", "started_at": AT, "tags": blank}),
    )
    author = f"{blank}visitor{blank}"
    zone.write(
        "acme/messages/a.jsonl",
        json.dumps({"contact_id": "c", "sent_at": f"{AT}{blank}", "author_kind": author}),
    )
    zone.land("contacts", "messages")

    assert zone.rejected() == []
    first, second = zone.rows("select contact_id, tags from raw.contacts order by row_id")
    assert json.loads(first["tags"]) == words
    assert second == {"contact_id": f"{blank}v", "tags": None}
    assert zone.rows("select author_kind from raw.messages") == [{"author_kind": author}]


def test_arrays_of_json_and_lists_of_parquet_are_lists_of_tags(zone: LandingZone) -> None:
    tags: list[Any] = [["a", "b, c"], ["299029", "5"], [], None]
    fixed = {"contact_id": [f"c{n}" for n in range(4)], "started_at": [AT] * 4}
    numbers = [[299029, 5], [1], [], None]
    zone.write("acme/contacts/1.parquet", parquet({**fixed, "tags": tags}))
    zone.write("acme/contacts/2.parquet", parquet({**fixed, "tags": numbers}))
    binary = pa.array([[b"\xc3\xa9", b"b"], None, [], None], pa.list_(pa.binary()))
    zone.write("acme/contacts/3.parquet", parquet({**fixed, "tags": binary}))
    lines = [{"contact_id": "c1", "started_at": AT, "tags": value} for value in [*tags, 7, "x,y"]]
    zone.write("acme/contacts/4.jsonl", "\n".join(map(json.dumps, lines)))
    zone.land("contacts")

    rows = zone.rows("select tags from raw.contacts order by row_id")
    assert [row["tags"] and json.loads(row["tags"]) for row in rows] == [
        *(["a", "b, c"], ["299029", "5"], None, None),
        *(["299029", "5"], ["1"], None, None),
        *(["é", "b"], None, None, None),
        *(["a", "b, c"], ["299029", "5"], None, None, ["7"], ["x", "y"]),
    ]


def test_strings_that_parquet_stores_without_a_mark_are_utf_8(zone: LandingZone) -> None:
    def binary(*values: bytes | None) -> pa.Array:
        return pa.array(values, pa.binary())

    zone.write(
        "acme/messages/a.parquet",
        parquet(
            {
                "contact_id": binary(b"\xc3\xa9t\xc3\xa9", b"c2", b"c3"),
                "sent_at": binary(AT.encode(), AT.encode(), AT.encode()),
                "author_kind": binary(b"agent", b" BOT ", b"system"),
                "body": binary(b'Caf\xc3\xa9 "x"\n', None, b"\xff\xfe"),
                "is_private": binary(b"yes", None, None),
                "mood": binary(b"\xe2\x98\xba", b"\xff", None),
            }
        ),
    )
    zone.land("messages")

    first, second = zone.rows("select * from raw.messages order by row_id")
    assert (first["contact_id"], first["body"]) == ("été", 'Café "x"\n')
    assert (first["sent_at"], first["is_private"]) == (datetime(2026, 3, 1, 10), True)
    assert json.loads(first["extra"]) == {"mood": "☺"}
    assert (second["author_kind"], second["body"]) == (" BOT ", None)
    [rejected] = zone.rejected()
    assert (rejected["row_no"], rejected["column_name"]) == (3, "body")
    assert rejected["value"] == r"\xFF\xFE"
    assert rejected["reason"] == "body is not UTF-8"


def test_a_whole_decimal_or_float_is_the_whole_number_as_an_id(zone: LandingZone) -> None:
    decimals = [Decimal("1002"), Decimal("0"), Decimal("-7"), Decimal("1.5"), None]
    floats = [1002.0, 0.0, -7.0, 1.5, None]
    expected = ["1002", "0", "-7", "1.5", None]
    fixed = {"contact_id": [f"c{n}" for n in range(5)], "started_at": [AT] * 5}
    for name, array in {
        "1": pa.array(decimals, pa.decimal128(38, 10)),
        "2": pa.array(decimals, pa.decimal128(9, 2)),
        "3": pa.array(floats),
    }.items():
        columns = {**fixed, "visitor_id": array}
        zone.write(f"acme/contacts/{name}.parquet", parquet(columns))
    numbers = ["1002.0", "0.000", "-7.00", "1.5", "null"]
    zone.write(
        "acme/contacts/4.jsonl",
        "".join(
            f'{{"contact_id": "c{n}", "started_at": "{AT}", "visitor_id": {number}}}\n'
            for n, number in enumerate(numbers)
        ),
    )
    zone.land("contacts")

    rows = zone.rows("select visitor_id from raw.contacts order by row_id")
    found = [row["visitor_id"] for row in rows]
    assert found == [
        *("1002", "0", "-7", "1.5000000000", None),
        *("1002", "0", "-7", "1.50", None),
        *expected,
        *expected,
    ]


def test_an_agents_file_may_have_one_column_only(zone: LandingZone) -> None:
    zone.write("acme/agents/a.csv", "agent_id\na1\n\na2\n")

    assert zone.land("agents")["agents"].rows_loaded == 2


def test_a_transfer_may_spell_its_time_differently(zone: LandingZone) -> None:
    at, later = "2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z"
    zone.write("acme/transfers/1.csv", csv_text(("from_contact_id", "Transferred_At"), ("c1", at)))
    both = ("from_contact_id", "transferred_at", "requested_at")
    zone.write(
        "acme/transfers/2.csv", csv_text(both, ("c2", later, at), ("c3", at, ""), ("c4", "", at))
    )
    zone.write(
        "acme/transfers/3.jsonl",
        json.dumps({"from_contact_id": "c5", "transferred_at": later, "requested_at": at}),
    )
    zone.write(
        "acme/transfers/4.parquet",
        parquet(
            {
                "from_contact_id": ["c6", "c7"],
                "requested_at": pa.array([datetime(2026, 3, 1, 10, tzinfo=UTC), None]),
                "transferred_at": [later, at],
            }
        ),
    )

    zone.land("transfers")

    assert zone.rejected() == []
    rows = zone.rows("select * from raw.transfers order by from_contact_id")
    assert {row["requested_at"] for row in rows} == {datetime(2026, 3, 1, 10)}
    assert {row["local_times"] for row in rows} == {0}
    # The name that is not preferred is kept where both have a value.
    kept = {
        row["from_contact_id"]: json.loads(row["extra"]) for row in rows if row["extra"] is not None
    }
    expected = {"transferred_at": later}
    assert kept == {"c2": expected, "c5": expected, "c6": expected}


def test_unknown_columns_are_kept_and_counted(zone: LandingZone) -> None:
    zone.write(
        "acme/contacts/a.csv",
        csv_text(
            ("contact_id", "started_at", "Übung", 'say ""hi""', ""),
            ("c1", "2026-03-01", "x", "", ""),
            ("c2", "2026-03-01", "y", "z", ""),
        ).replace('say ""hi""', '"say ""hi"""'),
    )
    zone.write(
        "acme/contacts/b.jsonl",
        '{"contact_id": "c3", "started_at": "2026-03-01", "": 1, "a.b/c~d": [1.50, {"e": null}]}\n'
        '{"contact_id": "c4", "started_at": "2026-03-01", "a.b/c~d": null, "x\\"y": false}\n',
    )

    summary = zone.land("contacts")["contacts"]

    rows = zone.rows("select extra from raw.contacts order by contact_id")
    assert [json.loads(row["extra"]) for row in rows] == [
        {"Übung": "x"},
        {"Übung": "y", 'say "hi"': "z"},
        {"": 1, "a.b/c~d": [1.5, {"e": None}]},
        {'x"y': False},
    ]
    counts = [json.loads(load["unknown_columns"]) for load in zone.loads()]
    assert counts == [
        {"Übung": 2, 'say "hi"': 1, "column_5": 0},
        {"": 1, "a.b/c~d": 1, 'x"y': 1},
    ]
    assert summary.unknown_columns == counts[0] | counts[1]


def test_keys_that_are_data_are_kept_as_well(zone: LandingZone) -> None:
    records = [
        {"contact_id": f"c{n}", "started_at": "2026-03-01", f"~k/{n}": [n], "none": None, "": n}
        for n in range(300)
    ]
    zone.write("acme/contacts/a.jsonl", "not json\n" + "\n".join(map(json.dumps, records)))

    summary = zone.land("contacts")["contacts"]

    rows = zone.rows("select extra from raw.contacts order by row_id")
    assert [json.loads(row["extra"]) for row in rows] == [
        {f"~k/{n}": [n], "": n} for n in range(300)
    ]
    assert len(summary.unknown_columns) == 302
    assert (summary.unknown_columns[""], summary.unknown_columns["none"]) == (300, 0)


def test_large_bodies_with_line_breaks_keep_every_character(zone: LandingZone) -> None:
    # Larger than DuckDB's buffer, and every line looks like a record.
    bodies = [f'{n},"2026-03-01",bot,{n}\n' * 60_000 for n in range(20)]
    output = io.StringIO(newline="")
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(("contact_id", "sent_at", "author_kind", "body"))
    writer.writerows((f"c{n}", "2026-03-01", "bot", body) for n, body in enumerate(bodies))
    zone.write("acme/messages/a.csv", output.getvalue())

    zone.land("messages")

    rows = zone.rows("select contact_id, body from raw.messages order by row_id")
    assert [row["contact_id"] for row in rows] == [f"c{n}" for n in range(20)]
    assert [row["body"] for row in rows] == bodies


def test_embedded_windows_line_breaks_survive_next_to_a_broken_record(zone: LandingZone) -> None:
    zone.write(
        "acme/messages/a.csv",
        "contact_id,sent_at,author_kind,body\r\n"
        'c1,2026-03-01,bot,"one\r\ntwo\nthree"\r\n'
        "broken\r\n"
        'c2,2026-03-01,bot, "x" \r\n',
    )

    zone.land("messages")

    rows = zone.rows("select body, row_id & 4294967295 as row_no from raw.messages order by row_id")
    assert [(row["body"], row["row_no"]) for row in rows] == [("one\r\ntwo\nthree", 1), ("x", 3)]
    assert [row["row_no"] for row in zone.rejected()] == [2]


def test_a_parquet_file_may_have_a_column_named_like_the_readers_own(zone: LandingZone) -> None:
    zone.write(
        "acme/contacts/a.parquet",
        parquet(
            {
                "contact_id": ["c1", "c2"],
                "started_at": ["2026-03-01"] * 2,
                "file_row_number": [7, 8],
                "row_no": [1, 2],
                "in_contact_id": ["x", "y"],
            }
        ),
    )

    zone.land("contacts")

    rows = zone.rows(
        "select contact_id, extra, row_id & 255 as row_no from raw.contacts order by 1"
    )
    assert [row["row_no"] for row in rows] == [1, 2]
    assert json.loads(rows[0]["extra"])["file_row_number"] == 7
