"""A source that goes on: each change delivers rows that say something else of what came before.

Belongs here: what a platform may send next. Everything follows from two numbers, of which record
and which of the possible changes, so that Hypothesis can make them small. Does not belong here:
loading, building, what should come out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from worlds import World

Row = dict[str, Any]

# Before all that a world says was updated, as it says, and after.
UPDATED = ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z", None)
# Before, amid, after the events of a world, and long after: what waits expires.
MOMENTS = (
    "2025-12-31T23:30:00Z",
    "2026-03-29T00:30:00Z",
    "2026-05-11T22:30:00Z",
    "2026-10-25T00:30:00Z",
    "2026-12-24T12:00:00Z",
    "2027-02-01T12:00:00Z",
    "2035-01-01T00:00:00Z",
)


@dataclass
class Living:
    """A source.

    Attributes:
        world: what it begins with; its deliveries come in their order.
        pending: rows that the next files bring, by log.
        told: each change, to be read when it fails.
    """

    world: World
    pending: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    told: list[str] = field(default_factory=list)
    _rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    _waiting: list[tuple[str, Row]] = field(default_factory=list)
    _new: int = 0

    def __post_init__(self) -> None:
        for delivery in self.world.deliveries:
            if delivery.batch == 0:
                self._send(delivery.log, delivery.row)
            else:
                self._waiting.append((delivery.log, delivery.row))
        self.told.clear()

    def taken(self) -> dict[str, list[Row]]:
        """The rows that wait to be written, which they do no longer."""
        found, self.pending = dict(self.pending), defaultdict(list)
        return found

    def change(self, kind: str, pick: int, choice: int) -> None:
        """Send something.

        Args:
            kind: one of KINDS.
            pick: which record.
            choice: what becomes of it.
        """
        KINDS[kind](self, pick, choice)

    # --- what is there

    def _send(self, log: str, row: Row) -> None:
        self._rows[log].append(row)
        self.pending[log].append(row)
        said = ", ".join(f"{name}={value!r}" for name, value in row.items() if value is not None)
        self.told.append(f"{self.world.source} {log}: {said}")

    def _picked(self, log: str, pick: int) -> Row | None:
        found = self._rows[log]
        return dict(found[pick % len(found)]) if found else None

    def _names(self) -> Sequence[str | None]:
        """Ids that a record may name: contacts that came, that will, that never do, and none."""
        known = dict.fromkeys(row["contact_id"] for row in self._rows["contacts"])
        later = dict.fromkeys(row["contact_id"] for log, row in self._waiting if log == "contacts")
        return [*known, *later, "never.1", "never.2", None, "NULL"]

    def _name(self, choice: int) -> str | None:
        names = self._names()
        return names[choice % len(names)]

    # --- what may come

    def arrive(self, pick: int, choice: int) -> None:
        """Some of what the world has still to deliver, in another order."""
        for _ in range(1 + choice % 9):
            if self._waiting:
                self._send(*self._waiting.pop(pick % len(self._waiting)))

    def repeat(self, pick: int, choice: int) -> None:
        """A row as it was: what was corrected may be true again."""
        log = _of(("contacts", "transfers", "messages", "ratings", "transactions"), choice)
        if row := self._picked(log, pick):
            if "updated_at" in row:
                row["updated_at"] = _of((row["updated_at"], *UPDATED), choice // 5)
            self._send(log, row)

    def correct(self, pick: int, choice: int) -> None:
        """A contact is another: when, whose, where, or what came before it."""
        row = self._picked("contacts", pick)
        if row is None:
            return
        row["updated_at"] = _of((UPDATED[2], UPDATED[2], *UPDATED), choice)
        choice //= 6
        match _of(("start", "day", "end", "previous", "reference", "agent", "rest"), choice):
            case "start":
                row["started_at"] = _of(MOMENTS[:-1], choice // 7)
                row["answered_at"] = row["ended_at"] = None
            case "day":
                days = _of((-30, -1, 1, 7, 400), choice // 7)
                for name in ("started_at", "answered_at", "ended_at"):
                    row[name] = _moved(row[name], days)
            case "end":
                row["ended_at"] = _of((None, *MOMENTS), choice // 7)
                row["end_reason"] = _of((None, "snooze", "close", "transfer", "odd"), choice // 7)
            case "previous":
                row["previous_contact_id"] = self._name(choice // 7)
            case "reference":
                row["conversation_ref"] = _of((None, "x1", "x2", row["conversation_ref"]), choice)
            case "agent":
                row["agent_id"] = _of((None, "one", "two", row["agent_id"]), choice // 7)
                row["agent_kind"] = _of(("human", "bot", "expert", None, "odd"), choice // 28)
            case "rest":
                row["project_id"] = _of(
                    (self.world.project_id, f"{self.world.source}_other", None, "unknown"), choice
                )
                row["visitor_id"] = _of(("v1", "v2", None), choice // 7)
                row["channel"] = _of(("chat", "call", None), choice // 21)
        self._send("contacts", row)

    def found(self, pick: int, choice: int) -> None:
        """A contact that some record named, or a new one."""
        self._new += 1
        name = self._name(pick) or f"new.{self._new}"
        started = _of(MOMENTS[:-1], choice)
        self._send(
            "contacts",
            {
                "contact_id": name,
                "agent_id": _of(("one", "two", None), choice // 6),
                "agent_kind": _of((None, "human", "bot"), choice // 18),
                "visitor_id": "v1",
                "project_id": self.world.project_id,
                "channel": "chat",
                "started_at": started,
                "ended_at": _of((_moved(started, 1), None), choice // 54),
                "end_reason": _of(("snooze", "close"), choice // 108),
                "previous_contact_id": _of((None, self._name(choice // 9)), choice // 216),
                "updated_at": _of(UPDATED, choice // 432),
            },
        )

    def hand_over(self, pick: int, choice: int) -> None:
        """A transfer goes elsewhere, comes from elsewhere, or comes to nothing; or a new one."""
        row = self._picked("transfers", pick)
        if row is None or not row["transfer_id"] or choice % 4 == 0:
            self._new += 1
            names = [name for name in self._names() if name and name != "NULL"]
            row = {
                "transfer_id": f"x{self._new}",
                "from_contact_id": _of(names, pick),
                "to_contact_id": self._name(choice // 4),
                "requested_at": _of(MOMENTS, choice // 3),
                "outcome": _of(("accepted", "pending", None, "failed"), choice // 5),
            }
        elif choice % 4 == 1:
            row["from_contact_id"] = self._name(choice // 4) or row["from_contact_id"]
        elif choice % 4 == 2:
            row["to_contact_id"] = self._name(choice // 4)
        else:
            row["requested_at"] = _of(MOMENTS, choice // 4)
            row["outcome"] = _of(("accepted", "failed", "abandoned", None), choice // 28)
        self._send("transfers", {**row, "updated_at": _of((UPDATED[2], *UPDATED), choice // 7)})

    def write(self, pick: int, choice: int) -> None:
        """A message moves to another contact or another time, loses its text, or is new."""
        row = self._picked("messages", pick)
        if row is None or not row["message_id"] or choice % 4 == 0:
            self._new += 1
            row = {
                "message_id": _of((f"x{self._new}", None), choice // 4),
                "author_kind": _of(("visitor", "agent", "bot", "odd"), choice // 8),
                "author_id": _of((None, "one", "two"), choice // 32),
                "contact_id": _of([name for name in self._names() if name], pick),
                "sent_at": _of(MOMENTS, choice // 3),
                "body": "A message",
            }
        elif choice % 4 == 1:
            row["contact_id"] = self._name(choice // 4) or row["contact_id"]
        elif choice % 4 == 2:
            row["sent_at"] = _of(MOMENTS, choice // 4)
        else:
            row["body"] = _of((None, "Other words"), choice // 4)
        self._send("messages", row)

    def rate(self, pick: int, choice: int) -> None:
        """A rating is moved to another contact, is another, or is new."""
        row = self._picked("ratings", pick)
        if row is None or choice % 3 == 0:
            self._new += 1
            row = {"rating_id": f"x{self._new}", "question": "csat", "answered_at": MOMENTS[-3]}
            row["contact_id"] = _of([name for name in self._names() if name], pick)
        elif choice % 3 == 1:
            row["contact_id"] = self._name(choice // 3) or row["contact_id"]
        else:
            row["answered_at"] = _of(MOMENTS, choice // 3)
        self._send("ratings", {**row, "score": str(1 + choice % 5)})

    def sell(self, pick: int, choice: int) -> None:
        """A transaction is moved, loses or gets a contact, is another, or is new."""
        row = self._picked("transactions", pick)
        if row is None or choice % 3 == 0:
            self._new += 1
            row = {"transaction_id": f"x{self._new}", "occurred_at": _of(MOMENTS, choice // 3)}
            row |= {"contact_id": self._name(pick), "currency": "EUR", "amount": "10.00"}
        elif choice % 3 == 1:
            row["contact_id"] = self._name(choice // 3)
        else:
            row["occurred_at"] = _of(MOMENTS, choice // 3)
            row["amount"] = _of(("10.00", "-3.50", "0.00"), choice // 21)
        self._send("transactions", row)

    def staff(self, pick: int, choice: int) -> None:
        """An agent is of another kind or group, from now on or from a day."""
        agents = dict.fromkeys(row["agent_id"] for row in self._rows["contacts"])
        self._send(
            "agents",
            {
                "agent_id": _of([name for name in agents if name] or ["one"], pick),
                "agent_kind": _of(("human", "bot", "expert", None), choice),
                "display_name": _of(("Ann", "Bo", None), choice // 4),
                "group_id": _of((None, "g1", "g2"), choice // 3),
                "group_name": _of((None, "Group"), choice // 9),
                "valid_from": _of((None, *MOMENTS[:4]), choice // 5),
                "updated_at": _of(UPDATED, choice // 25),
            },
        )


def _of(options: Sequence[Any], choice: int) -> Any:
    return options[choice % len(options)]


def _moved(text: str | None, days: int) -> str | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment + timedelta(days=days)).isoformat()


KINDS: dict[str, Callable[[Living, int, int], None]] = {
    "arrive": Living.arrive,
    "repeat": Living.repeat,
    "correct": Living.correct,
    "found": Living.found,
    "hand_over": Living.hand_over,
    "write": Living.write,
    "rate": Living.rate,
    "sell": Living.sell,
    "staff": Living.staff,
}
