"""Random raw logs: small graphs of contacts, each a source of its own, split into batches.

Belongs here: what may come in. Everything is drawn from a seed, so that a source that fails can be
written again from its seed alone. Does not belong here: what should come out (reference.py).

Figures that the contract leaves open are avoided where that costs nothing: in a source with
messages every contact begins with a visitor's message, and `answered_at` is the first reply.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reference import Logs, Policy

Row = dict[str, Any]

BATCHES = 3
# Around both clock changes of Europe, around New Year, and on an ordinary day.
BEGINNINGS = (
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2025, 12, 31, 18, tzinfo=UTC),
    datetime(2026, 5, 11, 9, tzinfo=UTC),
)
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata")
KINDS = ("human", "human", "human", "expert", "bot")


@dataclass(frozen=True)
class Delivery:
    """A row of a log, and the batch that brings it."""

    batch: int
    log: str
    row: Row


@dataclass
class World:
    """One source.

    Attributes:
        seed: what it was drawn from.
        source: its slug.
        policy: its registry row and its project's time zone.
        project_id: the project of all its contacts.
        deliveries: every row with its batch, repeats and versions included.
        has_corrections: whether a newer version takes a link back, so that conversations may split.
    """

    seed: int
    source: str
    policy: Policy
    project_id: str
    deliveries: list[Delivery] = field(default_factory=list)
    has_corrections: bool = False

    def logs(self, batches: int) -> Logs:
        """What the first batches bring, batch by batch."""
        logs = Logs()
        for batch in range(batches):
            for delivery in self.deliveries:
                if delivery.batch == batch:
                    getattr(logs, delivery.log).append(delivery.row)
        return logs

    def described(self) -> str:
        """The source, to be read when it fails."""
        lines = [f"source {self.source} (seed {self.seed}), {self.policy}"]
        lines += [
            f"  batch {item.batch + 1} {item.log}: "
            + ", ".join(f"{key}={value}" for key, value in item.row.items() if value is not None)
            for item in sorted(self.deliveries, key=lambda item: item.batch)
        ]
        return "\n".join(lines)


class _Draw:
    """The state of drawing one source."""

    def __init__(self, seed: int, source: str) -> None:
        self.random = random.Random(seed)
        chance = self.random
        zone = chance.choice(ZONES)
        self.has_policy = chance.random() < 0.25
        self.world = World(
            seed=seed,
            source=source,
            policy=Policy(
                time_zone=zone,
                report_zone=chance.choice(ZONES) if chance.random() < 0.4 else zone,
                reject_visitor_mismatch=self.has_policy and chance.random() < 0.7,
                max_gap_days=10 if self.has_policy and chance.random() < 0.7 else None,
            ),
            project_id=f"{source}_project",
        )
        self.begin = chance.choice(BEGINNINGS)
        self.has_messages = chance.random() < 0.5
        # Few distinct minutes make ties.
        self.minutes = chance.choice((4, 40, 600))

    def maybe(self, probability: float) -> bool:
        return self.random.random() < probability

    def spelled(self, moment: datetime | None) -> str | None:
        """A time in one of the ways that a log may spell it."""
        if moment is None:
            return None
        zone = ZoneInfo(self.world.policy.time_zone)
        local = moment.astimezone(zone)
        way = self.random.randrange(3)
        if way == 0:
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        if way == 1:
            return local.isoformat()
        naive = local.replace(tzinfo=None)
        # A reading that the clock shows twice has no single meaning without its offset.
        if (
            naive.replace(tzinfo=zone, fold=0).utcoffset()
            != naive.replace(tzinfo=zone, fold=1).utcoffset()
        ):
            return local.isoformat()
        return naive.isoformat()

    def deliver(self, log: str, row: Row, batch: int | None = None) -> int:
        """Put a row into a batch, and now and then the same row into another one as well."""
        first = self.random.randrange(BATCHES) if batch is None else batch
        self.world.deliveries.append(Delivery(first, log, row))
        while self.maybe(0.15):
            self.world.deliveries.append(
                Delivery(self.random.randrange(first, BATCHES), log, dict(row))
            )
        return first


def draw(seed: int, source: str) -> World:
    """Draw a source from a seed."""
    state = _Draw(seed, source)
    chance = state.random
    count = chance.choice((1, 2, 2, 3, 3, 4, 5, 6, 7))
    names = [f"{number:02d}" for number in range(count)]
    chance.shuffle(names)
    missing = [f"gone{number}" for number in range(chance.choice((0, 0, 1, 2)))]
    contacts = _contacts(state, names)
    _transfers(state, contacts, missing)
    _previous_and_references(state, contacts, missing)
    _deliver_contacts(state, contacts)
    if state.has_messages:
        _messages(state, contacts)
    _ratings_and_sales(state, contacts)
    chance.shuffle(state.world.deliveries)
    return state.world


@dataclass
class _Contact:
    row: Row
    started: datetime
    ended: datetime | None
    replies: list[tuple[datetime, datetime]]
    """(asked, replied), one after the other."""


def _contacts(state: _Draw, names: list[str]) -> list[_Contact]:
    chance, source = state.random, state.world.source
    agents = [(f"{source}_{chr(97 + number)}", chance.choice(KINDS)) for number in range(4)]
    # With a gap policy, contacts lie hours or weeks apart, never near the limit.
    far = state.world.policy.max_gap_days is not None
    visitors = ["v1", "v1", "v2", None] if state.world.policy.reject_visitor_mismatch else ["v1"]
    found = []
    for name in names:
        started = state.begin + timedelta(
            minutes=chance.randrange(state.minutes), days=40 if far and state.maybe(0.3) else 0
        )
        agent, kind = chance.choice(agents)
        nobody = state.maybe(0.08)
        moment, replies = started, []
        if not state.maybe(0.25):
            for _ in range(chance.choice((1, 1, 2, 3)) if state.has_messages else 1):
                asked = moment
                moment = asked + timedelta(seconds=chance.randrange(1, 200))
                replies.append((asked, moment))
                moment += timedelta(seconds=chance.randrange(1, 200))
        ended = None if state.maybe(0.08) else moment + timedelta(seconds=chance.randrange(600))
        found.append(
            _Contact(
                row={
                    "contact_id": name,
                    "agent_id": None if nobody else agent,
                    "agent_kind": "human" if nobody else kind,
                    "visitor_id": chance.choice(visitors),
                    "project_id": state.world.project_id,
                    "channel": "chat",
                    "started_at": state.spelled(started),
                    "answered_at": state.spelled(replies[0][1] if replies else None),
                    "ended_at": state.spelled(ended),
                    "end_reason": None
                    if ended is None
                    else chance.choice(("transfer", "snooze", "close", "close", "timeout")),
                    "conversation_ref": None,
                    "previous_contact_id": None,
                    "updated_at": "2026-11-01T00:00:00Z",
                },
                started=started,
                ended=ended,
                replies=replies,
            )
        )
    return found


def _transfers(state: _Draw, contacts: list[_Contact], missing: list[str]) -> None:
    chance = state.random
    starts = {contact.row["contact_id"]: contact.started for contact in contacts}
    nodes = [*starts, *missing]
    for number in range(chance.randrange(len(contacts) + 2)):
        origin, target = chance.choice(nodes), chance.choice(nodes)
        if state.maybe(0.9) and len(nodes) > 1:
            # A contact's transfer to itself is rare.
            target = chance.choice([node for node in nodes if node != origin])
        goes_nowhere = state.maybe(0.15)
        requested = starts.get(target, state.begin) - timedelta(seconds=chance.randrange(60))
        stated = (
            chance.choice(("failed", "abandoned", None))
            if goes_nowhere
            else (chance.choice(("accepted", None)))
        )
        row = {
            "transfer_id": f"t{number}" if state.maybe(0.7) else None,
            "from_contact_id": origin,
            "to_contact_id": None if goes_nowhere else target,
            # One spelling for one moment: without an id, the time is part of the key.
            "requested_at": (requested + timedelta(milliseconds=number)).isoformat(),
            "outcome": stated,
            "updated_at": "2026-11-01T00:00:00Z",
        }
        batch = state.deliver("transfers", row)
        if row["transfer_id"] and not goes_nowhere and batch < BATCHES - 1 and state.maybe(0.06):
            # A correction: the transfer went to another contact.
            corrected = {
                **row,
                "to_contact_id": chance.choice(nodes),
                "updated_at": "2026-11-02T00:00:00Z",
            }
            state.deliver("transfers", corrected, chance.randrange(batch + 1, BATCHES))
            state.world.has_corrections = True


def _previous_and_references(state: _Draw, contacts: list[_Contact], missing: list[str]) -> None:
    chance = state.random
    nodes = [*(contact.row["contact_id"] for contact in contacts), *missing]
    for contact in contacts:
        if state.maybe(0.2):
            contact.row["previous_contact_id"] = chance.choice(nodes)
        if state.maybe(0.2) and not state.has_policy:
            contact.row["conversation_ref"] = chance.choice(("r1", "r2", "r3"))


def _deliver_contacts(state: _Draw, contacts: list[_Contact]) -> None:
    chance = state.random
    for contact in contacts:
        row = contact.row
        batch = state.deliver("contacts", row)
        if state.maybe(0.2):
            # An older version, before or after: still open, not answered, on another channel.
            older = {
                **row,
                "ended_at": None,
                "end_reason": None,
                "answered_at": None,
                "channel": "call",
                "updated_at": "2026-10-31T00:00:00Z",
            }
            state.deliver("contacts", older, chance.randrange(BATCHES))
        if batch < BATCHES - 1 and state.maybe(0.06):
            # A correction: what came before it is not what was believed.
            corrected = {
                **row,
                "previous_contact_id": None,
                "conversation_ref": None,
                "updated_at": "2026-11-02T00:00:00Z",
            }
            state.deliver("contacts", corrected, chance.randrange(batch + 1, BATCHES))
            if row["previous_contact_id"] or row["conversation_ref"]:
                state.world.has_corrections = True


def _messages(state: _Draw, contacts: list[_Contact]) -> None:
    chance = state.random
    number = 0
    for contact in contacts:
        name, kind = contact.row["contact_id"], contact.row["agent_kind"]
        turns: list[tuple[datetime, str]] = []
        for asked, replied in contact.replies:
            turns += [(asked, "visitor"), (replied, "bot" if kind == "bot" else "agent")]
        if not turns:
            turns = [(contact.started, "visitor")]
        if state.maybe(0.2):
            turns.append((contact.started, "system"))
        for moment, author in turns:
            number += 1
            state.deliver(
                "messages",
                {
                    "message_id": f"m{number}" if state.maybe(0.8) else None,
                    "contact_id": name,
                    "sent_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "author_kind": author,
                    "author_id": contact.row["agent_id"] if author in {"agent", "bot"} else None,
                    "body": f'Message {number}, "quoted",\nin two lines, été',
                },
                chance.randrange(BATCHES),
            )


def _ratings_and_sales(state: _Draw, contacts: list[_Contact]) -> None:
    chance = state.random
    over = state.begin + timedelta(days=60)
    for number in range(chance.choice((0, 0, 1, 2, 4))):
        question = chance.choice(("csat", "nps"))
        state.deliver(
            "ratings",
            {
                "rating_id": f"r{number}",
                "contact_id": chance.choice(contacts).row["contact_id"],
                "question": question,
                "score": str(chance.randint(1, 5) if question == "csat" else chance.randint(0, 10)),
                "answered_at": state.spelled(over + timedelta(hours=number)),
            },
        )
    for number in range(chance.choice((0, 0, 0, 1, 2))):
        state.deliver(
            "transactions",
            {
                "transaction_id": f"s{number}",
                "contact_id": chance.choice(contacts).row["contact_id"]
                if state.maybe(0.9)
                else None,
                "occurred_at": state.spelled(over + timedelta(hours=number)),
                "amount": f"{chance.randrange(1, 100000) / 100:.2f}",
                "currency": "EUR",
            },
        )
