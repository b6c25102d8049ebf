"""Reads a landing zone with none of the generator's or the product's code.

Belongs here: every format that the sample uses, to records by the contract's column names.
Does not belong here: any judgement about the records.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import zstandard

Record = dict[str, Any]
INSTANTS = {
    "started_at",
    "answered_at",
    "ended_at",
    "updated_at",
    "requested_at",
    "sent_at",
    "occurred_at",
    "valid_from",
}


def content_of(path: Path) -> bytes:
    """The bytes of a file, decompressed."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompress(data)
    return data


def records_of(path: Path) -> list[Record]:
    """The records of a file, in order, with the file's own names and values."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".parquet"):
        return pq.read_table(path).to_pylist()
    text = content_of(path).decode("utf-8-sig")
    if name.endswith(".csv"):
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [{key: value or None for key, value in row.items()} for row in rows]
    if name.endswith(".json"):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]


def instant(value: Any, zone: str) -> dt.datetime | None:
    """An instant in UTC; one without an offset is read in the zone."""
    if value is None or isinstance(value, dt.datetime):
        return value
    moment = dt.datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(dt.UTC)


def read_landing(out: Path, zones: dict[str, str]) -> dict[str, dict[str, list[Record]]]:
    """Source -> log -> records in order of their files, instants in UTC.

    Each record carries its file's path as `_path`.
    """
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(out.rglob("*")):
        if not path.is_file():
            continue
        source, log = path.relative_to(out).parts[:2]
        for row in records_of(path):
            if "transferred_at" in row:
                row["requested_at"] = row.pop("transferred_at")
            for column in INSTANTS & set(row):
                row[column] = instant(row[column], zones[source])
            found[source][log].append({**row, "_path": path.relative_to(out).as_posix()})
    return found


def newest(records: list[Record], *key: str) -> list[Record]:
    """One record per key: the newest `updated_at`, then the last delivered."""
    kept: dict[tuple[Any, ...], Record] = {}
    for row in records:
        identity = tuple(row.get(column) for column in key)
        before = kept.get(identity)
        if before is None or not (
            row.get("updated_at")
            and before.get("updated_at")
            and row["updated_at"] < before["updated_at"]
        ):
            kept[identity] = row
    return list(kept.values())
