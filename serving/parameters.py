"""The parameters of addresses: one kind of row for pages, exports and REST.

Belongs here: what a row says (name, aliases, type, meaning), reading a query string by some rows,
and saying what was not understood. Does not belong here: what a value selects. The rows stand
beside that (`filters`, `reports.question`, `pages.log`, `api.conversations` and so on), and which
rows an address has is said in `places`.

What is not understood is refused, because an answer to another question would be believed: an
unknown name, a value that cannot be read, and a name that is given twice where one value is meant.
An empty value counts as not given, as forms send it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from serving.i18n import gettext, mark

LONGEST_VALUE = 200
MOST_VALUES = 100
# The key and the language: the guard and the frame of the pages read them at every address.
EVERYWHERE = ("key", "lang")
# What mailings, advertisements and caches append to an address that somebody else wrote. It asks
# for nothing, so a link that was sent around keeps working.
APPENDED = re.compile(r"_|utm_[a-z_]+|gclid|fbclid|msclkid|mc_[ce]id")
UNKNOWN_NAME = mark("This address does not know “%(name)s”. It takes: %(remedy)s.")
GIVEN_TWICE = mark("%(name)s is given more than once: give one value.")
CANNOT_BE = mark("%(name)s cannot be “%(value)s”: it takes %(remedy)s.")
NOTHING = mark("nothing")


class UnreadableError(ValueError):
    """A value that a type cannot read.

    Attributes:
        remedy: what it takes, in English, to be translated where it is shown.
        more: what the remedy is filled in with.
    """

    def __init__(self, remedy: str, **more: object) -> None:
        super().__init__(remedy)
        self.remedy = remedy
        self.more = more


@dataclass(frozen=True)
class Problem:
    """What was not understood.

    Attributes:
        name: the parameter, as in the address.
        value: what was given.
        remedy: what it takes, in English.
        more: what the remedy is filled in with.
        message: the sentence that says so.
        label: what pages call the parameter.
    """

    name: str
    value: str
    remedy: str = ""
    more: Mapping[str, object] = field(default_factory=dict)
    message: str = CANNOT_BE
    label: str = ""

    @property
    def told(self) -> str:
        """The whole sentence, in the reader's language."""
        label = gettext(self.label)
        return gettext(self.message) % {
            "name": f"{label} ({self.name})" if label else self.name,
            "value": self.value,
            "remedy": gettext(self.remedy) % self.more,
        }


class NotUnderstoodError(Exception):
    """An address that asks for what cannot be."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.name for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Type:
    """What a value is.

    Attributes:
        read: a value out of its text; raises UnreadableError.
        schema: the JSON schema of the text.
    """

    read: Callable[[str], Any]
    schema: Mapping[str, Any]


def text(longest: int = LONGEST_VALUE) -> Type:
    """Any text that is not too long."""

    def read(value: str) -> str:
        if len(value) > longest:
            raise UnreadableError(mark("at most %(longest)s characters"), longest=longest)
        return value

    return Type(read, {"type": "string", "maxLength": longest})


def choice(choices: Iterable[str], others: Iterable[str] = ()) -> Type:
    """One of a few texts; `others` are read too, and not offered."""
    offered = list(choices)
    known = {*offered, *others}

    def read(value: str) -> str:
        if value not in known:
            raise UnreadableError(mark("one of %(choices)s"), choices=", ".join(offered))
        return value

    return Type(read, {"type": "string", "enum": offered})


def answer(answers: Mapping[str, bool], remedy: str) -> Type:
    """Yes or no, however it is written."""

    def read(value: str) -> bool:
        if value.lower() not in answers:
            raise UnreadableError(remedy)
        return answers[value.lower()]

    return Type(read, {"type": "string", "enum": list(answers)})


def whole(lowest: int, highest: int) -> Type:
    """A whole number."""

    def read(value: str) -> int:
        if not re.fullmatch(r"\d{1,12}", value, re.ASCII) or not lowest <= int(value) <= highest:
            raise UnreadableError(
                mark("a whole number from %(lowest)s to %(highest)s"),
                lowest=lowest,
                highest=highest,
            )
        return int(value)

    return Type(read, {"type": "integer", "minimum": lowest, "maximum": highest})


def score(highest: int) -> Type:
    """A number from 0, with a point or a comma."""

    def read(value: str) -> float:
        number = value.replace(",", ".")
        if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", number, re.ASCII) or float(number) > highest:
            raise UnreadableError(
                mark("a number from 0 to %(highest)s, such as 4"), highest=highest
            )
        return float(number)

    return Type(read, {"type": "number", "minimum": 0, "maximum": highest})


def _day(value: str) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise UnreadableError(mark("a day such as 2026-11-02")) from None


@dataclass(frozen=True)
class Moment:
    """A bound of a period, on the clock of whoever asks.

    Attributes:
        at: the moment; midnight when a day was given.
        is_day: whether a day was given, which counts from its start to its end.
    """

    at: datetime
    is_day: bool


def _moment(value: str) -> Moment:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            moment = Moment(datetime.combine(date.fromisoformat(value), time()), is_day=True)
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}", value, re.ASCII):
            moment = Moment(datetime.fromisoformat(value), is_day=False)
        else:
            raise ValueError
        # Room to move by a few months and days in both directions.
        if not 1000 <= moment.at.year <= 9000:
            raise ValueError
    except ValueError:
        raise UnreadableError(
            mark("a day such as 2026-11-02 or a moment such as 2026-11-02 14:30:00")
        ) from None
    return moment


TEXT = text()
DAY = Type(_day, {"type": "string", "format": "date"})
MOMENT = Type(_moment, {"type": "string", "maxLength": 19})
YES_NO = answer({"yes": True, "no": False}, mark("yes or no"))
FLAG = answer(
    {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False},
    mark("1 or 0"),
)


@dataclass(frozen=True)
class Parameter:
    """A row of the table.

    Attributes:
        name: as in the address; in REST without the brackets of `filters[…]`.
        type: what a value is.
        meaning: what it selects, for REST's document.
        label: what pages call it.
        example: a value that it takes.
        aliases: other names for the same.
        is_list: whether it takes several values: one name for each or, in REST, with commas.
        is_filter: in REST, whether it is written as `filters[name]`.
        attribute: of a filter of the log, the attribute of `Filter` that holds it.
    """

    name: str
    type: Type = TEXT
    meaning: str = ""
    label: str = ""
    example: str = ""
    aliases: tuple[str, ...] = ()
    is_list: bool = False
    is_filter: bool = False
    attribute: str = ""


def read(
    rows: Sequence[Parameter], pairs: Iterable[tuple[str, str]], *, strict: bool = True
) -> tuple[dict[str, Any], list[Problem]]:
    """The values that an address gives, by the name of their row.

    Args:
        rows: what the address takes.
        pairs: names and values of the query string, decoded.
        strict: whether an unknown name is a problem; what else reads the same pairs may know it.

    Returns:
        The values that can be used, a tuple where several can be given; and the problems.
    """
    by_name = {name: row for row in rows for name in (row.name, *row.aliases)}
    given: dict[str, list[str]] = {}
    problems = []
    for name, value in pairs:
        row = by_name.get(name)
        if row is None:
            if strict and name not in EVERYWHERE and not APPENDED.fullmatch(name):
                problems.append(_unknown(name, value, rows))
        elif cleaned := value.strip():
            given.setdefault(row.name, []).append(cleaned)
    found: dict[str, Any] = {}
    for row in rows:
        if row.name not in given:
            continue
        values = given[row.name]
        if not row.is_list and len(values) > 1:
            problems.append(
                Problem(row.name, short(values[-1]), message=GIVEN_TWICE, label=row.label)
            )
        elif len(values) > MOST_VALUES:
            remedy = mark("at most %(most)s values")
            problems.append(
                Problem(row.name, str(len(values)), remedy, {"most": MOST_VALUES}, label=row.label)
            )
        else:
            try:
                read_values = tuple(map(row.type.read, values))
            except UnreadableError as error:
                wrong = next(value for value in values if not _reads(row.type, value))
                problems.append(
                    Problem(row.name, short(wrong), error.remedy, error.more, label=row.label)
                )
            else:
                found[row.name] = read_values if row.is_list else read_values[0]
    return found, problems


def _reads(type_: Type, value: str) -> bool:
    try:
        type_.read(value)
    except UnreadableError:
        return False
    return True


def _unknown(name: str, value: str, rows: Sequence[Parameter]) -> Problem:
    known = ", ".join(row.name for row in rows)
    return Problem(short(name), short(value), known or NOTHING, message=UNKNOWN_NAME)


def short(text_: str) -> str:
    """A text that is not the reader's own to choose the length of."""
    return text_ if len(text_) <= 40 else text_[:40] + "…"
