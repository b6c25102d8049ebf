"""The exports: what is in the files, what keeps them harmless, how they are streamed."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import duckdb
import openpyxl
import pandas
import pyarrow.parquet
import pytest
import uvicorn
import yaml
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from published_sample import need_tables
from starlette.responses import Response

from serving import connections, filters
from serving.__main__ import OPTIONS
from serving.app import create_app
from serving.export import cells, log, stream, xlsx
from serving.export.cells import Column
from serving.export.files import ExportFailedError, write_file
from serving.export.jobs import FORMATS, Job
from serving.filters import Filter
from serving.queries.table import Table
from serving.snapshot import Snapshot
from serving.web import current_snapshot
from tests.serving.conftest import local_client
from throughline.settings import REPOSITORY, ServingSettings

EXPORT = "/conversations/export"
MARTS = {"conversation": "conversations", "contact": "contacts"}


def _contract(mart: str) -> list[str]:
    models = yaml.safe_load(
        (REPOSITORY / "dbt_project" / "models" / "marts" / f"{mart}.yml").read_text()
    )["models"]
    (model,) = [each for each in models if each["name"] == mart]
    withheld = model["config"]["meta"]["publish"].get("except", [])
    return [column["name"] for column in model["columns"] if column["name"] not in withheld]


def _csv_rows(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def _sheet(content: bytes, name: str | None = None) -> Any:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return book[name] if name else book.worksheets[0]


def _written(snapshot: Snapshot, folder: Path, table: Table, format_name: str) -> bytes:
    target = folder / f"file.{format_name}"
    write_file(snapshot.path, [table], format_name, target)
    assert sorted(path.name for path in folder.iterdir()) == [target.name]
    content = target.read_bytes()
    target.unlink()
    return content


@pytest.mark.parametrize("grain", MARTS)
def test_the_headers_are_the_marts_contract_both_ways(client: TestClient, grain: str) -> None:
    wanted = _contract(MARTS[grain])

    def get(name: str) -> bytes:
        return client.get(EXPORT, params={"format": name, "grain": grain}).content

    assert _csv_rows(get("csv"))[0] == wanted
    assert list(json.loads(get("jsonl").splitlines()[0])) == wanted
    assert pyarrow.parquet.read_schema(io.BytesIO(get("parquet"))).names == wanted
    # A sheet's moments have no zone of their own: the header says it.
    moments = {name for name in wanted if name.endswith("_at") or name == "requested_at"}
    headings = [cell.value for cell in next(_sheet(get("xlsx")).iter_rows())]
    assert headings == [f"{name} (UTC)" if name in moments else name for name in wanted]


@pytest.mark.parametrize(
    "query",
    ["", "channel=chat", "from=2026-10-01&to=2026-10-31&transferred=yes", "q=facture&group=sales"],
)
def test_an_export_is_the_whole_filtered_result_in_the_order_of_the_opening(
    client: TestClient, snapshot: Snapshot, query: str
) -> None:
    wanted, problems = filters.read([tuple(pair.split("=")) for pair in query.split("&") if pair])  # type: ignore[misc]
    assert not problems
    search = wanted.search()
    joined = filters.where([*wanted.conditions(), *([search] if search else [])])
    expected = snapshot.rows(
        f"select conversations.* from marts.conversations as conversations where {joined.sql}"
        " order by started_at, conversation_id",
        joined.values,
    )
    assert expected
    read = pyarrow.parquet.read_table(
        io.BytesIO(client.get(f"{EXPORT}?format=parquet&{query}").content)
    ).to_pylist()
    assert [
        {
            name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in read
    ] == expected
    ids = [row["conversation_id"] for row in expected]
    for format_name in ("csv", "jsonl", "xlsx"):
        content = client.get(f"{EXPORT}?format={format_name}&{query}").content
        if format_name == "csv":
            found = [row[0] for row in _csv_rows(content)[1:]]
        elif format_name == "jsonl":
            found = [json.loads(line)["conversation_id"] for line in content.splitlines()]
        else:
            found = [row[0] for row in _sheet(content).iter_rows(min_row=2, values_only=True)]
        assert found == ids, format_name


def test_the_contacts_are_all_contacts_of_the_conversations_found(
    client: TestClient, snapshot: Snapshot
) -> None:
    answer = client.get(f"{EXPORT}?format=jsonl&grain=contact&agent=1&source=bluewing_travel")
    found = [json.loads(line) for line in answer.text.splitlines()]
    expected = snapshot.rows(
        "select contact_id, conversation_id from marts.contacts where conversation_id in ("
        "select conversation_id from marts.contacts where agent_id = '1'"
        " and source = 'bluewing_travel')"
        " order by conversation_started_at, conversation_id, contact_no"
    )
    assert [(row["contact_id"], row["conversation_id"]) for row in found] == [
        (row["contact_id"], row["conversation_id"]) for row in expected
    ]
    assert len({row["agent_id"] for row in found}) > 1


@pytest.mark.parametrize("format_name", FORMATS)
def test_both_grains_come_as_two_files_with_the_same_conversations(
    client: TestClient, snapshot: Snapshot, format_name: str
) -> None:
    answer = client.get(f"{EXPORT}?format={format_name}&grain=both&channel=chat")
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.namelist() == [f"conversations.{format_name}", f"contacts.{format_name}"]
    ids = []
    for name in archive.namelist():
        content = archive.read(name)
        if format_name == "csv":
            rows = _csv_rows(content)
            at = rows[0].index("conversation_id")
            ids.append({row[at] for row in rows[1:]})
        elif format_name == "jsonl":
            ids.append({json.loads(line)["conversation_id"] for line in content.splitlines()})
        elif format_name == "parquet":
            table = pyarrow.parquet.read_table(io.BytesIO(content))
            ids.append(set(table["conversation_id"].to_pylist()))
        else:
            frame = pandas.read_excel(io.BytesIO(content), dtype=str)
            ids.append(set(frame["conversation_id"]))
    assert ids[0] == ids[1]
    assert len(ids[0]) == snapshot.value(
        "select count(*) from marts.conversations where channel = 'chat'"
    )


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =cmd|' /C calc'!A0",
    "\u00a0=1",
    "\u3000=1",
    "\ufeff=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "\tplain",
]
HARMLESS = ["a=1", "1-2", "", "'quoted", 'say "so"', "two\nlines", "a,b;c", "été", "<b>&amp;</b>"]


def _texts(values: list[str]) -> Table:
    return Table(
        "texts", "select unnest(cast($texts as varchar[])) as text, -1 as number", {"texts": values}
    )


def test_what_a_spreadsheet_would_run_is_text_in_a_csv(snapshot: Snapshot, tmp_path: Path) -> None:
    rows = _csv_rows(_written(snapshot, tmp_path, _texts(FORMULAS + HARMLESS), "csv"))[1:]
    assert [row[0] for row in rows] == ["'" + text for text in FORMULAS] + HARMLESS
    assert {row[1] for row in rows} == {"-1"}


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
def test_what_programs_read_is_as_it_was(
    snapshot: Snapshot, tmp_path: Path, format_name: str
) -> None:
    content = _written(snapshot, tmp_path, _texts(FORMULAS + HARMLESS), format_name)
    if format_name == "jsonl":
        found = [json.loads(line)["text"] for line in content.decode().split("\n") if line]
    else:
        found = pyarrow.parquet.read_table(io.BytesIO(content))["text"].to_pylist()
    assert found == FORMULAS + HARMLESS


def test_a_workbook_holds_text_as_it_was_and_no_formula(snapshot: Snapshot, tmp_path: Path) -> None:
    content = _written(snapshot, tmp_path, _texts(FORMULAS + HARMLESS), "xlsx")
    found = [row[0] for row in _sheet(content).iter_rows(min_row=2)]
    assert {cell.data_type for cell in found} <= {"s", "str", "inlineStr", "n"}
    assert not any(cell.data_type == "f" for cell in found)
    assert [cell.value or "" for cell in found] == FORMULAS + HARMLESS
    for name in zipfile.ZipFile(io.BytesIO(content)).namelist():
        assert b"<f>" not in zipfile.ZipFile(io.BytesIO(content)).read(name)


TYPED = Table(
    "typed",
    """
    select * from (values
        ('0044123', 3, 2.5::double, 12.3400::decimal(38, 4), true,
         timestamp '2026-11-02 14:05:06.5', date '2026-11-02', ['901', '9'], 9007199254740993),
        (null, null, null, null, null, null, null, null, null),
        ('x', -3, 'nan'::double, -0.0001, false,
         timestamp '1850-01-01', date '1850-01-01', [], -1)
    ) as given(text, whole, real, amount, flag, moment, day, path, large)
    """,
)


def test_cells_of_a_workbook_have_types(snapshot: Snapshot, tmp_path: Path) -> None:
    sheet = _sheet(_written(snapshot, tmp_path, TYPED, "xlsx"))
    rows = list(sheet.iter_rows(min_row=2))
    assert [cell.value for cell in rows[0]] == [
        "0044123",
        3,
        2.5,
        12.34,
        True,
        datetime(2026, 11, 2, 14, 5, 6, 500000),
        datetime(2026, 11, 2),
        "901 > 9",
        "9007199254740993",
    ]
    assert [cell.value for cell in rows[1]] == [None] * 9
    assert rows[2][2].value is None
    assert rows[2][5].value == "1850-01-01 00:00:00"
    assert rows[2][6].value == "1850-01-01"
    assert rows[0][5].is_date
    assert rows[0][6].number_format == r"yyyy\-mm\-dd"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:I4"


def test_pandas_reads_a_workbook_with_types(client: TestClient, snapshot: Snapshot) -> None:
    content = client.get(f"{EXPORT}?format=xlsx").content
    frame = pandas.read_excel(io.BytesIO(content))
    assert len(frame) == snapshot.value("select count(*) from marts.conversations")
    for name in ("started_at (UTC)", "closed_at (UTC)", "started_on"):
        assert pandas.api.types.is_datetime64_any_dtype(frame[name])
    assert frame["contact_count"].sum() == snapshot.value("select count(*) from marts.contacts")
    assert frame["is_closed"].dtype == bool
    assert frame["resolution_seconds"].sum() == pytest.approx(
        snapshot.value("select sum(resolution_seconds) from marts.conversations")
    )


def test_values_of_other_formats_have_types(snapshot: Snapshot, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in _written(snapshot, tmp_path, TYPED, "jsonl").splitlines()]
    assert rows[0] == {
        "text": "0044123",
        "whole": 3,
        "real": 2.5,
        "amount": 12.34,
        "flag": True,
        "moment": "2026-11-02T14:05:06.500000Z",
        "day": "2026-11-02",
        "path": ["901", "9"],
        "large": 9007199254740993,
    }
    assert set(rows[1].values()) == {None}
    assert rows[2]["real"] is None
    content = _written(snapshot, tmp_path, TYPED, "csv")
    assert b"\r\n" in content
    header, first, second, third = _csv_rows(content)
    assert first[5:8] == ["2026-11-02T14:05:06.500000Z", "2026-11-02", "901 > 9"]
    assert second == [""] * 9
    assert third[2] == ""
    assert header[0] == "text"
    table = pyarrow.parquet.read_table(
        io.BytesIO(_written(snapshot, tmp_path, TYPED, "parquet"))
    ).to_pylist()
    assert table[0]["amount"] == Decimal("12.3400")
    assert table[0]["day"] == date(2026, 11, 2)


def test_a_workbook_takes_what_xml_does_not(snapshot: Snapshot, tmp_path: Path) -> None:
    given_texts = ["a\x00b\x01c\x0bd", "_x0041_", "x" * 40_000, "a\tb\r\nc", "\U0001f600 ]]> '\""]
    content = _written(snapshot, tmp_path, _texts(given_texts), "xlsx")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert b"_x005F_x0041_" in archive.read("xl/worksheets/sheet1.xml")
    found = [row[0] for row in _sheet(content).iter_rows(min_row=2, values_only=True)]
    assert found[0] == "abcd"
    assert found[2] == "x" * 32_767
    assert found[3] == "a\tb\r\nc"
    assert found[4] == "\U0001f600 ]]> '\""


def test_a_row_says_the_same_whichever_way_it_is_made(snapshot: Snapshot, tmp_path: Path) -> None:
    # An ampersand beside them has every cell of a row made for itself.
    ordinary = """
        ('0044123', 3::tinyint, 2.5::double, 12.3400::decimal(38, 4), true, ['901', '9'],
         12::bigint, timestamp '2026-11-02 14:05:06.123', date '2026-11-02',
         timestamp_ns '2026-03-29 01:00:00'),
        ('a > b', -3, -1e300, -0.0001, false, [], -999999999999999,
         timestamp '1900-03-01 00:00:00', date '1900-03-01', timestamp_ns '1970-01-01 00:00:00'),
        ('', 0, 0, 0, null, null, null,
         timestamp '9999-12-31 23:59:59', date '9999-12-31', timestamp_ns '1969-12-31 23:59:59'),
        (null, null, null, null, null, ['x'], 0, null, null, null)
    """
    names = "text, whole, real, amount, flag, path, large, moment, day, precise"
    table = Table(
        "both",
        f"select given.*, beside from (values {ordinary}) as given({names}),"
        " (values ('and'), ('&')) as others(beside) order by beside, text nulls last",
    )
    content = _written(snapshot, tmp_path, table, "xlsx")
    rows = list(_sheet(content).iter_rows(min_row=2, values_only=True))
    exact, plain = rows[:4], rows[4:]
    assert [row[-1] for row in exact] == ["&"] * 4
    assert [row[:-1] for row in plain] == [row[:-1] for row in exact]
    assert plain[1][7] == datetime(2026, 11, 2, 14, 5, 6, 123000)
    text = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert text.count("<row>") == 9


@pytest.mark.parametrize(
    "text", [" before", "after ", "]]>", "a&b", "a<b", "x" * 32_768, "_x000D_", "a\u0007b"]
)
def test_what_a_short_cell_cannot_hold_is_seen(snapshot: Snapshot, text: str) -> None:
    columns = [Column("first", "VARCHAR"), Column("second", "VARCHAR")]
    for first, second in ((text, "plain"), ("plain", text)):
        ((row,),) = [
            tuple(each.values())
            for each in snapshot.rows(
                f"select {cells.xlsx_row(columns)} as row"
                " from (select $first::varchar as first, $second::varchar as second)",
                {"first": first, "second": second},
            )
        ]
        assert row.count("inlineStr") == 1
        assert '<c t="str"><v>plain</v></c>' in row
    (plain,) = snapshot.rows(
        f"select {cells.xlsx_row(columns)} as row from (select 'a > b' as first, 'c | d' as second)"
    )
    assert plain["row"] == '<row><c t="str"><v>a > b</v></c><c t="str"><v>c | d</v></c></row>'


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_text_breaks_a_workbook(snapshot: Snapshot, values: list[str]) -> None:
    # DuckDB takes no lone surrogates; everything else is a text.
    texts = [value.encode("utf-8", "ignore").decode() for value in values]
    made = snapshot.rows(
        f"select {cells.xlsx_row([Column('text', 'VARCHAR')])} as row"
        " from (select unnest(cast($texts as varchar[])) as text)",
        {"texts": texts},
    )
    out = io.BytesIO()
    lines = "".join(f"{row['row']}\n" for row in made)
    assert lines.count("\n") == len(texts)
    xlsx.write(out, "texts", [Column("text", "VARCHAR")], [lines.encode()])
    sheet = _sheet(out.getvalue())
    assert len(list(sheet.iter_rows(min_row=2, max_row=len(texts) + 1))) == len(texts)


@pytest.mark.parametrize("rows", [0, 9, 10, 11, 35])
def test_a_result_longer_than_a_sheet_goes_on_in_the_next(rows: int) -> None:
    text = "".join(f"<row><c><v>{number}</v></c></row>\n" for number in range(rows)).encode()
    chunks = [text[start : start + 7] for start in range(0, len(text), 7)]
    out = io.BytesIO()
    xlsx.write(out, "numbers", [Column("number", "BIGINT")], chunks, rows_per_sheet=10)
    book = openpyxl.load_workbook(out)
    found = []
    for sheet in book.worksheets:
        header, *values = sheet.iter_rows(values_only=True)
        assert header == ("number",)
        assert len(values) <= 10
        found += [value for (value,) in values]
    assert found == list(range(rows))
    assert len(book.worksheets) == max(1, -(-rows // 10))
    assert book.sheetnames[0] == "numbers"


@pytest.mark.parametrize("cut", [7, 24, 1000])
def test_a_sheet_that_is_too_large_goes_on_in_the_next(cut: int) -> None:
    text = "".join(f"<row><c><v>{number}</v></c></row>\n" for number in range(10)).encode()
    chunks = [text[start : start + cut] for start in range(0, len(text), cut)]
    out = io.BytesIO()
    xlsx.write(out, "numbers", [Column("number", "BIGINT")], chunks, bytes_per_sheet=60)
    sheets = openpyxl.load_workbook(out).worksheets
    found = [row[0] for sheet in sheets for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert found == list(range(10))
    assert len(sheets) == (1 if cut == 1000 else 4)
    for member in zipfile.ZipFile(out).infolist():
        # Of another version is what a zip says that has room for 4 GB and more.
        assert member.extract_version < zipfile.ZIP64_VERSION
        assert not member.extra


def test_letters_name_columns_as_spreadsheets_do() -> None:
    assert [xlsx.letters(number) for number in (1, 26, 27, 52, 703)] == [
        "A",
        "Z",
        "AA",
        "AZ",
        "AAA",
    ]


def test_an_empty_result_is_a_whole_file(client: TestClient) -> None:
    query = f"{EXPORT}?from=2030-01-01&format="
    assert len(_csv_rows(client.get(query + "csv").content)) == 1
    assert client.get(query + "jsonl").content == b""
    assert (
        pyarrow.parquet.read_table(io.BytesIO(client.get(query + "parquet").content)).num_rows == 0
    )
    assert _sheet(client.get(query + "xlsx").content).max_row == 1


def test_a_value_of_a_filter_is_never_part_of_the_question(client: TestClient) -> None:
    for name in ("visitor", "q", "id", "agent", "channel"):
        answer = client.get(
            EXPORT, params={"format": "jsonl", name: "x' or true or 'a'='b; drop table t --"}
        )
        assert answer.status_code == 200
        assert answer.content == b""


def test_a_moment_says_that_it_is_one_of_utc(snapshot: Snapshot, tmp_path: Path) -> None:
    sql = (
        "select timestamp '2026-10-25 00:30:00' as at, timestamp_ns '2026-10-25 00:30:00' as ns,"
        " timestamptz '2026-10-25 02:30:00+02' as zoned, date '2026-10-25' as day"
    )
    content = _written(snapshot, tmp_path, Table("t", sql), "parquet")
    file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
    for number, name in enumerate(("at", "ns", "zoned")):
        assert file.schema_arrow.field(name).type.tz == "UTC"
        told = json.loads(file.schema.column(number).logical_type.to_json())
        assert told["isAdjustedToUTC"] is True
        assert file.read().column(name)[0].as_py().isoformat() == "2026-10-25T00:30:00+00:00"
    assert file.read().column("day")[0].as_py() == date(2026, 10, 25)
    sheet = _sheet(_written(snapshot, tmp_path, Table("t", sql), "xlsx"))
    header, values = sheet.iter_rows(values_only=True)
    assert header == ("at (UTC)", "ns (UTC)", "zoned (UTC)", "day")
    assert values[:3] == (datetime(2026, 10, 25, 0, 30),) * 3
    line = json.loads(_written(snapshot, tmp_path, Table("t", sql), "jsonl"))
    assert line["at"].endswith("Z")


def test_exports_of_different_questions_have_different_names(client: TestClient) -> None:
    queries = [
        "conversations/export?",
        "conversations/export?grain=contact",
        "conversations/export?grain=both",
        "conversations/export?from=2026-10-01",
        "conversations/export?from=2026-10-01&channel=chat",
        "conversations/export?from=2026-10-01&channel=call",
        "conversations/export?from=2026-10-01&q=refund",
        "conversations/export?from=2026-10-01&on=closed",
        "reports/statistics/export?grain=month",
        "reports/statistics/export?grain=month&by=agent",
        "reports/statistics/export?grain=month&source=maison_lumiere",
        "reports/statistics/export?grain=month&source=maison_lumiere&project=101",
        "reports/statistics/export?grain=month&to=2026-09-01",
        "reports/statistics/export?grain=month&columns=all",
        "reports/contacts/export?grain=month",
        "transfers/export?from=2026-10-01&to=2026-10-31",
        "transfers/export?from=2026-10-01&to=2026-10-31&by=agent",
        "transfers/export?from=2026-10-01&to=2026-10-31&source=maison_lumiere",
        "transfers/export?from=2026-10-01&to=2026-10-31&source=maison_lumiere&channel=chat",
    ]
    names = [
        client.head(f"/{query}&format=csv").headers["content-disposition"] for query in queries
    ]
    assert len(set(names)) == len(names)
    again = client.head(f"/{queries[5]}&format=csv").headers["content-disposition"]
    assert again == names[5]


def test_the_file_is_named_after_its_content(client: TestClient, snapshot: Snapshot) -> None:
    answer = client.get(f"{EXPORT}?format=csv&grain=contact&from=2026-10-01&to=2026-10-31")
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="throughline-contacts-2026-10-01-2026-10-31-{snapshot.version}.csv"'
    )
    assert answer.headers["x-data-version"] == snapshot.version
    job = Job(Path("x"), "xlsx", [TYPED], Path("y"))
    assert stream.file_name('a"\r\nb/../é', "v1", job) == "a-b-..--v1.xlsx"


@pytest.mark.parametrize(
    "query", ["format=exe", "grain=all", "format=csv&from=yesterday", "format=csv&score_min=x"]
)
def test_what_cannot_be_exported_is_said_before_anything_is_sent(
    client: TestClient, query: str
) -> None:
    answer = client.get(f"{EXPORT}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "content-disposition" not in answer.headers


def test_a_job_arrives_as_it_was() -> None:
    values = {
        "day": date(2026, 11, 2),
        "moment": datetime(2026, 11, 2, 1, 2, 3, 4),
        "amount": Decimal("1.50"),
        "texts": ["a", "é\n\x00"],
        "number": 1.5,
        "nothing": None,
    }
    job = Job(Path("/a"), "csv", [Table("t", "select 1", values, ["a"])], Path("/b"), "1GB")
    assert Job.from_json(job.to_json()) == job


def test_the_worker_can_reach_nothing_but_the_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("before")
    for sql in (
        "select * from read_csv('/etc/passwd')",
        f"select * from read_text('{tmp_path}/out.csv')",
        "select * from nowhere",
    ):
        with pytest.raises(ExportFailedError, match=r"out\.csv"):
            write_file(snapshot.path, [Table("t", sql)], "csv", target)
        assert target.read_text() == "before"
        assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_the_worker_knows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "open sesame")
    assert "API_KEY" not in stream.worker_environment()


@pytest.mark.parametrize(
    ("grain", "order"),
    [
        ("conversation", "started_at, conversation_id"),
        ("contact", "conversation_started_at, conversation_id, contact_no"),
    ],
)
def test_an_export_of_what_a_refresh_left_in_no_order_is_in_order(
    snapshot: Snapshot, tmp_path: Path, grain: str, order: str
) -> None:
    need_tables()
    database = tmp_path / "refreshed.duckdb"
    shutil.copyfile(snapshot.path, database)
    with duckdb.connect(str(database)) as connection:
        for name in ("conversations", "contacts"):
            connection.execute(
                f"create or replace table marts.{name} as"
                f" from marts.{name} order by hash(conversation_id)"
            )
        wanted = connection.execute(
            f"from marts.{grain}s select conversation_id order by {order}"
        ).fetchall()
    target = tmp_path / "log.parquet"
    write_file(database, log.tables(Filter(), grain, in_order=False), "parquet", target)
    found = pyarrow.parquet.read_table(target, columns=["conversation_id"]).to_pylist()
    assert [(row["conversation_id"],) for row in found] == wanted


def test_a_file_of_the_log_is_written_outside_the_server(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    for format_name in FORMATS:
        target = tmp_path / f"log.{format_name}"
        write_file(
            snapshot.path, log.tables(Filter(), "conversation", in_order=True), format_name, target
        )
        assert target.stat().st_size > 10_000
    with pytest.raises(ExportFailedError, match="longer"):
        write_file(snapshot.path, [Table("t", SLOW_SQL)], "csv", tmp_path / "slow.csv", seconds=0.5)
    assert len(list(tmp_path.iterdir())) == len(FORMATS)


@pytest.mark.parametrize("format_name", FORMATS)
def test_memory_does_not_grow_with_the_result(
    snapshot: Snapshot, tmp_path: Path, format_name: str
) -> None:
    peaks = []
    for rows in (300_000, 1_500_000):
        sql = (
            "select range as number, 'conversation:' || range as id, md5(cast(range as varchar))"
            f" as text, timestamp '2026-01-01' + interval (range) second as at from range({rows})"
        )
        job = Job(snapshot.path, format_name, [Table("t", sql)], tmp_path)
        process = subprocess.Popen(
            stream.COMMAND, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(job.to_json().encode())
        process.stdin.close()
        size = 0
        while chunk := process.stdout.read(1 << 20):
            size += len(chunk)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert size > rows * 5
        peaks.append(usage.ru_maxrss / 1024)
    assert peaks[1] < peaks[0] + 120, f"{peaks} MB"


SLOW_SQL = "select sum(a.range * b.range) as total from range(1000000) a, range(1000000) b"
# It fails after millions of rows, long after the first chunk was sent.
BREAKING_SQL = (
    "select case when range < 4000000 then md5(cast(range as varchar)) else error('broken') end"
    " as text from range(5000000)"
)
ENDLESS_SQL = "select md5(cast(range as varchar)) as text from range(100000000)"
LARGE_ROWS = 500_000
TEST_TABLES = {
    "slow": SLOW_SQL,
    "breaking": BREAKING_SQL,
    "endless": ENDLESS_SQL,
    "wrong": "select nothing from nowhere",
    "quick": "select 1 as one",
    "large": f"select md5(cast(range as varchar)) as text from range({LARGE_ROWS})",
}


def _app(settings: ServingSettings) -> FastAPI:
    app = create_app(settings)

    @app.get("/test/{name}")
    def made(
        request: Request, name: str, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
    ) -> Response:
        return stream.export(request, snapshot, [Table(name, TEST_TABLES[name])], "csv", name)

    return app


@contextmanager
def _running(settings: ServingSettings) -> Iterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(_app(settings), port=port, log_level="critical", **OPTIONS)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield "127.0.0.1", port
    finally:
        server.should_exit = True
        thread.join(20)


def _workers() -> list[int]:
    """The export workers that this process has running."""
    children = Path(f"/proc/{os.getpid()}/task")
    found = []
    for task in children.iterdir():
        try:
            pids = (task / "children").read_text().split()
        except OSError:
            # The thread ended since it was listed.
            continue
        for pid in pids:
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if b"serving.export.worker" in command and state != "Z":
                found.append(int(pid))
    return found


def _until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _ask(where: tuple[str, int], path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*where, timeout=60)
    connection.request("GET", path)
    return connection.getresponse()


def test_an_export_that_breaks_midway_is_a_broken_download(settings: ServingSettings) -> None:
    with _running(settings) as where:
        answer = _ask(where, "/test/breaking")
        assert answer.status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        assert _until(lambda: not _workers())
        assert _ask(where, "/test/quick").read() == b"\xef\xbb\xbfone\r\n1\r\n"


def test_an_export_that_does_not_begin_is_a_page(settings: ServingSettings) -> None:
    client = local_client(_app(settings))
    answer = client.get("/test/wrong")
    assert answer.status_code == 500
    assert "text/html" in answer.headers["content-type"]
    assert "content-disposition" not in answer.headers
    hurried = local_client(_app(settings.replaced(export_seconds=1)))
    began = time.monotonic()
    assert hurried.get("/test/slow").status_code == 503
    assert time.monotonic() - began < 15
    assert not _workers()


def test_when_the_client_goes_away_the_worker_stops(settings: ServingSettings) -> None:
    with _running(settings) as where:
        with socket.create_connection(where) as plain:
            plain.sendall(b"GET /test/endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert plain.recv(1000).startswith(b"HTTP/1.1 200")
            assert _until(lambda: len(_workers()) == 1)
        assert _until(lambda: not _workers())
        # The server clears up after the worker is gone.
        assert _until(lambda: not list(settings.spill_dir.glob("export-*")))


def test_a_client_that_reads_slowly_fills_no_memory(settings: ServingSettings) -> None:
    with _running(settings) as where, socket.create_connection(where) as plain:
        plain.sendall(b"GET /test/endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.recv(1000)
        (worker,) = _workers()

        def held() -> int:
            pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in (worker, "self")]
            return sum(map(int, pages)) * 4096

        time.sleep(1)
        before = held()
        time.sleep(2)
        assert held() < before + 30 * 2**20


def test_two_exports_run_at_once_and_a_third_is_told_when_to_come_again(
    settings: ServingSettings,
) -> None:
    with _running(settings) as where:
        # These work and send nothing yet.
        open_ones = [_open(where, "/test/slow") for _ in range(stream.AT_ONCE)]
        assert _until(lambda: len(_workers()) == stream.AT_ONCE)
        answer = _ask(where, "/test/quick")
        assert answer.status == 429
        assert answer.getheader("Retry-After") == "30"
        for plain in open_ones:
            plain.close()
        assert _until(lambda: _ask(where, "/test/quick").status == 200)


def _open(where: tuple[str, int], path: str) -> socket.socket:
    """A connection that has asked for something and reads nothing of it."""
    plain = socket.create_connection(where)
    plain.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return plain


def test_clients_that_do_not_read_keep_no_place_from_others(settings: ServingSettings) -> None:
    with _running(settings) as where:
        idle: list[socket.socket] = []
        for _ in range(stream.AT_ONCE):
            assert _until(lambda: _begins(where, idle))
        assert _until(lambda: len(_workers()) == stream.AT_ONCE)
        assert _until(lambda: _ask(where, "/test/quick").status == 200)
        # Room for those that wait ends too: whoever comes then is told to come again.
        for _ in range(stream.WAITING):
            assert _until(lambda: _begins(where, idle))
        assert _until(lambda: _ask(where, "/test/quick").status == 429)
        for plain in idle:
            plain.close()
        assert _until(lambda: _ask(where, "/test/quick").status == 200)


def _begins(where: tuple[str, int], idle: list[socket.socket]) -> bool:
    """Whether one more export begins to which nobody listens."""
    plain = _open(where, "/test/endless")
    idle.append(plain)
    return plain.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_reads_goes_on_where_it_had_the_server_wait(
    settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE", 0.05)
    with _running(settings) as where:
        plain = _open(where, "/test/large")
        assert _until(lambda: _ask(where, "/test/quick").status == 200)
        time.sleep(0.5)
        answer = http.client.HTTPResponse(plain)
        answer.begin()
        lines = answer.read().split(b"\r\n")
        assert lines[-1] == b""
        assert len(lines) == 1 + LARGE_ROWS + 1


def test_who_reads_too_slowly_is_let_go(
    settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "READING_SECONDS", 0.3)
    with _running(settings) as where, _open(where, "/test/endless") as idle:
        assert idle.recv(12) == b"HTTP/1.1 200"
        assert _until(lambda: len(_workers()) == 1)
        assert _until(lambda: not _workers())


def test_a_request_that_does_not_come_is_not_waited_for(
    settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    parts = (b"", b"GET / HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /")
    with _running(settings) as where:
        for part in parts:
            with socket.create_connection(where) as plain:
                plain.settimeout(15)
                plain.sendall(part)
                answered = b""
                while found := plain.recv(4096):
                    answered += found
                assert answered.count(b"HTTP/1.1 200") == part.count(b"Host")
        # A part now and then is no request either.
        with socket.create_connection(where) as plain:
            plain.settimeout(15)
            plain.sendall(b"GET / HTTP/1.1\r\nX: ")
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                _dribble(plain)


def _dribble(plain: socket.socket) -> None:
    for _ in range(150):
        plain.sendall(b"x")
        time.sleep(0.1)
