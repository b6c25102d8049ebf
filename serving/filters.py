"""Which conversations: the filters that the log, the exports, the reports' links and REST share.

Belongs here: the filters' names, what they accept, the condition each stands for, and the address
that carries them. Does not belong here: sorting, paging, rendering, and REST's own names.

Every value is bound by name; no value is ever part of the SQL text. Conditions speak of the table
`conversations` (an alias of marts.conversations) and look into other marts with semi-joins.
Days are the days of each conversation's own project, as in the reports.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

MOST_VALUES = 100
LONGEST_VALUE = 200
MOST_WORDS = 8

AUTOMATION_LEVELS = ("not_automated", "partially_automated", "fully_automated")
AGENT_KINDS = ("human", "expert", "bot", "system")
# What a figure of the contacts report counts, as a condition on the contact.
CONTACT_STATES = {
    "any": "true",
    "answered": "contacts.is_answered",
    "unanswered": "not contacts.is_answered",
    "open": "contacts.is_open",
    "transferred_in": "contacts.is_transferred_in",
    "transferred_out": "contacts.is_transferred_out",
    "snoozed": "contacts.end_reason = 'snooze'",
    "closed": "contacts.end_reason = 'close'",
    "timed_out": "contacts.end_reason = 'timeout'",
    "rated": "contacts.csat_score is not null",
    "satisfied": "contacts.csat_score >= 4",
    "converted": "contacts.transaction_count > 0",
}
NPS_CLASSES = {
    "promoter": "conversations.nps_score >= 9",
    "passive": "conversations.nps_score > 6 and conversations.nps_score < 9",
    "detractor": "conversations.nps_score <= 6",
    "any": "conversations.nps_score is not null",
}
YES_NO = {"yes": True, "no": False}
# Flags of a conversation that a filter asks for with yes or no.
FLAGS = {
    "answered": "conversations.is_answered",
    "answered_by_human": "conversations.is_answered_by_human",
    "transferred": "conversations.is_transferred",
    "bounced": "conversations.is_bounced",
    "bot_first": "conversations.is_bot_first",
    "escalated": "conversations.is_bot_first and conversations.is_escalated",
    "closed": "conversations.is_closed",
    "rated": "conversations.csat_score is not null",
    "converted": "conversations.transaction_count > 0",
}
# Columns of which several values may be asked for at a time.
COLUMNS = {
    "source": "conversations.source",
    "project": "conversations.project_id",
    "channel": "conversations.channel",
    "language": "conversations.language",
    "automation": "conversations.automation_level",
    "visitor": "conversations.visitor_id",
}
PERIODS = ("opened", "closed")
TRANSFER_ENDS = ("agent", "group", "kind")
NONE = "-"  # In an address: the value is missing. A row of a report can stand for that too.


@dataclass(frozen=True)
class Problem:
    """A value that a filter cannot take.

    Attributes:
        name: the filter, as in the address.
        value: what was given.
        remedy: what it takes.
    """

    name: str
    value: str
    remedy: str


@dataclass(frozen=True)
class Condition:
    """A part of a where clause and the values that it binds."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Filter:
    """Which conversations are asked for; the default is all.

    Attributes:
        on: whether the period is of the opening or of the closing.
        first_day, last_day: the period, both inclusive, in the project's days.
        columns: wanted values by name in COLUMNS; `-` stands for none.
        flags: wanted answers by name in FLAGS.
        agents, groups: respondents and groups, one of which took part.
        tags: one of which a contact carries.
        score_min, score_max: bounds of the CSAT score, both inclusive.
        nps: a class in NPS_CLASSES.
        id: a conversation id of any time, or a contact id.
        words: free text: every word, in any message of the conversation, accents and case aside.
        contact_first_day, contact_last_day: starting days of a contact, both inclusive.
        contact_state: a state in CONTACT_STATES that a contact is in.
        contact_kinds: kinds of respondent that a contact has.
        contact_projects, contact_channels: of a contact, which may have left the conversation's.
        transfer_by: what the two ends of a transfer are: agent, group or kind.
        transfer_from, transfer_to: the ends of a transfer; `-` stands for none.
        transfer_first_day, transfer_last_day: days on which a transfer was asked for, inclusive.
        transfer_outcome: what became of it, in TRANSFER_STATES; accepted when not given. One
            accepted over a rejected link, which joins nothing, is under `asked` alone.
        transfer_kind: kinds of transfer, as the source spells them.
        transfer_target: `<target_kind>:<target_id>`, what it was addressed to.
        path: respondents in order, repeats left out, each as transfer_by says; `-` stands for none.
        path_part: whether it is enough that the path is a part of the conversation's.
    """

    on: str = "opened"
    first_day: date | None = None
    last_day: date | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    score_min: float | None = None
    score_max: float | None = None
    nps: str = ""
    id: str = ""
    words: str = ""
    contact_first_day: date | None = None
    contact_last_day: date | None = None
    contact_state: str = ""
    contact_kinds: tuple[str, ...] = ()
    contact_projects: tuple[str, ...] = ()
    contact_channels: tuple[str, ...] = ()
    transfer_by: str = "agent"
    transfer_from: str = ""
    transfer_to: str = ""
    transfer_first_day: date | None = None
    transfer_last_day: date | None = None
    transfer_outcome: str = ""
    transfer_kind: tuple[str, ...] = ()
    transfer_target: str = ""
    path: tuple[str, ...] = ()
    path_part: bool = False

    def pairs(self) -> list[tuple[str, str]]:
        """The names and values of the address that asks for this, in a fixed order."""
        found: list[tuple[str, str]] = []

        def add(name: str, *values: object) -> None:
            found.extend((name, str(value)) for value in values if value not in (None, ""))

        if self.on != "opened":
            add("on", self.on)
        add("from", self.first_day)
        add("to", self.last_day)
        for name in COLUMNS:
            add(name, *self.columns.get(name, ()))
        for name in FLAGS:
            if name in self.flags:
                add(name, "yes" if self.flags[name] else "no")
        add("agent", *self.agents)
        add("group", *self.groups)
        add("tag", *self.tags)
        add("score_min", None if self.score_min is None else f"{self.score_min:g}")
        add("score_max", None if self.score_max is None else f"{self.score_max:g}")
        add("nps", self.nps)
        add("id", self.id)
        add("q", self.words)
        add("contact_from", self.contact_first_day)
        add("contact_to", self.contact_last_day)
        add("contact", self.contact_state)
        add("contact_kind", *self.contact_kinds)
        add("contact_project", *self.contact_projects)
        add("contact_channel", *self.contact_channels)
        if self.transfer_by != "agent" and (self.transfer_from or self.transfer_to or self.path):
            add("transfer_by", self.transfer_by)
        add("transfer_from", self.transfer_from)
        add("transfer_to", self.transfer_to)
        add("transfer_first_day", self.transfer_first_day)
        add("transfer_last_day", self.transfer_last_day)
        add("transfer_outcome", self.transfer_outcome)
        add("transfer_kind", *self.transfer_kind)
        add("transfer_target", self.transfer_target)
        add("path", *self.path)
        if self.path and self.path_part:
            add("path_part", "yes")
        return found

    def query(self, **more: object) -> str:
        """The query string, with further names and values such as the sort order at the end."""
        extra = [(name, str(value)) for name, value in more.items() if value not in (None, "")]
        return urlencode(self.pairs() + extra)

    def conditions(self, *, windowed: bool = False) -> list[Condition]:
        """What the where clause holds, the free text left out (see `search`).

        Args:
            windowed: the looks into other marts are bounded by WINDOW, for the caller to bind.
        """
        return [
            *self._period(),
            *self._columns(),
            *self._flags(),
            *self._scores(),
            *self._id(),
            *self._contacts(windowed),
            *self._transfer(windowed),
            *self._path(windowed),
        ]

    def search(self, *, windowed: bool = False) -> Condition | None:
        """The free text as a condition: every word, in whichever messages of the conversation.

        Args:
            windowed: as in `conditions`.
        """
        words = [_Word(*pair) for pair in enumerate(search_words(self.words))]
        if not words:
            return None
        # The longest word is likely the rarest. One pass over the messages finds its conversations;
        # the other words are looked for in those alone.
        rarest, *others = sorted(words, key=lambda word: -len(word.text))
        within = _within("messages", windowed)
        found = (
            "select distinct messages.conversation_started_at, messages.conversation_id"
            " from marts.messages as messages"
            f" where messages.conversation_id is not null{within} and {rarest.condition.sql}"
        )
        if others:
            having = " and ".join(f"bool_or({word.condition.sql})" for word in others)
            found = (
                "select messages.conversation_started_at, messages.conversation_id"
                f" from marts.messages as messages semi join ({found}) as found"
                " on messages.conversation_started_at = found.conversation_started_at"
                " and messages.conversation_id = found.conversation_id"
                f" where true{within}"
                " group by messages.conversation_started_at, messages.conversation_id"
                f" having {having}"
            )
        # As one list, of which DuckDB expects little: of a table that it expects much of, it would
        # rather read and hash every conversation than the hits.
        return Condition(
            "(conversations.started_at, conversations.conversation_id) in ("
            "select unnest(list((hits.conversation_started_at, hits.conversation_id)))"
            f" from ({found}) as hits)",
            _merged([word.condition for word in words]),
        )

    def _period(self) -> list[Condition]:
        found = []
        day = "conversations.closed_on" if self.on == "closed" else "conversations.started_on"
        if self.first_day:
            found.append(Condition(f"{day} >= $first_day", {"first_day": self.first_day}))
        if self.last_day:
            found.append(Condition(f"{day} <= $last_day", {"last_day": self.last_day}))
        # A day of any zone lies within a day of UTC's; the table is in the order of started_at, so
        # this reads a part of it alone. What closed by a day had started by then.
        if self.first_day and self.on == "opened":
            found.append(
                Condition(
                    "conversations.started_at >= $first_moment",
                    {"first_moment": _moment(self.first_day, -1)},
                )
            )
        if self.last_day:
            found.append(
                Condition(
                    "conversations.started_at < $last_moment",
                    {"last_moment": _moment(self.last_day, 2)},
                )
            )
        return found

    def _columns(self) -> list[Condition]:
        found = []
        for name, column in COLUMNS.items():
            values = self.columns.get(name)
            if values:
                found.append(_one_of(column, name, values))
        return found

    def _flags(self) -> list[Condition]:
        return [
            Condition(f"({FLAGS[name]})" if wanted else f"not coalesce({FLAGS[name]}, false)")
            for name, wanted in self.flags.items()
        ]

    def _scores(self) -> list[Condition]:
        found = []
        if self.score_min is not None:
            found.append(
                Condition("conversations.csat_score >= $score_min", {"score_min": self.score_min})
            )
        if self.score_max is not None:
            found.append(
                Condition("conversations.csat_score <= $score_max", {"score_max": self.score_max})
            )
        if self.nps:
            found.append(Condition(NPS_CLASSES[self.nps]))
        return found

    def _id(self) -> list[Condition]:
        if not self.id:
            return []
        return [
            Condition(
                "(conversations.started_at, conversations.conversation_id) in ("
                "select (conversation_ids.conversation_started_at,"
                " conversation_ids.conversation_id)"
                " from marts.conversation_ids as conversation_ids"
                f" where conversation_ids.id_hash = {ID_HASH} and conversation_ids.id = $id)",
                {"id": self.id},
            )
        ]

    def _contacts(self, windowed: bool) -> list[Condition]:
        """One contact has to meet all that is asked of contacts, but for agents and groups.

        A figure of the contacts report by agent counts the contacts of that agent, so with a
        contact state, a kind or a day the agent has to be the contact's own.
        """
        terms: list[Condition] = []
        if self.contact_first_day:
            terms.append(
                Condition(
                    "contacts.started_on >= $contact_first_day"
                    " and contacts.started_at >= $contact_first_moment",
                    {
                        "contact_first_day": self.contact_first_day,
                        "contact_first_moment": _moment(self.contact_first_day, -1),
                    },
                )
            )
        if self.contact_last_day:
            terms.append(
                Condition(
                    "contacts.started_on <= $contact_last_day"
                    " and contacts.conversation_started_at < $contact_last_moment",
                    {
                        "contact_last_day": self.contact_last_day,
                        "contact_last_moment": _moment(self.contact_last_day, 2),
                    },
                )
            )
        if self.contact_state:
            terms.append(Condition(CONTACT_STATES[self.contact_state]))
        for column, name, values in (
            ("contacts.agent_kind", "contact_kind", self.contact_kinds),
            ("contacts.project_id", "contact_project", self.contact_projects),
            ("contacts.channel", "contact_channel", self.contact_channels),
        ):
            if values:
                terms.append(_one_of(column, name, values))
        found = []
        taken = [
            _one_of("contacts.agent_id", "agent", self.agents) if self.agents else None,
            _one_of("contacts.group_id", "group", self.groups) if self.groups else None,
        ]
        respondents = [term for term in taken if term]
        if self.tags:
            found.append(
                _has_contact(
                    [
                        Condition(
                            "list_has_any(string_split(contacts.tags, ','), $tag)",
                            {"tag": list(self.tags)},
                        )
                    ],
                    windowed,
                )
            )
        if terms:
            found.append(_has_contact([*terms, *respondents], windowed))
        else:
            found.extend(_has_contact([term], windowed) for term in respondents)
        return found

    def _transfer(self, windowed: bool) -> list[Condition]:
        """One transfer has to meet all that is asked of transfers."""
        terms = []
        columns = {
            "group": ("from_contacts.group_id", "to_contacts.group_id"),
            "kind": ("transfers.from_agent_kind", "transfers.to_agent_kind"),
            "agent": ("transfers.from_agent_id", "transfers.to_agent_id"),
        }[self.transfer_by]
        for name, column, value in (
            ("transfer_from", columns[0], self.transfer_from),
            ("transfer_to", columns[1], self.transfer_to),
        ):
            if value:
                terms.append(_one_of(column, name, (value,)))
        joins = _JOINED_ENDS if terms and self.transfer_by == "group" else ""
        days = transfer_days(self.transfer_first_day, self.transfer_last_day)
        if days:
            terms.append(days)
            joins += _JOINED_CONVERSATION
        if self.transfer_kind:
            terms.append(_one_of("transfers.kind", "transfer_kind", self.transfer_kind))
        if self.transfer_target:
            terms.append(
                Condition(
                    "transfers.target_kind || ':' || transfers.target_id = $transfer_target",
                    {"transfer_target": self.transfer_target},
                )
            )
        if not terms and not self.transfer_outcome:
            return []
        terms.append(Condition(TRANSFER_STATES[self.transfer_outcome or "accepted"]))
        where = " and ".join(term.sql for term in terms)
        return [
            Condition(
                "(conversations.started_at, conversations.conversation_id) in ("
                "select (transfers.conversation_started_at, transfers.conversation_id)"
                f" from marts.transfers as transfers{joins} where {where}"
                f"{_within('transfers', windowed)})",
                _merged(terms),
            )
        ]

    def _path(self, windowed: bool) -> list[Condition]:
        if not self.path:
            return []
        step = PATH_STEPS[self.transfer_by]
        matched = "path = $path"
        values: dict[str, Any] = {"path": list(self.path)}
        if self.path_part:
            matched = (
                "list_contains(list_transform(range(1, len(path) - $path_length + 2),"
                " lambda start: path[start:start + $path_length - 1]), cast($path as varchar[]))"
            )
            values["path_length"] = len(self.path)
        # A path of several steps needs as many contacts, which the conversation knows.
        values["path_contacts"] = len(self.path)
        return [
            Condition("conversations.contact_count >= $path_contacts"),
            Condition(
                "(conversations.started_at, conversations.conversation_id) in ("
                "select (conversation_started_at, conversation_id) from ("
                f"select conversation_started_at, conversation_id, {collapsed_path(step)} as path"
                f" from marts.contacts as contacts where true{_within('contacts', windowed)}"
                " group by conversation_started_at, conversation_id"
                " having count(*) >= $path_contacts)"
                f" where {matched})",
                values,
            ),
        ]


# A transfer that counts: accepted, and over a link that joins.
TRANSFER_ACCEPTED = "transfers.outcome = 'accepted' and not transfers.is_rejected_link"
TRANSFER_STATES = {
    "accepted": TRANSFER_ACCEPTED,
    "failed": "transfers.outcome = 'failed'",
    "abandoned": "transfers.outcome = 'abandoned'",
    "unknown": "transfers.outcome = 'unknown'",
    "asked": "true",
}
PATH_STEPS = {
    "agent": "contacts.agent_id",
    "group": "contacts.group_id",
    "kind": "contacts.agent_kind",
}
_JOINED_ENDS = (
    " left join marts.contacts as from_contacts on transfers.source = from_contacts.source"
    " and transfers.from_contact_id = from_contacts.contact_id"
    " left join marts.contacts as to_contacts on transfers.source = to_contacts.source"
    " and transfers.to_contact_id = to_contacts.contact_id"
)
_JOINED_CONVERSATION = (
    " inner join marts.conversations as asked_in"
    " on transfers.conversation_started_at = asked_in.started_at"
    " and transfers.conversation_id = asked_in.conversation_id"
)


def transfer_days(
    first: date | None, last: date | None, conversation: str = "asked_in"
) -> Condition | None:
    """The days on which a transfer was asked for, in the project's days; None for any.

    The condition speaks of `transfers` and of its conversation, by the alias given.
    """
    terms: list[str] = []
    values: dict[str, Any] = {}
    day = (
        f"cast(timezone({conversation}.time_zone, timezone('UTC', transfers.requested_at)) as date)"
    )
    # A zone is at most a day away from UTC: only what is nearer to an end has to be converted.
    if first:
        terms.append(
            "transfers.requested_at >= $transfers_since"
            f" and (transfers.requested_at >= $transfers_inside or {day} >= $transfer_first_day)"
        )
        values |= {
            "transfer_first_day": first,
            "transfers_since": _moment(first, -1),
            "transfers_inside": _moment(first, 1),
        }
    if last:
        terms.append(
            "transfers.requested_at < $transfers_until"
            f" and (transfers.requested_at < $transfers_within or {day} <= $transfer_last_day)"
        )
        values |= {
            "transfer_last_day": last,
            "transfers_until": _moment(last, 2),
            "transfers_within": _moment(last, 0),
        }
    return Condition(" and ".join(terms), values) if terms else None


def collapsed_path(step: str) -> str:
    """An aggregate over contacts: the steps in order, `-` for none, each repeat left out."""
    steps = f"list(coalesce({step}, '{NONE}') order by contacts.contact_no)"
    return f"list_filter({steps}, lambda step, place: place = 1 or step <> {steps}[place - 1])"


# Bounds of the opening of a conversation; every mart is in its order, so this reads a part alone.
WINDOW = "{column} >= $window_start and {column} < $window_end"

# How marts.conversation_ids spells the hash of an id, so that a look-up reads one place.
ID_HASH = "cast('0x' || substr(md5($id), 1, 15) as bigint)"


def where(conditions: Iterable[Condition]) -> Condition:
    """The conditions joined with `and`; `true` when there is none."""
    listed = list(conditions)
    if not listed:
        return Condition("true")
    return Condition(" and ".join(condition.sql for condition in listed), _merged(listed))


def read(parameters: Sequence[tuple[str, str]]) -> tuple[Filter, list[Problem]]:
    """The filter that an address asks for.

    Args:
        parameters: names and values of the query string; unknown names are not looked at.

    Returns:
        The filter made of the values that can be used, and the problems with the others.
    """
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        cleaned = value.strip()
        if cleaned:
            given.setdefault(name, []).append(cleaned)
    reader = _Reader(given)
    made = Filter(
        on=reader.choice("on", PERIODS) or "opened",
        first_day=reader.day("from"),
        last_day=reader.day("to"),
        columns={name: values for name in COLUMNS if (values := reader.texts(name))},
        flags={
            name: YES_NO[answer] for name in FLAGS if (answer := reader.choice(name, tuple(YES_NO)))
        },
        agents=reader.texts("agent"),
        groups=reader.texts("group"),
        tags=reader.texts("tag"),
        score_min=reader.number("score_min"),
        score_max=reader.number("score_max"),
        nps=reader.choice("nps", tuple(NPS_CLASSES)),
        id=reader.text("id"),
        words=reader.text("q"),
        contact_first_day=reader.day("contact_from"),
        contact_last_day=reader.day("contact_to"),
        contact_state=reader.choice("contact", tuple(CONTACT_STATES)),
        contact_kinds=reader.texts("contact_kind"),
        contact_projects=reader.texts("contact_project"),
        contact_channels=reader.texts("contact_channel"),
        transfer_by=reader.choice("transfer_by", TRANSFER_ENDS) or "agent",
        transfer_from=reader.text("transfer_from"),
        transfer_to=reader.text("transfer_to"),
        transfer_first_day=reader.day("transfer_first_day"),
        transfer_last_day=reader.day("transfer_last_day"),
        transfer_outcome=reader.choice("transfer_outcome", tuple(TRANSFER_STATES)),
        transfer_kind=reader.texts("transfer_kind"),
        transfer_target=reader.text("transfer_target"),
        path=reader.texts("path", distinct=False),
        path_part=reader.choice("path_part", tuple(YES_NO)) == "yes",
    )
    for first, last, name in (
        (made.first_day, made.last_day, "to"),
        (made.contact_first_day, made.contact_last_day, "contact_to"),
        (made.transfer_first_day, made.transfer_last_day, "transfer_last_day"),
    ):
        if first and last and last < first:
            reader.problems.append(Problem(name, str(last), f"a day not before {first}"))
    return made, reader.problems


def search_words(text: str) -> list[str]:
    """The words of a search, at most MOST_WORDS; a phrase in double quotes is one word."""
    words = [phrase or word for phrase, word in re.findall(r'"([^"]+)"|([^\s"]+)', text)]
    return [word for word in words[:MOST_WORDS] if word.strip()]


def word_patterns(text: str) -> list[str]:
    """One regular expression (RE2) per word of a search.

    Case and accents are set aside on both sides: `reclamation` finds Réclamation, and the other way
    round.
    """
    return [_pattern(word) for word in search_words(text)]


@dataclass(frozen=True)
class _Word:
    """A word of a search.

    Attributes:
        number: which one.
        text: as it was given.
    """

    number: int
    text: str

    @property
    def condition(self) -> Condition:
        """That a message holds it.

        In a message of plain ASCII no letter has an accent, and an expression that knows of none
        is up to twice as fast.
        """
        spelled, plain = f"word_{self.number}", f"plain_{self.number}"
        return Condition(
            "(case when strlen(messages.body) = length(messages.body)"
            f" then regexp_matches(messages.body, ${plain})"
            f" else regexp_matches(messages.body, ${spelled}) end)",
            {
                spelled: _pattern(self.text),
                plain: "".join(map(_ascii_letter, _folded(self.text))),
            },
        )


_VARIANTS = {
    "a": "aàáâãäåā",
    "c": "cçćč",
    "e": "eèéêëēę",
    "i": "iìíîïī",
    "l": "lł",
    "n": "nñń",
    "o": "oòóôõöøō",
    "s": "sśšș",
    "u": "uùúûüū",
    "y": "yýÿ",
    "z": "zźżž",
}
_LIGATURES = {"œ": "oe", "æ": "ae", "ß": "ss"}


def _folded(word: str) -> str:
    """A word without case, accents and ligatures."""
    plain = word.casefold()
    for ligature, letters in _LIGATURES.items():
        plain = plain.replace(ligature, letters)
    return "".join(
        letter
        for letter in unicodedata.normalize("NFD", plain)
        if not unicodedata.combining(letter)
    )


def _pattern(word: str) -> str:
    plain = _folded(word)
    parts, position = [], 0
    while position < len(plain):
        letters = plain[position : position + 2]
        joined = next((key for key, value in _LIGATURES.items() if value == letters), None)
        if joined:
            pair = "".join(_letter(each) for each in letters)
            parts.append(f"(?:{pair}|{joined})")
            position += 2
        else:
            parts.append(_letter(plain[position]))
            position += 1
    return "(?i)" + "".join(parts)


def _letter(letter: str) -> str:
    if letter in _VARIANTS:
        # A letter may also be followed by an accent of its own.
        return f"[{_VARIANTS[letter]}]\\p{{Mn}}?"
    return _plain_letter(letter)


def _plain_letter(letter: str) -> str:
    if letter.isspace():
        return r"\s+"
    # What a regular expression would read as its own.
    return re.sub(r"([^\w])", r"\\\1", letter) if letter.isascii() else letter


def _ascii_letter(letter: str) -> str:
    # In both cases by hand: to (?i), s and k have a third form each that is no ASCII, with which a
    # search takes more than twice as long.
    if letter.isascii() and letter.isalpha():
        return f"[{letter}{letter.upper()}]"
    return _plain_letter(letter)


def _moment(day: date, days: int) -> datetime:
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        moved = day
    return datetime(moved.year, moved.month, moved.day)


def _one_of(column: str, name: str, values: Sequence[str]) -> Condition:
    known = [value for value in values if value != NONE]
    parts, bound = [], {}
    if known:
        parts.append(f"{column} in (select unnest(cast(${name} as varchar[])))")
        bound[name] = known
    if len(known) < len(values):
        parts.append(f"{column} is null")
    return Condition(f"({' or '.join(parts)})", bound)


def _within(table: str, windowed: bool) -> str:
    return f" and {WINDOW.format(column=f'{table}.conversation_started_at')}" if windowed else ""


def _has_contact(terms: Sequence[Condition], windowed: bool) -> Condition:
    condition = " and ".join(term.sql for term in terms)
    return Condition(
        "(conversations.started_at, conversations.conversation_id) in ("
        "select (contacts.conversation_started_at, contacts.conversation_id)"
        f" from marts.contacts as contacts where {condition}{_within('contacts', windowed)})",
        _merged(terms),
    )


def _merged(conditions: Iterable[Condition]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for condition in conditions:
        values.update(condition.values)
    return values


class _Reader:
    """Reads one filter at a time out of what was given."""

    def __init__(self, given: Mapping[str, list[str]]) -> None:
        self._given = given
        self.problems: list[Problem] = []

    def text(self, name: str) -> str:
        values = self._given.get(name, [])
        value = values[-1] if values else ""
        if len(value) > LONGEST_VALUE:
            self._refuse(name, value[:40] + "…", f"at most {LONGEST_VALUE} characters")
            return ""
        return value

    def texts(self, name: str, *, distinct: bool = True) -> tuple[str, ...]:
        values = self._given.get(name, [])
        values = list(dict.fromkeys(values)) if distinct else values
        if len(values) > MOST_VALUES:
            self._refuse(name, str(len(values)), f"at most {MOST_VALUES} values")
            return ()
        for value in values:
            if len(value) > LONGEST_VALUE:
                self._refuse(name, value[:40] + "…", f"at most {LONGEST_VALUE} characters")
                return ()
        return tuple(values)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self.text(name)
        if value and value not in choices:
            self._refuse(name, value, "one of " + ", ".join(choices))
            return ""
        return value

    def day(self, name: str) -> date | None:
        value = self.text(name)
        if not value:
            return None
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
                raise ValueError
            return date.fromisoformat(value)
        except ValueError:
            self._refuse(name, value, "a day such as 2026-11-02")
            return None

    def number(self, name: str) -> float | None:
        value = self.text(name)
        if not value:
            return None
        if not re.fullmatch(r"\d{1,3}([.,]\d{1,3})?", value, re.ASCII):
            self._refuse(name, value, "a number such as 4")
            return None
        return float(value.replace(",", "."))

    def _refuse(self, name: str, value: str, remedy: str) -> None:
        self.problems.append(Problem(name, value, remedy))
