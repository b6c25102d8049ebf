"""Random raw logs: sources with islands of contacts that nothing links, split into batches.

Belongs here: what may come in. Everything is drawn from a seed, so that a source that fails can be
written again from its seed alone. Does not belong here: what should come out (reference.py).

Figures that the contract leaves open are avoided where that costs nothing: on an island with
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
# The last one is a word that no vocabulary knows.
KINDS = ("human", "human", "human", "human", "expert", "bot", "bot", "oracle")
VERSIONS = ("2026-10-31T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
OLDER, USUAL, CORRECTED = VERSIONS


@dataclass(frozen=True)
class Delivery:
    """A row of a log, the island that it is about, and the batch that brings it."""

    island: str
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
        deliveries: every row with its batch, repeats and versions included.
        may_split: the islands where a published conversation may come apart: a newer version takes
            a link back, or a contact arrives whose visitor or time makes the policy reject a link.
    """

    seed: int
    source: str
    policy: Policy
    deliveries: list[Delivery] = field(default_factory=list)
    may_split: set[str] = field(default_factory=set)

    @property
    def project_id(self) -> str:
        """The project of all its contacts."""
        return f"{self.source}_project"

    def logs(self, batches: int) -> Logs:
        """What the first batches bring, batch by batch."""
        logs = Logs()
        for batch in range(batches):
            for delivery in self.deliveries:
                if delivery.batch == batch:
                    getattr(logs, delivery.log).append(delivery.row)
        return logs

    def described(self, island: str) -> str:
        """An island's rows, to be read when it fails."""
        lines = [f"{self.source}, island {island} (seed {self.seed}), {self.policy}"]
        lines += [
            f"  batch {item.batch + 1} {item.log}: "
            + ", ".join(f"{key}={value!r}" for key, value in item.row.items() if value is not None)
            for item in sorted(self.deliveries, key=lambda item: (item.batch, item.log))
            if item.island == island
        ]
        return "\n".join(lines)


def island_of(contact_id: str) -> str:
    """The island of a contact."""
    return contact_id.partition(".")[0]


def draw(seed: int, source: str, islands: int) -> World:
    """Draw a source from a seed."""
    chance = random.Random(seed)
    zone = chance.choice(ZONES)
    has_policy = chance.random() < 0.4
    world = World(
        seed=seed,
        source=source,
        policy=Policy(
            time_zone=zone,
            report_zone=chance.choice(ZONES) if chance.random() < 0.4 else zone,
            reject_visitor_mismatch=has_policy and chance.random() < 0.7,
            max_gap_days=10 if has_policy and chance.random() < 0.7 else None,
            # Ratings come after 60 days: what waits for a week has expired by then.
            waiting_days=chance.choice((7, 0, 2000)),
        ),
    )
    for number in range(islands):
        _Island(world, f"i{number}", chance).draw()
    return world


@dataclass
class _Contact:
    row: Row
    started: datetime
    ended: datetime | None
    replies: list[tuple[datetime, datetime]]
    """(asked, replied), one after the other."""


class _Island:
    """The drawing of one island."""

    def __init__(self, world: World, name: str, chance: random.Random) -> None:
        self.world = world
        self.name = name
        self.chance = chance
        policy = world.policy
        self.has_gap_policy = policy.max_gap_days is not None
        self.has_visitor_policy = policy.reject_visitor_mismatch
        self.has_policy = self.has_gap_policy or self.has_visitor_policy
        self.begin = chance.choice(BEGINNINGS)
        self.has_messages = chance.random() < 0.5
        # Few distinct minutes make ties.
        self.minutes = chance.choice((4, 40, 600))
        if self.has_policy:
            world.may_split.add(name)

    def draw(self) -> None:
        """Put the island's rows into the world."""
        count = self.chance.choice((1, 2, 2, 3, 3, 4, 5, 6, 7))
        names = [self.id(f"{number:02d}") for number in range(count)]
        self.chance.shuffle(names)
        missing = [self.id(f"gone{number}") for number in range(self.chance.choice((0, 0, 1, 2)))]
        contacts = [self._contact(name) for name in names]
        self.starts = {contact.row["contact_id"]: contact.started for contact in contacts}
        self.nodes = [*names, *missing]
        self._transfers()
        self._previous_and_references(contacts)
        self._deliver_contacts(contacts)
        if self.has_messages:
            self._messages(contacts)
        self._ratings_and_sales(contacts)

    def id(self, text: str) -> str:
        """An id of this island."""
        return f"{self.name}.{text}"

    def maybe(self, probability: float) -> bool:
        return self.chance.random() < probability

    def spelled(self, moment: datetime | None) -> str | None:
        """A time in one of the ways that a log may spell it."""
        if moment is None:
            return None
        zone = ZoneInfo(self.world.policy.time_zone)
        local = moment.astimezone(zone)
        way = self.chance.randrange(3)
        if way == 0:
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        naive = local.replace(tzinfo=None)
        early, late = (naive.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        # A reading that the clock shows twice has no single meaning without its offset.
        return naive.isoformat() if way == 1 and early == late else local.isoformat()

    def deliver(self, log: str, row: Row, batch: int | None = None) -> int:
        """Put a row into a batch, and now and then the same row into a later one as well."""
        first = self.chance.randrange(BATCHES) if batch is None else batch
        self.world.deliveries.append(Delivery(self.name, first, log, row))
        while self.maybe(0.15):
            again = self.chance.randrange(first, BATCHES)
            self.world.deliveries.append(Delivery(self.name, again, log, dict(row)))
        return first

    def _comes_before(self, one: str, other: str) -> bool:
        """Whether a link from one to the other goes forward; a missing contact is no obstacle."""
        if one not in self.starts or other not in self.starts:
            return True
        return self.starts[one] <= self.starts[other]

    def _contact(self, name: str) -> _Contact:
        chance = self.chance
        kind = chance.choice(KINDS)
        agent = f"{self.world.source}_{kind}_{chance.choice('ab')}"
        # With a gap policy, contacts lie hours or weeks apart, never near the limit.
        days = 40 if self.has_gap_policy and self.maybe(0.3) else 0
        started = self.begin + timedelta(minutes=chance.randrange(self.minutes), days=days)
        nobody = self.maybe(0.08)
        moment, replies = started, []
        if not self.maybe(0.25):
            for _ in range(chance.choice((1, 1, 2, 3)) if self.has_messages else 1):
                asked = moment
                moment = asked + timedelta(seconds=chance.randrange(1, 200))
                replies.append((asked, moment))
                moment += timedelta(seconds=chance.randrange(1, 200))
        ended = None if self.maybe(0.08) else moment + timedelta(seconds=chance.randrange(600))
        reasons = ("transfer", "snooze", "close", "close", "timeout")
        row = {
            "contact_id": name,
            "agent_id": None if nobody else agent,
            "agent_kind": "human" if nobody else kind,
            "visitor_id": chance.choice(("v1", "v1", "v2", None))
            if self.has_visitor_policy
            else "v1",
            "project_id": self.world.project_id,
            "channel": "chat",
            "started_at": self.spelled(started),
            "answered_at": self.spelled(replies[0][1] if replies else None),
            "ended_at": self.spelled(ended),
            "end_reason": None if ended is None else chance.choice(reasons),
            "conversation_ref": None,
            "previous_contact_id": None,
            "updated_at": USUAL,
        }
        return _Contact(row, started, ended, replies)

    def _transfers(self) -> None:
        chance = self.chance
        for number in range(chance.randrange(len(self.starts) + 2)):
            origin, target = chance.choice(self.nodes), chance.choice(self.nodes)
            others = [node for node in self.nodes if node != origin]
            # A contact's transfer to itself is rare, and leaves some figures open.
            if others and self.maybe(0.97):
                target = chance.choice(others)
            if self.has_gap_policy and not self._comes_before(origin, target):
                # Whether a link that goes back in time has a gap is left open.
                origin, target = target, origin
            goes_nowhere = self.maybe(0.15)
            requested = self.starts.get(target, self.begin) - timedelta(
                seconds=chance.randrange(60), milliseconds=number
            )
            # The last one is a word that no vocabulary knows.
            outcomes: tuple[str | None, ...] = ("accepted", "accepted", None, None, "answered")
            if goes_nowhere:
                outcomes = ("failed", "abandoned", "pending", "pending", None)
            row = {
                "transfer_id": self.id(f"t{number}") if self.maybe(0.7) else None,
                "from_contact_id": origin,
                "to_contact_id": None if goes_nowhere else target,
                # One spelling for one moment: without an id, the time is part of the key.
                "requested_at": requested.isoformat(),
                "outcome": chance.choice(outcomes),
                "updated_at": USUAL,
            }
            batch = self.deliver("transfers", row)
            targets = [
                node
                for node in self.nodes
                if not self.has_gap_policy or self._comes_before(origin, node)
            ]
            can_change = row["transfer_id"] is not None and not goes_nowhere
            if can_change and batch < BATCHES - 1 and self.maybe(0.06):
                # A correction: the transfer went to another contact.
                corrected = {
                    **row,
                    "to_contact_id": chance.choice(targets),
                    "updated_at": CORRECTED,
                }
                self.deliver("transfers", corrected, chance.randrange(batch + 1, BATCHES))
                self.world.may_split.add(self.name)

    def _previous_and_references(self, contacts: list[_Contact]) -> None:
        for contact in contacts:
            before = self.chance.choice(self.nodes)
            is_forward = self._comes_before(before, contact.row["contact_id"])
            if self.maybe(0.2) and (is_forward or not self.has_gap_policy):
                contact.row["previous_contact_id"] = before
            # Which pairs of a group a policy looks at is left open.
            if self.maybe(0.2) and not self.has_policy:
                contact.row["conversation_ref"] = self.id(self.chance.choice(("r1", "r2", "r3")))

    def _deliver_contacts(self, contacts: list[_Contact]) -> None:
        for contact in contacts:
            row = contact.row
            batch = self.deliver("contacts", row)
            if self.maybe(0.2):
                # An older version, before or after: still open, not answered, another channel.
                older = {
                    **row,
                    "ended_at": None,
                    "end_reason": None,
                    "answered_at": None,
                    "channel": "call",
                    "updated_at": OLDER,
                }
                self.deliver("contacts", older, self.chance.randrange(BATCHES))
            if batch < BATCHES - 1 and self.maybe(0.06):
                # A correction: what came before it is not what was believed.
                corrected = {
                    **row,
                    "previous_contact_id": None,
                    "conversation_ref": None,
                    "updated_at": CORRECTED,
                }
                self.deliver("contacts", corrected, self.chance.randrange(batch + 1, BATCHES))
                if row["previous_contact_id"] or row["conversation_ref"]:
                    self.world.may_split.add(self.name)

    def _messages(self, contacts: list[_Contact]) -> None:
        number = 0
        for contact in contacts:
            agent = "bot" if contact.row["agent_kind"] == "bot" else "agent"
            turns: list[tuple[datetime, str]] = []
            for asked, replied in contact.replies:
                turns += [(asked, "visitor"), (replied, agent)]
            if not turns:
                turns = [(contact.started, "visitor")]
            if self.maybe(0.2):
                turns.append((contact.started, "system"))
            if self.maybe(0.15):
                turns.append(self._stray(contact, agent))
            for moment, author in turns:
                number += 1
                row = {
                    "message_id": self.id(f"m{number}") if self.maybe(0.8) else None,
                    "contact_id": contact.row["contact_id"],
                    "sent_at": self.spelled(moment),
                    "author_kind": author,
                    "author_id": contact.row["agent_id"] if author == agent else None,
                    "body": f'Message {number}, "quoted",\nin two lines, été',
                }
                self.deliver("messages", row)
                if self.maybe(0.1):
                    # The same once more, its clock written in some way.
                    self.deliver("messages", {**row, "sent_at": self.spelled(moment)})
                if row["message_id"] is None and self.maybe(0.2):
                    # Its text was removed, which may arrive before the text.
                    self.deliver("messages", {**row, "body": None})

    def _stray(self, contact: _Contact, agent: str) -> tuple[datetime, str]:
        """A message that lies outside its contact, or waited for it in a queue."""
        chance = self.chance
        strays = [
            (contact.started - timedelta(days=chance.randrange(1, 30)), "visitor"),
            (contact.started - timedelta(days=chance.randrange(31, 4000)), "visitor"),
            (contact.started - timedelta(seconds=chance.randrange(1, 86400)), agent),
        ]
        if contact.ended is not None:
            late = contact.ended + timedelta(seconds=chance.randrange(1, 86400))
            strays += [(late, "visitor"), (late, agent)]
        return chance.choice(strays)

    def _ratings_and_sales(self, contacts: list[_Contact]) -> None:
        chance = self.chance
        over = self.begin + timedelta(days=60)
        for number in range(chance.choice((0, 0, 1, 2, 4))):
            question, best = chance.choice((("csat", 5), ("nps", 10)))
            row = {
                "rating_id": self.id(f"r{number}"),
                "contact_id": chance.choice(contacts).row["contact_id"],
                "question": question,
                "score": str(chance.randint(1 if question == "csat" else 0, best)),
                "answered_at": self.spelled(over + timedelta(hours=number)),
            }
            self.deliver("ratings", row)
        for number in range(chance.choice((0, 0, 0, 1, 2))):
            # A refund now and then, or nothing at all.
            amount = chance.choice((1, 1, 1, -1, 0)) * chance.randrange(1, 10**5) / 100
            row = {
                "transaction_id": self.id(f"s{number}"),
                "contact_id": chance.choice(contacts).row["contact_id"]
                if self.maybe(0.9)
                else None,
                "occurred_at": self.spelled(over + timedelta(hours=number)),
                "amount": f"{amount:.2f}",
                "currency": "EUR",
            }
            self.deliver("transactions", row)
