"""What the tests of the sample share: the committed sample, read once."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seeds.generator.__main__ import CONVERSATIONS, SAMPLE_DIR, SEED, committed_sample_period
from seeds.generator.sample import Sample, make_sample, truth_dir_of
from tests.sample.landing_reader import Record, newest, read_landing

REGISTRY = SAMPLE_DIR.parent / "registry"


@dataclass(frozen=True)
class Committed:
    """The committed sample: raw records, one row per thing, the truth and the registry."""

    records: dict[str, dict[str, list[Record]]]
    contacts: dict[str, dict[str, Record]]
    transfers: dict[str, list[Record]]
    truth: dict[str, dict[str, int]]
    lost: dict[str, set[str]]
    shapes: dict[int, tuple[str, str, set[str]]]
    counts: dict[str, Any]
    sources: dict[str, dict[str, str]]
    projects: list[dict[str, str]]


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, gzipped or not."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="session")
def remade() -> Sample:
    """The committed sample, made again."""
    return make_sample(CONVERSATIONS, committed_sample_period(), SEED)


@pytest.fixture(scope="session")
def committed() -> Committed:
    """The committed sample, read."""
    truth_dir = truth_dir_of(SAMPLE_DIR)
    sources = {row["source"]: row for row in table(REGISTRY / "sources.csv")}
    records = read_landing(SAMPLE_DIR, {name: row["time_zone"] for name, row in sources.items()})
    truth: dict[str, dict[str, int]] = {name: {} for name in records}
    lost: dict[str, set[str]] = {name: set() for name in records}
    for row in table(truth_dir / "contacts.csv.gz"):
        truth[row["source"]][row["contact_id"]] = int(row["conversation_no"])
        if row["is_delivered"] == "false":
            lost[row["source"]].add(row["contact_id"])
    return Committed(
        records=records,
        contacts={
            name: {row["contact_id"]: row for row in newest(logs["contacts"], "contact_id")}
            for name, logs in records.items()
        },
        transfers={
            name: newest(
                logs["transfers"],
                *(
                    ["transfer_id"]
                    if "transfer_id" in logs["transfers"][0]
                    else ["from_contact_id", "requested_at", "to_contact_id"]
                ),
            )
            for name, logs in records.items()
        },
        truth=truth,
        lost=lost,
        shapes={
            int(row["conversation_no"]): (
                row["source"],
                row["shape"],
                set(filter(None, row["marks"].split("|"))),
            )
            for row in table(truth_dir / "conversations.csv.gz")
        },
        counts=json.loads((truth_dir / "counts.json").read_text(encoding="utf-8")),
        sources=sources,
        projects=table(REGISTRY / "projects.csv"),
    )
