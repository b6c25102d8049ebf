"""Delivery: what of the stories reaches the landing zone, in which file, how often and how late.

Belongs here: records of each log, their versions and repeats, the split into files.
Does not belong here: what happened (`stories.py`) and how a file is spelled (`encoding.py`).

Long because each log has its own record, and one of each is told beside the
others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from seeds.generator.draw import Draw
from seeds.generator.encoding import Record, encode
from seeds.generator.stories import DAY, HOUR, Agent, Contact, Period, Story, Transfer
from seeds.generator.world import (
    EARLY_VERSION_PER_MILLE,
    LATE_PER_MILLE,
    LOGS,
    REPEAT_PER_MILLE,
    Source,
)

# One row per way of being wrong; what the landing step must keep and explain.
BAD_ROWS = (
    ",b0,101,chat,1,g1,2026-11-02 10:00:00,,,,,fr,,desktop,/,2026-11-02 10:00:00",
    "990001,b1,101,chat,1,g1,2026-02-30 10:00:00,,,,,fr,,desktop,/,2026-11-02 10:00:00",
    "990002,b2,101,chat,1,g1,yesterday,,,,,fr,,desktop,/,2026-11-02 10:00:00",
    "990003,b3,101,chat,1,g1,,,,,,fr,,desktop,/,2026-11-02 10:00:00",
)


@dataclass(frozen=True)
class File:
    """One file of the landing zone."""

    path: str
    content: bytes
    rows: int


@dataclass(frozen=True)
class Span:
    """What one file of a feed covers: from start until before end."""

    label: str
    start: int
    end: int


@dataclass
class Delivered:
    """One record on its way: into which file, and where in it."""

    file_no: int
    order: tuple[int, int]
    record: dict[str, str | int | None]


def spans(period: Period, cadence: str) -> list[Span]:
    """The files of a feed: ISO weeks, pairs of them, months, or one for everything."""
    if cadence == "once":
        return [Span("", period.start, period.end)]
    found: list[Span] = []
    day = period.first_day
    last = day + dt.timedelta(days=period.days)
    while day < last:
        if cadence == "month":
            label = f"_{day:%Y-%m}"
            following = (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        else:
            weeks = 1 if cadence == "week" else 2
            label = f"_{day:%G-W%V}" if weeks == 1 else f"_{day:%Y-%m-%d}"
            following = day + dt.timedelta(days=7 * weeks - day.weekday())
        until = min(following, last)
        found.append(Span(label, _midnight(day), _midnight(until)))
        day = until
    return found


def _midnight(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())


class Courier:
    """Carries the records of one log into its files."""

    def __init__(self, source: Source, log: str, period: Period, draw: Draw) -> None:
        self.source = source
        self.log = log
        self.feed = source.feeds[log]
        self.spans = spans(period, self.feed.cadence)
        self.draw = draw
        self.delivered: list[Delivered] = []
        self.late = 0
        self.repeated = 0
        self.versions = 0

    def file_of(self, moment: int) -> int:
        """The number of the file that covers a moment; the last one for everything later."""
        for number, span in enumerate(self.spans):
            if moment < span.end:
                return number
        return len(self.spans) - 1

    def put(self, file_no: int, moment: int, record: dict[str, str | int | None]) -> None:
        """Deliver one record in a file, in order of its moment."""
        self.delivered.append(Delivered(file_no, (moment, len(self.delivered)), record))

    def carry(
        self,
        moment: int,
        record: dict[str, str | int | None],
        earlier: Callable[[int], dict[str, str | int | None] | None] | None = None,
        first_known: int | None = None,
    ) -> None:
        """Deliver a record, perhaps late, perhaps twice, perhaps unfinished first.

        Args:
            moment: when the record took its final form.
            record: that form.
            earlier: the form that it had at a moment, None if it had none worth delivering.
            first_known: when the record first existed, if that was before `moment`.
        """
        final = self.file_of(moment)
        last = len(self.spans) - 1
        if earlier is not None and first_known is not None:
            first = self.file_of(first_known)
            # The source exports whatever it holds when a span ends.
            cut = self.spans[first].end - 1 if first < final else None
            if cut is None and self.draw.chance(EARLY_VERSION_PER_MILLE):
                cut = first_known
            version = earlier(cut) if cut is not None else None
            if version is not None and version != record:
                self.versions += 1
                # Now and then the old version comes after the new one and must not win.
                overtaken = final < last and self.draw.chance(100)
                self.put(final + 1 if overtaken else first, first_known, version)
        if final < last and self.draw.chance(LATE_PER_MILLE):
            final = min(last, final + self.draw.between(1, 2))
            self.late += 1
        self.put(final, moment, record)
        if self.draw.chance(REPEAT_PER_MILLE):
            again = final + 1 if final < last and self.draw.chance(400) else final
            self.put(again, moment + self.draw.between(0, HOUR), dict(record))
            self.repeated += 1

    def files(self, bad_rows: Sequence[str] = ()) -> list[File]:
        """The files, in order, without those that would be empty.

        Args:
            bad_rows: lines added to the last file, which has to be CSV.
        """
        zone = ZoneInfo(self.source.time_zone)
        found = []
        for number, span in enumerate(self.spans):
            rows = [item for item in self.delivered if item.file_no == number]
            rows.sort(key=lambda item: item.order)
            if not rows:
                continue
            is_last = number == len(self.spans) - 1
            lines = "".join(line + self.feed.newline for line in bad_rows) if is_last else ""
            records: list[Record] = [item.record for item in rows]
            year = f"{dt.datetime.fromtimestamp(span.start, dt.UTC):%Y}/"
            folder = year if self.source.has_yearly_folders and span.label else ""
            found.append(
                File(
                    f"{self.source.name}/{self.log}/{folder}{self.log}{span.label}"
                    f".{self.feed.format}",
                    encode(records, self.feed, zone, lines),
                    len(rows) + (len(bad_rows) if is_last else 0),
                )
            )
        return found


def _contact_record(story: Story, contact: Contact, draw: Draw) -> dict[str, str | int | None]:
    """One row of the contacts log, finished."""
    source = story.source
    previous = contact.previous
    names_previous = source.link_by == "previous_contact_id" and previous is not None
    tags = [story.subject.topic, *(["vip"] if draw.chance(60) else [])]
    known = (contact.started_at, contact.answered_at or 0, contact.ended_at or 0)
    record: dict[str, str | int | None] = {
        "contact_id": contact.contact_id,
        "conversation_ref": story.reference,
        "visitor_id": story.visitor_id,
        "project_id": story.project.project_id,
        "channel": story.channel,
        "agent_id": contact.agent.agent_id,
        "agent_kind": source.code("agent_kind", contact.agent.kind),
        "group_id": contact.agent.group_at(contact.started_at),
        "started_at": contact.started_at,
        "answered_at": contact.answered_at,
        "ended_at": contact.ended_at,
        "end_reason": source.code("end_reason", contact.end_reason) if contact.end_reason else None,
        "previous_contact_id": previous.contact_id if names_previous and previous else None,
        "language": story.subject.language,
        "tags": ",".join(tags),
        "updated_at": max(known),
        "device": draw.weighted((("mobile", 5), ("desktop", 4), ("tablet", 1))),
        "landing_page": "/" + draw.pick(("", "help", "cart", "account", "products?page=2&sort=up")),
        "routing_rule": draw.between(1, 9),
    }
    return record


def _as_of(record: dict[str, str | int | None], moment: int) -> dict[str, str | int | None]:
    """The contact row as it was at a moment: later instants are not there yet."""
    version = dict(record)
    for column in ("answered_at", "ended_at"):
        value = version[column]
        if isinstance(value, int) and value > moment:
            version[column] = None
    if version["ended_at"] is None:
        version["end_reason"] = None
    known = [version[column] for column in ("started_at", "answered_at", "ended_at")]
    version["updated_at"] = max(value for value in known if isinstance(value, int))
    return version


def _transfer_record(
    source: Source, request: Transfer, transfer_id: str
) -> dict[str, str | int | None]:
    return {
        "transfer_id": transfer_id,
        "from_contact_id": request.origin.contact_id,
        "to_contact_id": request.target.contact_id if request.target else None,
        "requested_at": request.requested_at,
        "kind": request.kind,
        "target_kind": request.target_kind,
        "target_id": request.target_id,
        "outcome": source.code("outcome", request.outcome) if request.outcome else None,
        "updated_at": request.decided_at,
    }


def deliver(
    source: Source,
    agents: Sequence[Agent],
    stories: Sequence[Story],
    period: Period,
    seed: int,
    with_bad_rows: bool = False,
) -> tuple[list[File], dict[str, Courier]]:
    """All files of a source.

    Args:
        source: whose.
        agents: its respondents.
        stories: its conversations, numbered.
        period: what the files cover.
        seed: what delays and repeats depend on.
        with_bad_rows: add the rows of `BAD_ROWS` to a CSV contacts log.

    Returns:
        The files, and the courier of each log with what it did.
    """
    couriers = {
        log: Courier(source, log, period, Draw(seed, source.name, "courier", log)) for log in LOGS
    }
    _carry_contacts(couriers["contacts"], stories, period, seed)
    _carry_transfers(couriers["transfers"], stories)
    _carry_messages(couriers["messages"], stories)
    _carry_ratings(couriers["ratings"], stories)
    _carry_transactions(couriers["transactions"], stories)
    for agent in agents:
        for record in _agent_records(source, agent, period):
            couriers["agents"].put(0, 0, record)
    files = []
    for log, courier in couriers.items():
        has_bad = with_bad_rows and log == "contacts" and courier.feed.format == "csv"
        files += courier.files(BAD_ROWS if has_bad else ())
    return files, couriers


def _carry_contacts(courier: Courier, stories: Sequence[Story], period: Period, seed: int) -> None:
    source = courier.source
    # The source invents this column in the middle of the period: earlier files lack it.
    invented = period.start + period.days * DAY // 2
    for story in stories:
        for contact in story.contacts:
            if contact.is_lost:
                continue
            extras = Draw(seed, source.name, "extras", contact.contact_id)
            record = _contact_record(story, contact, extras)
            if contact.started_at >= invented:
                record["queue_priority"] = extras.between(1, 3)
            courier.carry(
                max(contact.started_at, contact.answered_at or 0, contact.ended_at or 0),
                record,
                lambda cut, record=record: _as_of(record, cut),  # type: ignore[misc]
                contact.started_at,
            )


def _carry_transfers(courier: Courier, stories: Sequence[Story]) -> None:
    requests = sorted(
        (request.requested_at, story.no, place, request)
        for story in stories
        for place, request in enumerate(story.transfers)
    )
    has_id = any(column == "transfer_id" for _, column in courier.feed.columns)
    for number, (_, _, _, request) in enumerate(requests, start=1):
        record = _transfer_record(courier.source, request, f"t{number:06d}")
        undecided = {
            **record,
            "to_contact_id": None,
            "outcome": None,
            "updated_at": request.requested_at,
        }
        # Without an id a version would count as another transfer.
        courier.carry(
            request.decided_at,
            record,
            (lambda _, undecided=undecided: undecided) if has_id else None,  # type: ignore[misc]
            request.requested_at,
        )


def _carry_messages(courier: Courier, stories: Sequence[Story]) -> None:
    source = courier.source
    messages = sorted(
        (message.sent_at, story.no, contact.no, place, contact, message)
        for story in stories
        for contact in story.contacts
        if not contact.is_lost
        for place, message in enumerate(contact.messages)
    )
    for number, (_, _, _, _, contact, message) in enumerate(messages, start=1):
        courier.carry(
            message.sent_at,
            {
                "message_id": f"m{number:07d}",
                "contact_id": contact.contact_id,
                "sent_at": message.sent_at,
                "author_kind": source.code("author_kind", message.author_kind),
                "author_id": message.author_id,
                "content_type": message.content_type,
                "body": message.body,
            },
        )


def _carry_ratings(courier: Courier, stories: Sequence[Story]) -> None:
    ratings = sorted(
        (rating.answered_at, story.no, place, rating)
        for story in stories
        for place, rating in enumerate(story.ratings)
    )
    for number, (_, _, _, rating) in enumerate(ratings, start=1):
        courier.carry(
            rating.answered_at,
            {
                "rating_id": f"r{number:05d}",
                "contact_id": rating.contact.contact_id,
                "question": rating.question,
                "answered_at": rating.answered_at,
                "score": rating.score,
                "comment": rating.comment,
            },
        )


def _carry_transactions(courier: Courier, stories: Sequence[Story]) -> None:
    bought = sorted(
        (item.occurred_at, story.no, place, item)
        for story in stories
        for place, item in enumerate(story.transactions)
    )
    for number, (_, _, _, item) in enumerate(bought, start=1):
        # The shop hands a day's purchases over on the next morning at five.
        handed_over = (item.occurred_at // DAY + 1) * DAY + 5 * HOUR
        courier.carry(
            handed_over,
            {
                "transaction_id": f"TX{number:05d}",
                "occurred_at": item.occurred_at,
                "amount": item.amount,
                "currency": item.currency,
                "contact_id": item.contact.contact_id if item.contact else None,
                "visitor_id": item.visitor_id,
            },
        )


def _agent_records(
    source: Source, agent: Agent, period: Period
) -> list[dict[str, str | int | None]]:
    """One row per group that the agent was in."""
    hired = period.start - 30 * DAY
    stays = [(agent.group, hired)]
    if agent.next_group is not None and agent.moved_at is not None:
        stays.append((agent.next_group, agent.moved_at))
    return [
        {
            "agent_id": agent.agent_id,
            "agent_kind": source.code("agent_kind", agent.kind),
            "display_name": agent.name,
            "group_id": group[0] if group else None,
            "group_name": group[1] if group else None,
            "valid_from": since,
            "updated_at": since,
        }
        for group, since in stays
    ]
