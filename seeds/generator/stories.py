"""Stories: what truly happened, conversation by conversation, before anything is delivered.

Belongs here: the people, the contacts, transfers, messages, ratings and purchases of each
conversation, up to the horizon at which the logs were taken.
Does not belong here: how records are spread over files, late or repeated (`delivery.py`).

Times are whole seconds since 1970-01-01 UTC.

Long because one conversation is told from end to end, and each step of it
needs what the others decided.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from seeds.generator import phrases
from seeds.generator.draw import Draw
from seeds.generator.world import (
    COMMENT_PER_MILLE,
    CSAT_CHANGED_PER_MILLE,
    CSAT_PER_MILLE,
    NPS_PER_MILLE,
    SECOND_TRANSACTION_PER_MILLE,
    SHAPES,
    SOURCES,
    TRANSACTION_PER_MILLE,
    Leg,
    Project,
    Source,
)

MINUTE, HOUR, DAY = 60, 3600, 86400

_SPOKEN = ("call", "video")
_SLOW = ("whatsapp", "facebook", "instagram", "sms", "mobile_app", "apple_business_chat")
_NAMES = (
    "Agathe",
    "Alba",
    "Amir",
    "Basile",
    "Bruno",
    "Cléo",
    "Dario",
    "Elif",
    "Emma",
    "Félix",
    "Fiona",
    "Gaël",
    "Hana",
    "Hugo",
    "Inès",
    "Iris",
    "Jade",
    "Joël",
    "Kenji",
    "Lena",
    "Liam",
    "Lila",
    "Malo",
    "Maya",
    "Naïm",
    "Nora",
    "Oscar",
    "Paloma",
    "Quentin",
    "Rita",
    "Sacha",
    "Salma",
    "Théo",
    "Tova",
    "Ulysse",
    "Vera",
    "Wanda",
    "Yaël",
    "Zoé",
)
# Weights of the hours 0 to 23 of a project's own day, and of Monday to Sunday.
_HOURS = (1, 1, 0, 0, 0, 1, 2, 6, 14, 22, 26, 24, 20, 22, 25, 24, 22, 22, 20, 14, 10, 8, 5, 2)
_WEEKDAYS = (12, 11, 11, 11, 11, 7, 4)


@dataclass(frozen=True)
class Agent:
    """A respondent. The second group, if any, holds from `moved_at` on."""

    agent_id: str
    kind: str
    name: str
    group: tuple[str, str] | None
    next_group: tuple[str, str] | None = None
    moved_at: int | None = None

    def group_at(self, moment: int) -> str | None:
        """The id of the group that the agent is in."""
        if self.moved_at is not None and self.next_group is not None and moment >= self.moved_at:
            return self.next_group[0]
        return self.group[0] if self.group else None


@dataclass
class Message:
    """One message of a contact."""

    sent_at: int
    author_kind: str
    author_id: str | None
    body: str
    content_type: str = "text"


@dataclass
class Contact:
    """One contact. `ended_at` and `end_reason` are None while it is open."""

    agent: Agent
    started_at: int
    no: int
    is_lost: bool = False
    answered_at: int | None = None
    ended_at: int | None = None
    end_reason: str | None = None
    previous: Contact | None = None
    messages: list[Message] = field(default_factory=list)
    contact_id: str = ""


@dataclass
class Transfer:
    """One requested transfer; `outcome` is None while nobody has decided."""

    origin: Contact
    requested_at: int
    decided_at: int
    kind: str
    target_kind: str
    target_id: str | None
    outcome: str | None
    target: Contact | None = None


@dataclass(frozen=True)
class Rating:
    """One click in the survey after a conversation."""

    contact: Contact
    question: str
    answered_at: int
    score: int | None
    comment: str | None = None


@dataclass(frozen=True)
class Transaction:
    """One purchase; `contact` is None when the shop did not pass it on."""

    occurred_at: int
    amount: str
    currency: str
    contact: Contact | None
    visitor_id: str | None


@dataclass
class Story:
    """One conversation, as it was."""

    source: Source
    no: int
    shape: str
    project: Project
    channel: str
    visitor_id: str | None
    subject: phrases.Subject
    reference: str | None = None
    contacts: list[Contact] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Period:
    """The days that the logs cover; `end` is the horizon: nothing later is known."""

    first_day: dt.date
    days: int

    @property
    def start(self) -> int:
        """The first instant."""
        midnight = dt.datetime.combine(self.first_day, dt.time(), dt.UTC)
        return int(midnight.timestamp())

    @property
    def end(self) -> int:
        """The instant at which the logs were taken."""
        return self.start + self.days * DAY


def staff(source: Source, period: Period, seed: int) -> list[Agent]:
    """The respondents of a source: bots first, then experts, then employees by group."""
    draw = Draw(seed, source.name, "staff")
    names = draw.shuffled(_NAMES)
    form = "a-{}" if source.name == "harbor_telecom" else "{}"
    agents = [
        Agent(form.format(901), "bot", "Lumo", None),
        Agent(form.format(902), "bot", "Lumo Orders", None),
    ]
    for place in range(3):
        agents.append(Agent(form.format(51 + place), "expert", f"{names.pop()} (expert)", None))
    for place in range(14):
        group = source.groups[place % len(source.groups)]
        moves = place in (4, 9)
        agents.append(
            Agent(
                form.format(1 + place),
                "human",
                f"{names.pop()} {draw.pick('BCDFGLMNPRST')}.",
                group,
                source.groups[(place + 1) % len(source.groups)] if moves else None,
                period.start + (26 + place) * DAY if moves and period.days > 40 else None,
            )
        )
    return agents


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total by weights, at least one each if there is enough, largest remainders first."""
    shares = [max(1, total * weight // sum(weights)) for weight in weights]
    if total < len(weights):
        return [1 if place < total else 0 for place in range(len(weights))]
    order = sorted(range(len(weights)), key=lambda place: (-weights[place], place))
    place = 0
    while sum(shares) != total:
        chosen = order[place % len(order)]
        step = 1 if sum(shares) < total else -1
        if shares[chosen] + step >= 1:
            shares[chosen] += step
        place += 1
    return shares


class _Writer:
    """Writes one story: keeps the clock, the draws and who was there."""

    def __init__(self, story: Story, agents: list[Agent], draw: Draw) -> None:
        self.story = story
        self.agents = agents
        self.draw = draw
        self.common = phrases.COMMON[story.subject.language]
        self.topic = phrases.TOPICS[story.subject.topic][story.subject.language]
        self.is_spoken = story.channel in _SPOKEN
        self.is_slow = story.channel in _SLOW
        self.now = 0
        self.said: set[str] = set()

    def choose_agent(self, leg: Leg, request: Transfer | None) -> Agent:
        """Who takes the contact; a transfer to a group is taken by one of its members."""
        there = {contact.agent.agent_id for contact in self.story.contacts}
        if leg.who == "first":
            return self.story.contacts[0].agent
        if leg.who in ("bot", "second_bot"):
            bots = [agent for agent in self.agents if agent.kind == "bot"]
            return bots[leg.who == "second_bot"]
        kind = "expert" if leg.who == "expert" else "human"
        free = [agent for agent in self.agents if agent.kind == kind]
        free = [agent for agent in free if agent.agent_id not in there]
        if request is not None and request.target_kind == "group" and kind == "human":
            members = [agent for agent in free if agent.group_at(self.now) == request.target_id]
            free = members or free
        return self.draw.pick(free)

    def say(self, contact: Contact, author_kind: str, sentences: Sequence[str]) -> None:
        """A message now. A spoken contact leaves none."""
        if self.is_spoken:
            return
        author_id = {
            "visitor": self.story.visitor_id,
            "system": None,
        }.get(author_kind, contact.agent.agent_id)
        fresh = [sentence for sentence in sentences if sentence not in self.said]
        sentence = self.draw.pick(fresh or sentences)
        self.said.add(sentence)
        body = self.story.subject.fill(sentence)
        contact.messages.append(Message(self.now, author_kind, author_id, body))

    def mark(self, contact: Contact, token: str) -> None:
        """A system message, with the platform's own token."""
        if not self.is_spoken:
            contact.messages.append(Message(self.now, "system", None, token, "event"))

    def wait_for_visitor(self) -> None:
        self.now += self.draw.skewed(30, 2400) if self.is_slow else self.draw.skewed(7, 170)

    def wait_for_respondent(self, contact: Contact) -> None:
        if contact.agent.kind == "bot":
            self.now += self.draw.between(1, 3)
        else:
            self.now += self.draw.skewed(40, 3000) if self.is_slow else self.draw.skewed(5, 240)

    def go_on(self, contact: Contact) -> None:
        """The time that a respondent takes to write one more message."""
        self.now += 1 if contact.agent.kind == "bot" else self.draw.skewed(3, 45)

    def exchange(self, contact: Contact, author: str, turns: int) -> None:
        """The middle of a contact: the visitor explains, the respondent works on it."""
        for _ in range(turns):
            self.wait_for_visitor()
            if not self.is_spoken and self.draw.chance(30):
                body = self.story.subject.fill("photo_{order}.jpg")
                contact.messages.append(
                    Message(self.now, "visitor", self.story.visitor_id, body, "image")
                )
            else:
                self.say(contact, "visitor", self.topic.details)
            self.wait_for_respondent(contact)
            bot_asks = author == "bot" and self.draw.chance(500)
            self.say(contact, author, self.common["bot_ask"] if bot_asks else self.topic.steps)

    def request(self, contact: Contact, leg: Leg, outcome: str | None) -> Transfer:
        """Ask for a transfer now."""
        is_bot = contact.agent.kind == "bot"
        target_kind, target_id = leg.target_kind, None
        if target_kind == "group":
            here = contact.agent.group_at(self.now)
            others = [group for group, _ in self.story.source.groups if group != here]
            target_id = self.draw.pick(others)
        kind = "manual"
        if is_bot:
            kind = "bot_handover" if target_kind == "bot" else "bot_escalation"
        return Transfer(
            origin=contact,
            requested_at=self.now,
            decided_at=self.now,
            kind=kind,
            target_kind=target_kind,
            target_id=target_id,
            outcome=outcome,
        )

    def refuse(self, contact: Contact, leg: Leg, author: str) -> None:
        """Every request of the contact that led nowhere."""
        is_bot = contact.agent.kind == "bot"
        for outcome in leg.unmet:
            self.go_on(contact)
            asking = self.common["bot_handover" if is_bot else "handover"]
            self.say(contact, author, asking)
            self.now += self.draw.between(1, 5)
            request = self.request(contact, leg, outcome)
            if request.target_kind == "agent":
                request.target_id = self.choose_agent(Leg("human"), None).agent_id
            self.now += self.draw.between(15, 60) if is_bot else self.draw.between(20, 420)
            request.decided_at = self.now
            self.story.transfers.append(request)
            if outcome == "failed":
                self.say(contact, author, self.common["bot_failed" if is_bot else "refused"])
            else:
                self.say(contact, "visitor", self.common["impatient"])

    def talk(self, contact: Contact, leg: Leg) -> None:
        """Everything from the contact's start to the moment before it ends."""
        story, author = self.story, "bot" if contact.agent.kind == "bot" else "agent"
        opens = contact.no == 1
        returns = contact.previous is not None and contact.previous.end_reason == "snooze"
        if opens:
            self.say(contact, "visitor", self.topic.openings)
        if leg.who == "silent":
            self.stay_silent(contact)
            return
        if self.is_spoken:
            contact.answered_at = self.now + self.draw.between(3, 45)
            self.now = contact.answered_at + self.draw.skewed(45, 1500)
        else:
            self.wait_for_respondent(contact)
            contact.answered_at = self.now
            again = "returned" if leg.who == "first" else "takeover"
            greeting = "hello" if opens else "back" if returns else again
            self.say(contact, author, self.common["bot_hello" if author == "bot" else greeting])
            self.exchange(contact, author, self.draw.between(1 if opens else 0, 3))
        if leg.unmet:
            self.refuse(contact, leg, author)
            if "abandoned" in leg.unmet:
                self.now += self.draw.between(30, 300)
                return
        if leg.end == "transfer":
            self.go_on(contact)
            self.say(
                contact, author, self.common["bot_handover" if author == "bot" else "handover"]
            )
            self.now += self.draw.between(1, 5)
        elif leg.end == "snooze":
            self.go_on(contact)
            self.say(contact, author, self.common["snooze"])
            self.now += self.draw.between(2, 40)
        elif leg.end in ("close", "timeout") and not (author == "bot" and leg.unmet):
            self.part(contact, author)
        if story.shape == "bot_transfer_failed" and leg.end == "close":
            self.now += 5 * MINUTE  # a bot conversation closes after five minutes without event

    def stay_silent(self, contact: Contact) -> None:
        """Nobody answers; the visitor asks again, or not."""
        for _ in range(self.draw.between(0, 2)):
            self.wait_for_visitor()
            self.say(contact, "visitor", self.common["repeat"])
        self.now += self.draw.between(30, 600)

    def part(self, contact: Contact, author: str) -> None:
        """The answer, thanks, good-bye and the time until the panel is closed."""
        self.wait_for_respondent(contact)
        self.say(contact, author, self.topic.answers)
        if self.draw.chance(800):
            self.wait_for_visitor()
            self.say(contact, "visitor", self.common["thanks"])
            self.wait_for_respondent(contact)
            self.say(contact, author, self.common["bot_bye" if author == "bot" else "bye"])
        if not self.is_spoken:
            self.now += self.draw.skewed(3, 400)

    def open_contact(self, leg: Leg, request: Transfer | None) -> Contact:
        """The next contact of the story starts now."""
        before = self.story.contacts[-1] if self.story.contacts else None
        contact = Contact(
            agent=self.choose_agent(leg, request),
            started_at=self.now,
            no=len(self.story.contacts) + 1,
            is_lost=leg.is_lost,
            previous=before if before is not None and request is None else None,
        )
        self.story.contacts.append(contact)
        if request is not None:
            request.target = contact
            request.decided_at = self.now
            request.outcome = "accepted"
            if request.target_kind in ("agent", "bot"):
                request.target_id = contact.agent.agent_id
        return contact

    def write(self, start: int, legs: Sequence[Leg]) -> None:
        """The whole story."""
        self.now = start
        request: Transfer | None = None
        for leg in legs:
            contact = self.open_contact(leg, request)
            request = None
            self.talk(contact, leg)
            if leg.end == "open":
                contact.end_reason = None
                continue
            contact.ended_at, contact.end_reason = self.now, leg.end
            if leg.end == "transfer":
                request = self.request(contact, leg, None)
                self.mark(contact, "OPERATOR_TRANSFER")
                self.story.transfers.append(request)
                waits = self.draw.skewed(15, 900) if leg.target_kind == "group" else None
                self.now += waits if waits is not None else self.draw.skewed(1, 60)
            elif leg.end == "snooze":
                self.now = self.office_hour(self.now + self.draw.between(2 * HOUR, 4 * DAY))
            elif leg.end == "timeout":
                self.now += self.draw.between(2, 60)
            else:
                self.mark(contact, "OPERATOR_CHAT_CLOSE")

    def office_hour(self, moment: int) -> int:
        """The moment itself or the next morning, if nobody works then in the project's zone."""
        zone = ZoneInfo(self.story.project.time_zone)
        local = dt.datetime.fromtimestamp(moment, zone)
        if 9 <= local.hour < 18:
            return moment
        day = local.date() if local.hour < 9 else local.date() + dt.timedelta(days=1)
        minute = self.draw.between(0, 90)
        morning = dt.datetime.combine(day, dt.time(9 + minute // 60, minute % 60, 7), zone)
        return int(morning.timestamp())


def clock_change(source: Source, period: Period) -> int | None:
    """The first instant in the period at which the source's clock jumps, None if it does not."""
    zone = ZoneInfo(source.time_zone)
    offsets = [
        dt.datetime.fromtimestamp(moment, zone).utcoffset()
        for moment in range(period.start, period.end, HOUR)
    ]
    for place, (before, after) in enumerate(itertools.pairwise(offsets), start=1):
        if before != after:
            return period.start + place * HOUR
    return None


def _start(draw: Draw, project: Project, period: Period, when: str, change: int | None) -> int:
    """When a conversation starts: by the project's own clock, or just before what it has to show.

    Args:
        draw: the story's stream.
        project: whose clock.
        period: what the logs cover.
        when: `plain`, `at_the_end`, `before_midnight`, `over_clock_change` (days around it) or
            `at_clock_change` (minutes before it).
        change: when the clock jumps.
    """
    if when == "at_the_end":
        return period.end - draw.between(20, 330)
    if when == "over_clock_change" and change is not None:
        return change - draw.between(9 * HOUR, 14 * HOUR)
    if when == "at_clock_change" and change is not None:
        return change - draw.between(30, 90)
    zone = ZoneInfo(project.time_zone)
    for _ in range(300):
        # A day of the project's own may begin before the period's first day and end after its last.
        day = period.first_day + dt.timedelta(days=draw.between(-1, period.days))
        if draw.below(max(_WEEKDAYS)) >= _WEEKDAYS[day.weekday()]:
            continue
        if when == "before_midnight":
            clock = dt.time(23, draw.between(50, 58), draw.below(60))
        else:
            hour = draw.weighted(tuple(enumerate(_HOURS)))
            clock = dt.time(hour, draw.below(60), draw.below(60))
        start = int(dt.datetime.combine(day, clock, zone).timestamp())
        # Ten minutes off the horizon: what is still open there is open on purpose.
        if period.start <= start < period.end - 10 * MINUTE:
            return start
    # A very short period may hold no such moment.
    return draw.between(period.start, period.end - 11 * MINUTE)


def in_repeated_hour(source: Source, moment: int) -> bool:
    """Whether the source's local clock shows this moment's time twice, an hour apart."""
    zone = ZoneInfo(source.time_zone)
    local = dt.datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
    first = local.replace(fold=0).replace(tzinfo=zone).utcoffset()
    second = local.replace(fold=1).replace(tzinfo=zone).utcoffset()
    return first is not None and second is not None and first > second


def _cut(story: Story, horizon: int) -> None:
    """Forget everything after the horizon: contacts that are still open lose their end."""
    story.contacts = [contact for contact in story.contacts if contact.started_at <= horizon]
    known = {id(contact) for contact in story.contacts}
    story.transfers = [item for item in story.transfers if item.requested_at <= horizon]
    for request in story.transfers:
        if request.decided_at > horizon or (
            request.target is not None and id(request.target) not in known
        ):
            request.outcome, request.target, request.decided_at = None, None, request.requested_at
    for contact in story.contacts:
        if contact.answered_at is not None and contact.answered_at > horizon:
            contact.answered_at = None
        if contact.ended_at is not None and contact.ended_at > horizon:
            contact.ended_at = contact.end_reason = None
        contact.messages = [item for item in contact.messages if item.sent_at <= horizon]
    story.ratings = [item for item in story.ratings if item.answered_at <= horizon]
    story.transactions = [item for item in story.transactions if item.occurred_at <= horizon]


def _rate(story: Story, draw: Draw) -> None:
    """What the visitor answers in the survey, click by click."""
    last = story.contacts[-1]
    if last.is_lost or last.ended_at is None or last.end_reason != "close":
        return
    if story.channel in ("call", "video", "sms"):
        return
    now = last.ended_at + draw.skewed(4, 2 * HOUR)
    if draw.chance(CSAT_PER_MILLE):
        score = draw.weighted(((1, 7), (2, 6), (3, 12), (4, 30), (5, 45)))
        story.ratings.append(Rating(last, "csat", now, score))
        if draw.chance(CSAT_CHANGED_PER_MILLE):
            now += draw.between(2, 90)
            other = draw.pick([value for value in range(1, 6) if value != score])
            story.ratings.append(Rating(last, "csat", now, other))
    if story.channel == "chat" and draw.chance(NPS_PER_MILLE):
        now += draw.between(3, 60)
        score = draw.weighted(((0, 4), (3, 4), (5, 8), (6, 8), (7, 14), (8, 22), (9, 22), (10, 24)))
        story.ratings.append(Rating(last, "nps", now, score))
    if story.channel == "chat" and draw.chance(COMMENT_PER_MILLE):
        now += draw.between(10, 240)
        text = draw.pick(phrases.COMMENTS[story.subject.language])
        story.ratings.append(Rating(last, "comment", now, None, text))


def _buy(story: Story, draw: Draw) -> None:
    """Purchases within two days after the end."""
    there = [contact for contact in story.contacts if not contact.is_lost]
    if not there:
        return
    last = there[-1]
    if last.ended_at is None or story.visitor_id is None or not draw.chance(TRANSACTION_PER_MILLE):
        return
    answered = [contact for contact in there if contact.answered_at is not None]
    credited = (answered or there)[-1]
    now = last.ended_at
    for _ in range(2 if draw.chance(SECOND_TRANSACTION_PER_MILLE) else 1):
        now += draw.skewed(90, 24 * HOUR)
        amount = f"{draw.skewed(8, 900)}.{draw.pick(('00', '49', '90', '99'))}"
        passed_on = credited if draw.chance(850) else None
        story.transactions.append(
            Transaction(now, amount, story.project.currency, passed_on, story.visitor_id)
        )


def _tell(
    source: Source,
    agents: list[Agent],
    shape: str,
    when: str,
    size: int,
    draw: Draw,
    period: Period,
    change: int | None,
) -> Story:
    """One story, cut at the horizon."""
    legs = SHAPES[shape][1]
    project = draw.pick(source.projects)
    language = draw.weighted(project.languages)
    has_bot = any(leg.who in ("bot", "second_bot") for leg in legs)
    has_bot = has_bot or any(leg.target_kind == "bot" for leg in legs)
    channels = [
        (channel, weight)
        for channel, weight in source.channels
        if channel not in _SPOKEN or not (has_bot or legs[0].unmet or legs[0].who == "silent")
    ]
    visitor_no = draw.below(size * 3)
    story = Story(
        source=source,
        no=0,
        shape=shape,
        project=project,
        channel=draw.weighted(channels),
        visitor_id=None if draw.chance(40) else Draw(source.name, "visitor", visitor_no).hex(12),
        subject=phrases.draw_subject(draw, source.trade, source.topics, language),
    )
    if source.link_by == "conversation_ref":
        needs = any(leg.end == "snooze" or leg.who == "silent" for leg in legs) and len(legs) > 1
        if needs or story.channel in _SLOW or draw.chance(250):
            digits = draw.hex(32)
            story.reference = "-".join(
                (digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:])
            )
    writer = _Writer(story, agents, draw)
    writer.write(_start(draw, project, period, when, change), legs)
    if when != "plain":
        story.marks.add(when)
    _cut(story, period.end)
    _rate(story, draw)
    _buy(story, draw)
    _cut(story, period.end)
    return story


def _moments(story: Story) -> list[int]:
    """Every instant of a story that a source may write as local time."""
    moments = [item.answered_at for item in story.ratings]
    for request in story.transfers:
        moments += [request.requested_at, request.decided_at]
    for contact in story.contacts:
        moments += [contact.started_at, contact.answered_at or 0, contact.ended_at or 0]
    return moments


def tell_stories(
    source: Source, conversations: int, period: Period, seed: int
) -> tuple[list[Agent], list[Story]]:
    """All stories of a source, in order of their start, with contact ids.

    Args:
        source: whose.
        conversations: how many, at least 1.
        period: from when to when.
        seed: what they depend on.
    """
    agents = staff(source, period, seed)
    shapes = list(SHAPES)
    counts = apportion(conversations, [SHAPES[shape][0] for shape in shapes])
    deck = [shape for shape, count in zip(shapes, counts, strict=True) for _ in range(count)]
    deck = Draw(seed, source.name, "shapes").shuffled(deck)
    writes_local_times = any(feed.times == "local" for feed in source.feeds.values())
    change = clock_change(source, period)
    times = _special_times(deck, change is not None, writes_local_times)
    stories = []
    for place, shape in enumerate(deck):
        # Tell it again until it is one that can be delivered and shows what it has to show; near
        # the horizon that may be impossible, and then it shows nothing.
        for attempt in itertools.count():
            when = times.get(place, "plain") if attempt < 50 else "plain"
            draw = Draw(seed, source.name, "story", place, attempt)
            story = _tell(source, agents, shape, when, conversations, draw, period, change)
            if all(contact.is_lost for contact in story.contacts):
                continue
            if writes_local_times and any(in_repeated_hour(source, m) for m in _moments(story)):
                continue
            if when.endswith("clock_change") and story.contacts[-1].started_at <= (change or 0):
                continue
            break
        stories.append(story)
    stories.sort(key=lambda story: story.contacts[0].started_at)
    for no, story in enumerate(stories, start=1):
        story.no = no
    _number_contacts(source, stories)
    if source.reject_visitor_mismatch or source.max_gap_days is not None:
        _add_wrong_links(source, stories, Draw(seed, source.name, "wrong links"))
    return agents, stories


def _special_times(
    deck: Sequence[str], has_change: bool, writes_local_times: bool
) -> dict[int, str]:
    """Place in the deck -> when that story starts, for those that show something by their time."""
    times = {}
    for place, shape in enumerate(deck):
        if shape in ("forgotten_open", "bot_only"):
            continue
        if place % 90 == 11:
            times[place] = "at_the_end"
        elif place % 40 == 7:
            times[place] = "before_midnight"
    if has_change:
        free = [place for place in range(len(deck)) if place not in times]
        returns = [place for place in free if deck[place] == "snooze_same_agent"]
        times.update(dict.fromkeys(returns[:2], "over_clock_change"))
        if not writes_local_times:
            handovers = [place for place in free if deck[place] == "bot_to_agent"]
            times.update(dict.fromkeys(handovers[:2], "at_clock_change"))
    return times


def _number_contacts(source: Source, stories: Sequence[Story]) -> None:
    """Ids in the order in which contacts opened, as a platform's counter gives them."""
    contacts = [(contact, story.no) for story in stories for contact in story.contacts]
    contacts.sort(key=lambda pair: (pair[0].started_at, pair[1], pair[0].no))
    for place, (contact, _) in enumerate(contacts):
        contact.contact_id = source.contact_id_form.format(source.first_contact_no + place)


def _add_wrong_links(source: Source, stories: Sequence[Story], draw: Draw) -> None:
    """Links that the source's policy rejects: they must not join what they name.

    Two lead to another visitor's contact, two to the same visitor's contact of long ago.
    """
    single = [
        story
        for story in stories
        if story.shape == "one_agent" and story.visitor_id is not None and not story.marks
    ]
    used: set[int] = set()

    def connect(earlier: Story, later: Story, mark: str) -> None:
        later.contacts[0].previous = earlier.contacts[0]
        later.marks.add(mark)
        used.update((earlier.no, later.no))

    for _ in range(2):
        pairs = [
            (earlier, later)
            for earlier, later in itertools.pairwise(single)
            if earlier.visitor_id != later.visitor_id
            and (earlier.contacts[0].ended_at or later.contacts[0].started_at)
            < later.contacts[0].started_at
            and not used & {earlier.no, later.no}
        ]
        if source.reject_visitor_mismatch and pairs:
            connect(*draw.pick(pairs), "link_to_other_visitor")
    gap_days = source.max_gap_days
    if gap_days is None:
        return
    for _ in range(2):
        free = [story for story in single if story.no not in used]
        far = (gap_days + 5) * DAY
        pairs = [
            (earlier, later)
            for earlier in free[:40]
            for later in free[-40:]
            if later.contacts[0].started_at - (earlier.contacts[0].ended_at or 0) > far
        ]
        if not pairs:
            return
        earlier, later = draw.pick(pairs)
        # The same visitor, so that only the gap speaks against the link.
        _change_visitor(later, earlier.visitor_id)
        connect(earlier, later, "link_over_long_gap")


def _change_visitor(story: Story, visitor_id: str | None) -> None:
    """Give the whole story to another visitor."""
    for contact in story.contacts:
        for message in contact.messages:
            if message.author_kind == "visitor":
                message.author_id = visitor_id
    story.visitor_id = visitor_id
    story.transactions = [
        Transaction(item.occurred_at, item.amount, item.currency, item.contact, visitor_id)
        for item in story.transactions
    ]


def tell_all(
    conversations: int, period: Period, seed: int
) -> list[tuple[list[Agent], list[Story]]]:
    """The stories of every source of the sample, in the order of `SOURCES`."""
    counts = apportion(conversations, [source.share for source in SOURCES])
    return [
        tell_stories(source, count, period, seed)
        for source, count in zip(SOURCES, counts, strict=True)
        if count
    ]
