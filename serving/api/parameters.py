"""The parameters of a request: the platform's way of writing them, and its period rule.

Belongs here: the brackets of `filters[…]`, lists, the words of a refusal, the period rule.
Does not belong here: types of values (`serving.parameters`), what a filter selects (the resources
say), HTTP.

A value that is empty counts as not given, as forms send it. A name that is given twice is refused,
because it cannot be known which was meant; several values are written with commas, or as PHP's
clients write lists (`filters[channel][0]=chat&filters[channel][1]=call`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from serving.api.clock import Clock
from serving.api.envelope import RefusedError
from serving.filters import Condition
from serving.parameters import (
    EVERYWHERE,
    FLAG,
    MOMENT,
    MOST_VALUES,
    Moment,
    Parameter,
    Type,
    UnreadableError,
    short,
    text,
    whole,
)

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
HIGHEST_PAGE = 1_000_000_000
PERIOD_MONTHS = 3
_FILTER = re.compile(r"filters\[([^\[\]]*)\](\[\d*\])?")
_LIST = re.compile(r"([^\[\]]+)\[\d*\]")
# jQuery and its like append it to an address, so that no cache answers.
_AGAINST_CACHES = "_"


def filter_row(
    name: str,
    meaning: str,
    example: str = "",
    type_: Type | None = None,
    *,
    is_list: bool = False,
    aliases: tuple[str, ...] = (),
) -> Parameter:
    """A filter, which is written as `filters[name]`; any text when no type is given."""
    return Parameter(
        name,
        type_ or text(),
        meaning,
        example=example,
        is_list=is_list,
        is_filter=True,
        aliases=aliases,
    )


SOURCE_FILTER = filter_row("source", "The source, where the same id exists in several.", "acme")
SOURCE = Parameter("source", meaning=SOURCE_FILTER.meaning, example="acme")
PAGE = Parameter(
    "page", whole(1, HIGHEST_PAGE), "The page; one behind the last is the last.", example="2"
)
LIMIT = Parameter("limit", whole(1, HIGHEST_LIMIT), "How many items a page has: 20, at most 100.")
FULL = Parameter("full", FLAG, "Whole documents instead of ids.")
FORMAT_HISTORY = Parameter(
    "formatHistory", FLAG, "Taken and without effect: the history is always well formed."
)
# The platform's own client sends these with a single resource too, and cannot be told not to.
PAGE_OF_ONE, LIMIT_OF_ONE = (
    replace(row, meaning="Taken and without effect: the platform's client sends it.")
    for row in (PAGE, LIMIT)
)
FIELDS = Parameter(
    "fields",
    meaning="Taken and without effect: a document has every field.",
    is_list=True,
    example="id,label",
)
VERSION = Parameter(
    "version",
    meaning=(
        "A published version that is kept, so that the pages of a walk are all of one; each answer"
        " names its own in `meta`. A day such as 2026-11-29 stands for the last one published by"
        " its end, in UTC."
    ),
)


def period_rows(what: str) -> tuple[Parameter, Parameter]:
    """The two bounds of a period.

    Args:
        what: what lies in it, such as `Opened`.
    """
    return (
        filter_row("from", f"{what} on or after this day or moment.", "2026-09-01", MOMENT),
        filter_row("to", f"{what} on or before this day or moment.", "2026-11-30 18:00:00", MOMENT),
    )


def invalid(name: str, remedy: str) -> RefusedError:
    """The platform's words for a value that cannot be taken, and what can."""
    return RefusedError(f"Value of field '{name}' is not valid. {remedy}")


class Parameters:
    """The parameters of one request.

    Args:
        pairs: names and values of the query string, decoded.
        rows: what the resource takes.

    Raises:
        RefusedError: something of it is not understood; the message names it and the remedy.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], rows: Sequence[Parameter]) -> None:
        self._filters = {
            name: row for row in rows if row.is_filter for name in (row.name, *row.aliases)
        }
        self._options = {row.name: row for row in rows if not row.is_filter}
        given: dict[tuple[bool, str], tuple[Parameter, list[_Given]]] = {}
        for name, value in pairs:
            if name in EVERYWHERE or name == _AGAINST_CACHES:
                continue
            row, spelled, is_element = self._row(name)
            if cleaned := value.strip():
                _, values = given.setdefault((row.is_filter, row.name), (row, []))
                values.append(_Given(cleaned, spelled, is_element))
        self._values = {key: _value(row, values) for key, (row, values) in given.items()}

    def _row(self, name: str) -> tuple[Parameter, str, bool]:
        """What a name means, how it is spelled, and whether it is an element of a list.

        Raises:
            RefusedError: it means nothing.
        """
        if match := _FILTER.fullmatch(name):
            row = self._filters.get(match[1])
            if row is None:
                raise RefusedError(
                    f"Unknown filter '{short(match[1])}'. This resource takes:"
                    f" {', '.join(sorted(self._filters)) or 'none'}."
                )
            return row, match[1], match[2] is not None
        if name in self._options:
            return self._options[name], name, False
        element = _LIST.fullmatch(name)
        row = self._options.get(element[1]) if element else None
        if row is not None and row.is_list:
            return row, row.name, True
        if name in self._filters:
            raise RefusedError(f"Filter '{name}' is written as filters[{name}].")
        raise RefusedError(
            f"Unknown parameter '{short(name)}'. This resource takes:"
            f" {', '.join(sorted(self._options)) or 'none'}; a filter is written as filters[name]."
        )

    def option(self, name: str, default: Any = None) -> Any:
        """The value of a parameter outside `filters`."""
        return self._values.get((False, name), default)

    def filter(self, name: str) -> Any:
        """The value of a filter, None when it is not given; a tuple where it takes several."""
        return self._values.get((True, name))

    def source(self) -> str:
        """The source, from `filters[source]` or from the parameter `source`."""
        inside, outside = self.filter("source"), self.option("source")
        if inside and outside and inside != outside:
            raise RefusedError("Field 'source' is given more than once, with different values.")
        return inside or outside or ""


@dataclass(frozen=True)
class _Given:
    text: str
    spelled: str
    is_element: bool


def _value(row: Parameter, given: Sequence[_Given]) -> Any:
    """The value of a row.

    Raises:
        RefusedError: it cannot be read, or there is more than one.
    """
    if len(given) > 1:
        spellings = list(dict.fromkeys(each.spelled for each in given))
        if len(spellings) > 1:
            raise RefusedError(f"Give '{spellings[0]}' or '{spellings[1]}', not both.")
        if not all(each.is_element for each in given):
            more = " Separate several values with commas." if row.is_list else ""
            raise RefusedError(f"Field '{short(row.name)}' is given more than once.{more}")
        if not row.is_list:
            raise RefusedError(f"Field '{short(row.name)}' takes one value.")
    if not row.is_list:
        return _read(row, given[0].text)
    parts = [part.strip() for each in given for part in each.text.split(",") if part.strip()]
    if len(parts) > MOST_VALUES:
        raise invalid(row.name, f"Give at most {MOST_VALUES} values.")
    return tuple(_read(row, part) for part in dict.fromkeys(parts)) or None


def _read(row: Parameter, given: str) -> Any:
    try:
        return row.type.read(given)
    except UnreadableError as error:
        raise invalid(row.name, f"Give {error.remedy % error.more}.") from None


def months_later(bound: Moment, months: int) -> Moment:
    """The same day and time some months later; the last day of a month that is too short."""
    count = bound.at.year * 12 + bound.at.month - 1 + months
    year, month = count // 12, count % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    last_day = (following - timedelta(days=1)).day
    moved = bound.at.replace(year=year, month=month, day=min(bound.at.day, last_day))
    return Moment(moved, bound.is_day)


def _end(bound: Moment) -> datetime:
    """The first second after a bound."""
    return bound.at + (timedelta(days=1) if bound.is_day else timedelta(seconds=1))


@dataclass(frozen=True)
class Period:
    """What lies from one moment to another, both included.

    Attributes:
        first: the start.
        last: the end; None when it is open.
    """

    first: Moment
    last: Moment | None

    @property
    def is_of_days(self) -> bool:
        """Whether it starts and ends with a day."""
        return self.first.is_day and (self.last is None or self.last.is_day)

    def within(self, utc: str, clock: Clock) -> Condition:
        """The period as one clock reads it, as a condition on a column with moments in UTC."""
        values: dict[str, Any] = {"period_start": clock.first(self.first)}
        if self.last is None:
            return Condition(f"{utc} >= $period_start", values)
        values["period_stop"] = clock.end(self.last)
        return Condition(f"{utc} >= $period_start and {utc} < $period_stop", values)

    def days(self, day: str) -> Condition:
        """A period of whole days as a condition on a column with days."""
        values: dict[str, Any] = {"period_first_day": self.first.at.date()}
        if self.last is None:
            return Condition(f"{day} >= $period_first_day", values)
        values["period_last_day"] = self.last.at.date()
        return Condition(f"{day} between $period_first_day and $period_last_day", values)

    def window(self, utc: str) -> Condition:
        """What certainly holds the period, as a condition on a column with moments in UTC.

        Every zone is within a day of UTC. The tables are in the order of such a column, so that
        this reads a part of them.
        """
        values: dict[str, Any] = {"period_floor": self.first.at - timedelta(days=1)}
        if self.last is None:
            return Condition(f"{utc} >= $period_floor", values)
        values["period_ceiling"] = _end(self.last) + timedelta(days=1)
        return Condition(f"{utc} >= $period_floor and {utc} < $period_ceiling", values)

    def condition(self, utc: str, day: str, zone: str) -> Condition:
        """The period as the clock of each row's own project reads it, as a condition.

        Args:
            utc: a column with a moment in UTC.
            day: a column with its day in the project's zone.
            zone: a column with the zone's name.
        """
        local = f"timezone({zone}, timezone('UTC', {utc}))"
        window = self.window(utc)
        parts = [window.sql]
        values = {**window.values, "period_first_day": self.first.at.date()}
        if self.first.is_day:
            parts.append(f"{day} >= $period_first_day")
        else:
            values["period_first"] = self.first.at
            parts.append(
                f"({day} > $period_first_day"
                f" or ({day} = $period_first_day and {local} >= $period_first))"
            )
        if self.last is not None:
            values["period_last_day"] = self.last.at.date()
            if self.last.is_day:
                parts.append(f"{day} <= $period_last_day")
            else:
                values["period_end"] = _end(self.last)
                parts.append(
                    f"({day} < $period_last_day"
                    f" or ({day} = $period_last_day and {local} < $period_end))"
                )
        return Condition(" and ".join(parts), values)


def period(
    parameters: Parameters,
    today: date,
    clock: Clock | None = None,
    *,
    longest_months: int | None = PERIOD_MONTHS,
) -> Period:
    """The period that is asked for, by the platform's rule.

    Neither end: the last three months. One end: the three months after or before it.

    Args:
        parameters: with the filters `from` and `to`.
        today: what "last" is counted from: the day of publication, so that an answer belongs to
            one version.
        clock: on which the bounds are read, where it is one.
        longest_months: how long it may be; any length when None.

    Raises:
        RefusedError: it is longer, or ends before it starts.
    """
    first: Moment | None = parameters.filter("from")
    last: Moment | None = parameters.filter("to")
    if first is None and last is None:
        bound = Moment(datetime.combine(today, time()), is_day=True)
        return Period(months_later(bound, -PERIOD_MONTHS), None)
    if first is None:
        assert last is not None
        return Period(months_later(last, -PERIOD_MONTHS), last)
    if last is None:
        return Period(first, months_later(first, PERIOD_MONTHS))
    # Of an hour that is repeated, an end that reads as earlier can be later.
    read_on = clock or Clock()
    if read_on.end(last) <= read_on.first(first) and _end(last) <= first.at:
        raise invalid("to", "It lies before 'from'.")
    if longest_months is not None and last.at > months_later(first, longest_months).at:
        raise RefusedError(
            f"The period from 'from' to 'to' is over {longest_months} months."
            " Ask for shorter ones, one after the other.",
            status="error",
        )
    return Period(first, last)


def matches(column: str, name: str, values: Sequence[str]) -> Condition:
    """A column is one of some values; `*` in a value stands for any text."""
    plain = [value for value in values if "*" not in value]
    bound: dict[str, Any] = {}
    parts = []
    if plain:
        parts.append(f"{column} in (select unnest(cast(${name} as varchar[])))")
        bound[name] = plain
    for number, value in enumerate(value for value in values if "*" in value):
        parts.append(f"{column} like ${name}_{number} escape '\\'")
        bound[f"{name}_{number}"] = like_pattern(value)
    return Condition(f"({' or '.join(parts)})", bound)


def like_pattern(value: str) -> str:
    """A value with `*` as the pattern of a `like` whose escape character is the backslash."""
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return escaped.replace("*", "%")
