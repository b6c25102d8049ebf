"""Whatever comes in, in whatever order: partition, ids, facts and reports are right.

One example is a warehouse with many small random sources, because a build costs seconds and a
source next to another costs nothing: links never cross sources. A failure prints the source.
"""

from __future__ import annotations

import hashlib
import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import reference
from canonical import canonical, first_differences
from harness import Pipeline, Row
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from worlds import BATCHES, World, draw

pytestmark = pytest.mark.xdist_group("properties")

SOURCES = 150
REPORT_KEY = ("period_grain", "period_start", "dimension", "dimension_value")
FORMATS = ("csv", "jsonl", "json", "csv.gz", "parquet")


@contextmanager
def _pipeline(worlds: Sequence[World]) -> Iterator[Pipeline]:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(
            Path(folder),
            sources=[
                {
                    "source": world.source,
                    "time_zone": world.policy.time_zone,
                    "reject_visitor_mismatch": str(world.policy.reject_visitor_mismatch).lower(),
                    "max_gap_days": str(world.policy.max_gap_days or ""),
                }
                for world in worlds
            ],
            projects=[
                {
                    "source": world.source,
                    "project_id": world.project_id,
                    "time_zone": world.policy.report_zone,
                }
                for world in worlds
            ],
        )
        try:
            yield pipeline
        finally:
            pipeline.close()


def _deliver(
    pipeline: Pipeline, worlds: Sequence[World], batches: Sequence[int], chance: random.Random
) -> None:
    """Write the rows of some batches, shuffled, in one file or two per log, in any format."""
    for world in worlds:
        rows: dict[str, list[Row]] = defaultdict(list)
        for delivery in world.deliveries:
            if delivery.batch in batches:
                rows[delivery.log].append(delivery.row)
        for log, found in rows.items():
            chance.shuffle(found)
            cut = chance.randrange(len(found) + 1) if chance.random() < 0.3 else len(found)
            for part in (found[:cut], found[cut:]):
                if part:
                    pipeline.write(world.source, log, part, fmt=chance.choice(FORMATS))


# --- partition and ids ----------------------------------------------------------------------------


class Ids:
    """What was published so far, and whether what comes next keeps to it."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self.corrected = {world.source for world in worlds if world.has_corrections}
        self.published: dict[str, int] = {}
        self.of_contact: dict[tuple[str, str], str] = {}
        self.run = 0

    def follow(self, tables: Mapping[str, list[Row]]) -> list[str]:
        """Take in the tables after a run and say what is wrong with the ids."""
        problems: list[str] = []
        self.run += 1
        current = {row["conversation_id"] for row in tables["marts.conversations"]}
        now = {
            (row["source"], row["contact_id"]): row["conversation_id"]
            for row in tables["marts.contacts"]
        }
        resolves: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in tables["marts.conversation_ids"]:
            resolves[row["source"], row["id"]].append(row["conversation_id"])
        merged = {
            (row["old_conversation_id"], row["new_conversation_id"])
            for row in tables["marts.conversation_merges"]
        }
        into = defaultdict(set)
        for old, new in merged:
            into[old].add(new)

        for (source, contact), name in now.items():
            if (found := resolves[source, contact]) != [name]:
                problems.append(f"{source}: contact {contact} resolves to {found}")
        for name in {*self.published, *current}:
            source = name.partition(":")[0]
            found = resolves[source, name]
            if len(found) != 1 or found[0] not in current:
                problems.append(f"{source}: conversation {name} resolves to {found}")
        for name in current:
            source, _, anchor = name.partition(":")
            if source not in self.corrected and now.get((source, anchor)) != name:
                problems.append(f"{source}: {name} does not hold the contact it is named after")
        for (source, contact), before in self.of_contact.items():
            after = now.get((source, contact))
            if after is None:
                problems.append(f"{source}: contact {contact} is gone")
            elif after != before and source not in self.corrected:
                if not _leads(into, before, after):
                    problems.append(f"{source}: {before} became {after} without a recorded merge")
                if before in current:
                    problems.append(f"{source}: {contact} left {before}, which is still there")
                if self.published.get(after, self.run) > self.published[before]:
                    problems.append(f"{source}: {after} won over {before}, which is older")
        for old, new in merged:
            if old not in self.published and old not in current:
                problems.append(f"the merge of {old} into {new}: {old} was never published")
        self.of_contact = now
        for name in current:
            self.published.setdefault(name, self.run)
        return problems


def _leads(into: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += into.get(name, ())
    return False


def _expected(worlds: Sequence[World], batches: int) -> dict[str, list[reference.Conversation]]:
    return {
        world.source: reference.conversations(world.logs(batches), world.policy) for world in worlds
    }


def _partition_problems(
    expected: Mapping[str, list[reference.Conversation]], tables: Mapping[str, list[Row]]
) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = defaultdict(list)
    actual: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in tables["marts.contacts"]:
        actual[row["source"]][row["conversation_id"]].add(row["contact_id"])
    for source, found in expected.items():
        should = sorted(sorted(one.contact_ids) for one in found)
        does = sorted(sorted(members) for members in actual[source].values())
        if should != does:
            problems[source].append(f"conversations are {does} and should be {should}")
    return problems


# --- facts and reports ----------------------------------------------------------------------------


def _same(expected: Any, value: Any) -> bool:
    if expected is reference.OPEN:
        return True
    if isinstance(expected, datetime) and isinstance(value, datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=ZoneInfo("UTC"))
        return bool(expected == value)
    if isinstance(expected, bool) or isinstance(value, bool) or expected is None or value is None:
        return expected is value or (isinstance(value, int) and expected == value)
    if isinstance(value, int | float | Decimal):
        return math.isclose(float(expected), float(value), rel_tol=1e-9, abs_tol=1e-6)
    return bool(expected == value)


def _row_problems(label: str, expected: Row, actual: Row | None) -> list[str]:
    if actual is None:
        return [f"{label} is not there"]
    return [
        f"{label}: {column} is {actual.get(column, 'no column')!r} and should be {value!r}"
        for column, value in expected.items()
        if column not in actual or not _same(value, actual[column])
    ]


def _fact_problems(
    worlds: Sequence[World],
    expected: Mapping[str, list[reference.Conversation]],
    tables: Mapping[str, list[Row]],
) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = defaultdict(list)
    contacts = {(row["source"], row["contact_id"]): row for row in tables["marts.contacts"]}
    conversations = {row["conversation_id"]: row for row in tables["marts.conversations"]}
    reports = {
        name: {
            tuple(row[column] for column in REPORT_KEY): row for row in tables[f"reports.{name}"]
        }
        for name in ("statistical_report", "contacts_report")
    }
    accounted: dict[str, set[reference.ReportKey]] = defaultdict(set)
    for world in worlds:
        found = expected[world.source]
        lines = problems[world.source]
        for one in found:
            some = contacts[world.source, one.contacts[0]["contact_id"]]
            lines += _row_problems(
                f"conversation of {sorted(one.contact_ids)}",
                reference.conversation_facts(one),
                conversations.get(some["conversation_id"]),
            )
            for name, facts in reference.contact_facts(one).items():
                lines += _row_problems(f"contact {name}", facts, contacts.get((world.source, name)))
        for name, should in (
            (
                "statistical_report",
                reference.statistical_report(world.source, found, world.policy),
            ),
            ("contacts_report", reference.contacts_report(world.source, found, world.policy)),
        ):
            for key, measures in should.items():
                lines += _row_problems(f"{name} {key}", measures, reports[name].get(key))
            accounted[name] |= set(should)
    for name, rows in reports.items():
        for key in rows:
            if key[2] in {"source", "agent"} and key not in accounted[name]:
                problems[_source_of(key[3])].append(f"{name} {key} should not be there")
    return problems


def _source_of(value: str) -> str:
    return value if value.startswith("s") and "_" not in value else value.rpartition("_")[0]


def _assert_none(problems: Mapping[str, Sequence[str]], worlds: Sequence[World], when: str) -> None:
    """Fail with the three sources of the fewest rows that have a problem."""
    faulty = sorted(
        (world for world in worlds if problems.get(world.source)),
        key=lambda world: len(world.deliveries),
    )
    others = [
        line
        for source, lines in problems.items()
        for line in lines
        if source not in {world.source for world in faulty}
    ]
    text = "\n\n".join(
        world.described() + "\n  " + "\n  ".join(list(problems[world.source])[:20])
        for world in faulty[:3]
    )
    assert not faulty, f"{when}: {len(faulty)} of {len(worlds)} sources are wrong\n\n{text}"
    assert not others, f"{when}:\n" + "\n".join(others[:20])


def _by_source(lines: Sequence[str]) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        problems[line.partition(":")[0]].append(line)
    return problems


def _checksums(pipeline: Pipeline) -> dict[str, str]:
    root = pipeline.settings.published_dir / "parquet"
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.parquet"))
    }


@settings(max_examples=2, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_graph_in_any_batches_order_and_repeats_gives_the_right_marts_under_stable_ids(
    seed: int,
) -> None:
    chance = random.Random(seed)
    worlds = [draw(chance.randrange(2**32), f"s{number}") for number in range(SOURCES)]
    with _pipeline(worlds) as pipeline:
        ids = Ids(worlds)
        for batch in range(BATCHES):
            _deliver(pipeline, worlds, [batch], chance)
            pipeline.run()
            in_batches = pipeline.snapshot()
            expected = _expected(worlds, batch + 1)
            when = f"seed {seed}, run {batch + 1}"
            _assert_none(_partition_problems(expected, in_batches), worlds, when)
            _assert_none(_by_source(ids.follow(in_batches)), worlds, when)
        _assert_none(_fact_problems(worlds, expected, in_batches), worlds, f"seed {seed}, facts")

        published = _checksums(pipeline)
        pipeline.rebuild()
        assert not first_differences(in_batches, pipeline.snapshot()), "a rebuild differs"
        assert published
        assert published == _checksums(pipeline)

    with _pipeline(worlds) as pipeline:
        _deliver(pipeline, worlds, range(BATCHES), chance)
        pipeline.run()
        at_once = pipeline.snapshot()
    problems = first_differences(canonical(in_batches), canonical(at_once))
    assert not problems, "one load and several differ:\n" + "\n".join(problems)
