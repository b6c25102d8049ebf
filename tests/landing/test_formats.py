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

from orchestration.landing import LOGS

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
    assert first["tags"] == 'one "two"\nthree'
    assert json.loads(first["extra"]) == {"mood": "glad"}
    # Bit 2 is ended_at: the third timestamp column of contacts.
    assert first["local_times"] == 4
    assert (first["source"], first["load_no"], first["row_id"]) == ("acme", 1, (1 << 32) + 1)
    assert second["row_id"] == (1 << 32) + 2
    assert second["started_at"] == datetime(2026, 3, 29)
    assert (second["agent_id"], second["ended_at"], second["extra"]) == (None, None, None)
    assert second["tags"] == "é漢🙂"
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
        "0001-01-01T00:00:00Z": (datetime(1, 1, 1), False),
    }
    records = [("contact_id", "started_at"), *((f"c{n}", t) for n, t in enumerate(expected))]
    zone.write("acme/contacts/a.csv", csv_text(*records))

    zone.land("contacts")

    assert zone.rejected() == []
    rows = zone.rows("select started_at, local_times from raw.contacts order by row_id")
    found = [(row["started_at"], row["local_times"] == 1) for row in rows]
    assert found == list(expected.values())


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
    assert (first["tags"], second["tags"]) == ('["a","b"]', "[]")
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
