"""What is wrong with the marts that came out, source by source and island by island.

Belongs here: comparing public tables with reference.py, and following ids from run to run.
Does not belong here: running anything, drawing anything.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import reference
from reference import Conversation
from worlds import World, island_of

Row = dict[str, Any]
Tables = Mapping[str, list[Row]]

REPORT_KEY = ("period_grain", "period_start", "dimension", "source", "dimension_value")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `island` is empty when it concerns a whole source."""

    source: str
    island: str
    text: str

    def __str__(self) -> str:
        return f"{self.source} {self.island}: {self.text}"


def explained(problems: Sequence[Problem], worlds: Sequence[World]) -> str:
    """Problems to read, with all rows of the smallest island that has one."""
    by_source = {world.source: world for world in worlds}
    lines = [f"{len(problems)} problems", *(str(problem) for problem in problems[:25])]
    islands = {(one.source, one.island) for one in problems if one.island}
    rows = [by_source[source].described(island) for source, island in islands]
    return "\n".join([*lines, "", *sorted(rows, key=len)[:1]])


# --- ids ------------------------------------------------------------------------------------------


class Ids:
    """What was published so far, and whether what comes next keeps to it."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self._may_split = {(world.source, island) for world in worlds for island in world.may_split}
        self._published: dict[str, int] = {}
        self._of_contact: dict[tuple[str, str], str] = {}
        self._public: set[tuple[str, str]] = set()
        self._run = 0

    def follow(self, tables: Tables) -> list[Problem]:
        """Take in the tables after a run and say what is wrong with the ids."""
        self._run += 1
        now = {
            (row["source"], row["contact_id"]): row["conversation_id"]
            for row in tables["marts.contacts"]
        }
        current = {row["conversation_id"] for row in tables["marts.conversations"]}
        merges: dict[str, set[str]] = defaultdict(set)
        for row in tables["marts.conversation_merges"]:
            merges[row["old_conversation_id"]].add(row["new_conversation_id"])
        problems = [
            *self._unresolved(tables, now, current),
            *self._misnamed(now, current),
            *self._changed(now, current, merges),
            *(
                _about(old, f"{old} was merged and never published")
                for old in merges
                if old not in self._published and old not in current
            ),
        ]
        self._of_contact = now
        for name in current:
            self._published.setdefault(name, self._run)
        return problems

    def _unresolved(
        self, tables: Tables, now: Mapping[tuple[str, str], str], current: set[str]
    ) -> Iterator[Problem]:
        resolves: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in tables["marts.conversation_ids"]:
            resolves[row["source"], row["id"]].append(row["conversation_id"])
        for (source, contact), name in now.items():
            if (found := resolves[source, contact]) != [name]:
                yield Problem(source, island_of(contact), f"{contact} resolves to {found}")
        for name in {*self._published, *current}:
            found = resolves[name.partition(":")[0], name]
            if len(found) != 1 or found[0] not in current:
                yield _about(name, f"{name} resolves to {found}")
        # Those of missing contacts, too, whose link was taken back.
        for source, name in self._public - set(resolves):
            yield Problem(source, island_of(name), f"{name} resolved once, and leads nowhere now")
        self._public |= set(resolves)

    def _misnamed(self, now: Mapping[tuple[str, str], str], current: set[str]) -> Iterator[Problem]:
        for name in current:
            source, _, anchor = name.partition(":")
            if not self._splits(source, anchor) and now.get((source, anchor)) != name:
                yield _about(name, f"{name} does not hold the contact that it is named after")

    def _changed(
        self,
        now: Mapping[tuple[str, str], str],
        current: set[str],
        merges: Mapping[str, set[str]],
    ) -> Iterator[Problem]:
        for (source, contact), before in self._of_contact.items():
            after = now.get((source, contact))
            if after is None:
                yield Problem(source, island_of(contact), f"contact {contact} is gone")
            elif after != before and not self._splits(source, contact):
                if not _leads(merges, before, after):
                    yield _about(before, f"{before} became {after} without a recorded merge")
                if before in current:
                    yield _about(before, f"{contact} left {before}, which is still there")
                if self._published.get(after, self._run) > self._published[before]:
                    yield _about(before, f"{after} won over {before}, which is older")

    def _splits(self, source: str, contact: str) -> bool:
        return (source, island_of(contact)) in self._may_split


def _about(conversation_id: str, text: str) -> Problem:
    source, _, anchor = conversation_id.partition(":")
    return Problem(source, island_of(anchor), text)


def _leads(merges: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += merges.get(name, ())
    return False


# --- partition ------------------------------------------------------------------------------------


def partition_problems(
    expected: Mapping[str, Sequence[Conversation]], tables: Tables
) -> list[Problem]:
    """Whether the contacts are grouped as they should be."""
    actual: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in tables["marts.contacts"]:
        actual[row["source"]][row["conversation_id"]].add(row["contact_id"])
    problems = []
    for source, found in expected.items():
        should = {tuple(sorted(one.contact_ids)) for one in found}
        does = {tuple(sorted(members)) for members in actual[source].values()}
        problems += [
            Problem(source, island_of(members[0]), f"{list(members)} {what}")
            for what, groups in (
                ("is no conversation and should be", should - does),
                ("is a conversation and should not be", does - should),
            )
            for members in sorted(groups)
        ]
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
        # A sum of booleans may be True or False where the table says 1 or 0.
        return expected is value or (isinstance(value, int) and expected == value)
    if isinstance(value, int | float | Decimal):
        return math.isclose(float(expected), float(value), rel_tol=1e-9, abs_tol=1e-6)
    return bool(expected == value)


def _row_problems(label: str, expected: Row, actual: Row | None) -> Iterator[str]:
    if actual is None:
        yield f"{label} is not there"
        return
    for column, value in expected.items():
        # A name that begins with _ serves the reports and is no column.
        if column.startswith("_"):
            continue
        if column not in actual or not _same(value, actual[column]):
            got = repr(actual[column]) if column in actual else "no column"
            yield f"{label}: {column} is {got} and should be {value!r}"


def _of_source(rows: Iterable[Row], source: str) -> Iterator[Row]:
    return (row for row in rows if row["source"] == source)


def fact_problems(world: World, found: Sequence[Conversation], tables: Tables) -> Iterator[Problem]:
    """Whether conversations, contacts, transfers, messages and quality say what they should."""
    contacts = {
        row["contact_id"]: row for row in _of_source(tables["marts.contacts"], world.source)
    }
    conversations = {row["conversation_id"]: row for row in tables["marts.conversations"]}
    transfers: dict[str, list[Row]] = defaultdict(list)
    messages: dict[str, list[Row]] = defaultdict(list)
    for table, groups in (("marts.transfers", transfers), ("marts.messages", messages)):
        for row in _of_source(tables[table], world.source):
            groups[row["conversation_id"]].append(row)
    codes: dict[str, set[str]] = defaultdict(set)
    for row in _of_source(tables["marts.graph_quality"], world.source):
        codes[row["conversation_id"]].add(row["code"])
    ends = ("from_contact_id", "to_contact_id")
    rejected = sorted(
        tuple(row[end] for end in ends)
        for row in _of_source(tables["marts.transfers"], world.source)
        # Whether a transfer from a contact to itself is a rejected link is left open.
        if row["is_rejected_link"] and row["from_contact_id"] != row["to_contact_id"]
    )
    should = sorted(pair for one in found for pair in one.rejected_transfers)
    if rejected != should:
        yield Problem(world.source, "", f"{rejected} are rejected and {should} should be")
    for one in found:
        name = contacts[one.contacts[0]["contact_id"]]["conversation_id"]
        lines = [
            *(
                f"conversation {name}: code {code} is {'missing' if applies else 'wrong'}"
                for code, applies in reference.quality_codes(one).items()
                if applies is not reference.OPEN and applies is not (code in codes[name])
            ),
            *_row_problems(
                f"conversation {name}",
                reference.conversation_facts(one),
                conversations.get(name),
            ),
            *_transfer_problems(one, transfers.get(name, [])),
            *_message_problems(one, messages.get(name, [])),
        ]
        for contact, facts in reference.contact_facts(one).items():
            lines += _row_problems(f"contact {contact}", facts, contacts.get(contact))
        island = island_of(one.contacts[0]["contact_id"])
        yield from (Problem(world.source, island, line) for line in lines)


def _transfer_problems(one: Conversation, rows: Sequence[Row]) -> Iterator[str]:
    if one.has_rejected_link:
        # To which side of a rejected link the request belongs is left open.
        return
    agents = {row["contact_id"]: row["agent_id"] for row in one.contacts}
    ends = ("from_contact_id", "to_contact_id", "from_agent_id", "to_agent_id")
    should = sorted(
        repr(
            (
                *(row[end] for end in ends[:2]),
                *(agents.get(row[end]) for end in ends[:2]),
                reference.outcome(row),
                row["requested_at"].replace(tzinfo=None),
            )
        )
        for row in one.transfers
    )
    does = sorted(
        repr(tuple(row[column] for column in (*ends, "outcome", "requested_at"))) for row in rows
    )
    if should != does:
        yield f"transfers are {does} and should be {should}"


def _message_problems(one: Conversation, rows: Sequence[Row]) -> Iterator[str]:
    ordered = sorted(rows, key=lambda row: row["message_no"])
    if [row["message_no"] for row in ordered] != list(range(1, len(rows) + 1)):
        yield f"messages are numbered {[row['message_no'] for row in ordered]}"
    if [row["sent_at"] for row in ordered] != sorted(row["sent_at"] for row in rows):
        yield "messages are not in the order in which they were sent"
    columns = ("contact_id", "body", "author_kind", "author_id")
    should, does = (
        sorted(
            repr((*(row[column] for column in columns), row["sent_at"].replace(tzinfo=None)))
            for row in found
        )
        for found in (one.messages, rows)
    )
    if should != does:
        yield f"messages are {does} and should be {should}"


def report_problems(
    worlds: Sequence[World], expected: Mapping[str, Sequence[Conversation]], tables: Tables
) -> list[Problem]:
    """Whether both reports hold the rows that they should, and no others."""
    problems = []
    for name, groups_of, measures_of in (
        ("statistical_report", reference.statistical_groups, reference.statistical_measures),
        ("contacts_report", reference.contacts_groups, reference.contacts_measures),
    ):
        groups: dict[reference.ReportKey, list[Row | None]] = defaultdict(list)
        for world in worlds:
            for key, facts in groups_of(world.source, expected[world.source], world.policy):
                groups[key].append(facts)
        dimensions = {key[2] for key in groups}
        rows: dict[Any, Row] = {}
        for row in tables[f"reports.{name}"]:
            key = tuple(row[column] for column in REPORT_KEY)
            if key in rows:
                problems.append(Problem(str(row["source"]), "", f"{name} {key} is there twice"))
            rows[key] = row
            if row["dimension"] in dimensions and key not in groups:
                problems.append(Problem(str(row["source"]), "", f"{name} {key} should not be"))
        problems += [
            Problem(str(key[3]), "", line)
            for key, facts in groups.items()
            # A row of which it is left open what it counts may say anything, or be missing.
            if None not in facts
            for line in _row_problems(f"{name} {key}", measures_of(facts), rows.get(key))
        ]
    return problems
