"""Encoding: records to the bytes of one file, the same bytes from the same records.

Belongs here: the file formats, spellings of instants, compression without a time stamp.
Does not belong here: which records a file holds (`delivery.py`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import struct
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import zstandard

from seeds.generator.world import Feed

# A record holds text, whole numbers (instants as seconds since 1970-01-01 UTC) and None.
Record = Mapping[str, str | int | None]


def is_instant(column: str) -> bool:
    """Whether a column of the contract holds an instant."""
    return column.endswith("_at") or column == "valid_from"


def spell_instant(moment: int, times: str, zone: ZoneInfo) -> str:
    """An instant as a source writes it: `local` without an offset, `offset` or `utc`."""
    if times == "utc":
        return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    local = dt.datetime.fromtimestamp(moment, zone)
    return local.strftime("%Y-%m-%d %H:%M:%S") if times == "local" else local.isoformat()


def gzip_bytes(content: bytes) -> bytes:
    """Gzip without name or time, so that the bytes depend on the content (and zlib) only."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(content) + deflate.flush()
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def zstd_bytes(content: bytes) -> bytes:
    """One Zstandard frame with its length and a checksum."""
    return zstandard.ZstdCompressor(level=12, write_checksum=True, threads=0).compress(content)


def _csv_text(records: Sequence[Record], feed: Feed, zone: ZoneInfo) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=feed.newline)
    writer.writerow([own for own, _ in feed.columns])
    for record in records:
        row = []
        for _, column in feed.columns:
            value = record.get(column)
            if isinstance(value, int) and is_instant(column):
                value = spell_instant(value, feed.times, zone)
            row.append("" if value is None else value)
        writer.writerow(row)
    return buffer.getvalue()


def _json_lines(records: Sequence[Record], feed: Feed, zone: ZoneInfo) -> list[str]:
    lines = []
    for record in records:
        item: dict[str, str | int | float | None] = {}
        for own, column in feed.columns:
            value = record.get(column)
            if isinstance(value, int) and is_instant(column):
                item[own] = spell_instant(value, feed.times, zone)
            elif column == "amount" and value is not None:
                item[own] = float(value)
            elif value is not None or feed.format == "json":
                item[own] = value
        # A column that the source had not yet invented is not there at all.
        for own in [own for own in item if own not in record and is_extra(own)]:
            del item[own]
        lines.append(json.dumps(item, ensure_ascii=False, separators=(", ", ": ")))
    return lines


def is_extra(column: str) -> bool:
    """Whether the contract does not know the column."""
    return column in ("device", "landing_page", "queue_priority", "routing_rule")


def parquet_bytes(records: Sequence[Record], feed: Feed) -> bytes:
    """A Parquet file with UTC timestamps; whole numbers for extra columns, else text."""
    types = {}
    selected = []
    for own, column in feed.columns:
        if is_instant(column):
            types[column] = "BIGINT"
            selected.append(f'make_timestamptz("{column}" * 1000000) as "{own}"')
        else:
            types[column] = "INTEGER" if is_extra(column) else "VARCHAR"
            selected.append(f'"{column}" as "{own}"')
    with tempfile.TemporaryDirectory() as folder:
        lines, target = Path(folder) / "lines.jsonl", Path(folder) / "out.parquet"
        lines.write_text(
            "".join(
                json.dumps({column: record.get(column) for column in types}) + "\n"
                for record in records
            ),
            encoding="utf-8",
        )
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set TimeZone = 'UTC'")
            relation = connection.sql(
                "from read_json($path, format = 'newline_delimited', columns = $types)",
                params={"path": str(lines), "types": types},
            )
            relation.project(", ".join(selected)).to_parquet(str(target), compression="zstd")
        return target.read_bytes()


def encode(records: Sequence[Record], feed: Feed, zone: ZoneInfo, ending: str = "") -> bytes:
    """The bytes of a file that holds the records in their order.

    Args:
        records: by the contract's column names.
        feed: format, columns and spelling.
        zone: the source's time zone.
        ending: text added after the last record of a CSV file.
    """
    kind, _, compression = feed.format.partition(".")
    if kind == "parquet":
        return parquet_bytes(records, feed)
    if kind == "csv":
        text = _csv_text(records, feed, zone) + ending
    elif kind == "json":
        text = "[\n" + ",\n".join(_json_lines(records, feed, zone)) + "\n]\n"
    else:
        text = "".join(line + "\n" for line in _json_lines(records, feed, zone))
    content = text.encode("utf-8-sig" if feed.byte_order_mark else "utf-8")
    if compression == "gz":
        return gzip_bytes(content)
    return zstd_bytes(content) if compression == "zst" else content
