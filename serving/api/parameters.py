"""The parameters of a request: the platform's names, what they accept, what is said otherwise.

Belongs here: reading and checking values, the period rule. Does not belong here: what a filter
selects (the resources say), HTTP.

A value that is empty counts as not given, as forms send it. A name that is given twice is refused,
because it cannot be known which was meant; several values are written with commas, or as PHP's
clients write lists (`filters[channel][0]=chat&filters[channel][1]=call`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from serving.api.envelope import RefusedError
from serving.filters import Condition

LONGEST_VALUE = 200
MOST_VALUES = 100
DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100
HIGHEST_PAGE = 1_000_000_000
PERIOD_MONTHS = 3
FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_FILTER = re.compile(r"filters\[([^\]]*)\](\[[^\]]*\])?", re.DOTALL)


@dataclass(frozen=True)
class Field:
    """A parameter, for reading it and for the OpenAPI document alike.

    Attributes:
        name: without `filters[…]`.
        description: what it selects.
        schema: the JSON schema of a value.
        example: a value that it takes.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    example: str = ""


def text_field(name: str, description: str, example: str) -> Field:
    """A field that takes any text."""
    return Field(name, description, {"type": "string", "maxLength": LONGEST_VALUE}, example)


def choice_field(name: str, description: str, choices: Iterable[str]) -> Field:
    """A field that takes one of a few texts."""
    listed = list(choices)
    return Field(name, description, {"type": "string", "enum": listed})


def invalid(name: str, remedy: str) -> RefusedError:
    """The platform's words for a value that cannot be taken, and what can."""
    return RefusedError(f"Value of field '{name}' is not valid. {remedy}")


class Parameters:
    """The parameters of one request.

    Args:
        pairs: names and values of the query string, decoded.
        fields: the filters that the resource takes.
        unavailable: filters of the platform that cannot be answered here, with the reason.

    Raises:
        RefusedError: an unknown filter, or one that is not written as `filters[name]`.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        fields: Sequence[Field] = (),
        unavailable: Mapping[str, str] | None = None,
    ) -> None:
        known = [field.name for field in fields]
        reasons = unavailable or {}
        self._plain: dict[str, list[str]] = {}
        self._filters: dict[str, list[str]] = {}
        for name, value in pairs:
            match = _FILTER.fullmatch(name)
            if match is None:
                if name in known and name != "source":
                    raise RefusedError(f"Filter '{name}' is written as filters[{name}].")
                self._add(self._plain, name, value, False)
                continue
            filter_name, index = match[1], match[2]
            if filter_name in reasons:
                if value.strip():
                    raise RefusedError(
                        f"Filter '{filter_name}' is not available. {reasons[filter_name]}"
                    )
            elif filter_name not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise RefusedError(
                    f"Unknown filter '{_short(filter_name)}'. This resource takes: {listed}."
                )
            else:
                self._add(self._filters, filter_name, value, index is not None)

    @staticmethod
    def _add(given: dict[str, list[str]], name: str, value: str, is_list: bool) -> None:
        cleaned = value.strip()
        if not cleaned:
            return
        values = given.setdefault(name, [])
        if values and not is_list and name != "key":
            raise RefusedError(
                f"Field '{_short(name)}' is given more than once. Separate several values with"
                " commas."
            )
        values.append(cleaned)

    def plain(self, name: str, longest: int = LONGEST_VALUE) -> str:
        """A parameter outside `filters`, empty when not given."""
        return self._checked(name, self._plain.get(name, []), longest)

    def text(self, name: str) -> str:
        """A filter with one value, empty when not given."""
        return self._checked(name, self._filters.get(name, []))

    def texts(self, name: str, longest: int = LONGEST_VALUE) -> list[str]:
        """A filter with several values, empty when not given."""
        values = [
            part.strip()
            for value in self._filters.get(name, [])
            for part in value.split(",")
            if part.strip()
        ]
        if len(values) > MOST_VALUES:
            raise invalid(name, f"Give at most {MOST_VALUES} values.")
        for value in values:
            self._checked(name, [value], longest)
        return list(dict.fromkeys(values))

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """A filter that takes one of a few texts, empty when not given."""
        value = self.text(name)
        if value and value not in choices:
            raise invalid(name, f"Give one of {', '.join(choices)}.")
        return value

    def flag(self, name: str) -> bool | None:
        """A filter that takes yes or no, None when not given."""
        return _flag(name, self.text(name))

    def plain_flag(self, name: str) -> bool | None:
        """A parameter outside `filters` that takes yes or no, None when not given."""
        return _flag(name, self.plain(name))

    def score(self, name: str) -> float | None:
        """A filter that takes a score from 0 to 10, None when not given."""
        value = self.text(name)
        if not value:
            return None
        if not re.fullmatch(r"\d{1,2}(\.\d{1,3})?", value, re.ASCII) or float(value) > 10:
            raise invalid(name, "Give a number from 0 to 10, such as 4.")
        return float(value)

    def whole(self, name: str, default: int, highest: int) -> int:
        """A parameter outside `filters` that takes a whole number from 1."""
        value = self.plain(name)
        if not value:
            return default
        if not re.fullmatch(r"\d{1,12}", value, re.ASCII) or not 1 <= int(value) <= highest:
            raise invalid(name, f"Give a whole number from 1 to {highest}.")
        return int(value)

    def page(self) -> int:
        """The page, from 1."""
        return self.whole("page", 1, HIGHEST_PAGE)

    def limit(self) -> int:
        """How many items a page has."""
        return self.whole("limit", DEFAULT_LIMIT, HIGHEST_LIMIT)

    def source(self) -> str:
        """The source, from `filters[source]` or from the parameter `source`."""
        inside, outside = self.text("source"), self.plain("source")
        if inside and outside and inside != outside:
            raise RefusedError("Field 'source' is given more than once, with different values.")
        return inside or outside

    def moment(self, name: str) -> Moment | None:
        """A filter that takes a day or a moment, None when not given."""
        value = self.text(name)
        return None if not value else Moment.read(name, value)

    @staticmethod
    def _checked(name: str, values: Sequence[str], longest: int = LONGEST_VALUE) -> str:
        if len(values) > 1:
            raise RefusedError(f"Field '{_short(name)}' takes one value.")
        value = values[0] if values else ""
        if len(value) > longest:
            raise invalid(name, f"It is longer than {longest} characters.")
        return value


def _flag(name: str, value: str) -> bool | None:
    if not value:
        return None
    if value.lower() not in FLAGS:
        raise invalid(name, "Give 1 or 0.")
    return FLAGS[value.lower()]


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:40] + "…"


@dataclass(frozen=True)
class Moment:
    """A bound of a period, on the clock of each conversation's own project.

    Attributes:
        at: the moment; midnight when a day was given.
        is_day: whether a day was given, which counts from its start to its end.
    """

    at: datetime
    is_day: bool

    @classmethod
    def read(cls, name: str, value: str) -> Moment:
        """A moment out of `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`.

        Raises:
            RefusedError: it is neither, or no such day or time exists.
        """
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
                day = date.fromisoformat(value)
                moment = cls(datetime.combine(day, time()), is_day=True)
            elif re.fullmatch(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}", value, re.ASCII):
                moment = cls(datetime.fromisoformat(value), is_day=False)
            else:
                raise ValueError
            # Room to move by a few months and days in both directions.
            if not 1000 <= moment.at.year <= 9000:
                raise ValueError
        except ValueError:
            raise invalid(
                name, "Give a day such as 2026-11-02 or a moment such as 2026-11-02 14:30:00."
            ) from None
        return moment

    def months_later(self, months: int) -> Moment:
        """The same day and time some months later; the last day of a month that is too short."""
        count = self.at.year * 12 + self.at.month - 1 + months
        year, month = count // 12, count % 12 + 1
        following = date(year + month // 12, month % 12 + 1, 1)
        last_day = (following - timedelta(days=1)).day
        moved = self.at.replace(year=year, month=month, day=min(self.at.day, last_day))
        return Moment(moved, self.is_day)

    @property
    def end(self) -> datetime:
        """The first second after it."""
        return self.at + (timedelta(days=1) if self.is_day else timedelta(seconds=1))


@dataclass(frozen=True)
class Period:
    """What lies from one moment to another, both included, on each project's own clock.

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
        values["period_ceiling"] = self.last.end + timedelta(days=1)
        return Condition(f"{utc} >= $period_floor and {utc} < $period_ceiling", values)

    def condition(self, utc: str, day: str, zone: str) -> Condition:
        """The period as a condition.

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
                values["period_end"] = self.last.end
                parts.append(
                    f"({day} < $period_last_day"
                    f" or ({day} = $period_last_day and {local} < $period_end))"
                )
        return Condition(" and ".join(parts), values)


def period(
    parameters: Parameters, published_at: datetime, *, longest_months: int | None = PERIOD_MONTHS
) -> Period:
    """The period that is asked for, by the platform's rule.

    Neither end: the last three months. One end: the three months after or before it.

    Args:
        parameters: with the filters `from` and `to`.
        published_at: what "last" is counted from, so that an answer belongs to one version.
        longest_months: how long it may be; any length when None.

    Raises:
        RefusedError: it is longer, ends before it starts, or a bound cannot be read.
    """
    first, last = parameters.moment("from"), parameters.moment("to")
    if first is None and last is None:
        today = Moment(datetime.combine(published_at.date(), time()), is_day=True)
        return Period(today.months_later(-PERIOD_MONTHS), None)
    if first is None and last is not None:
        return Period(last.months_later(-PERIOD_MONTHS), last)
    if first is not None and last is None:
        return Period(first, first.months_later(PERIOD_MONTHS))
    assert first is not None
    assert last is not None
    if last.end <= first.at:
        raise invalid("to", "It lies before 'from'.")
    if longest_months is not None and last.at > first.months_later(longest_months).at:
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
