"""A filter: what of its fields is asked together, and the address that carries it.

Belongs here: from an address to a filter and back, from a filter to a where clause.
Does not belong here: the fields (`fields`), sorting, paging, rendering.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from serving import parameters
from serving.filters import search as free_text
from serving.filters import transfers
from serving.filters.conditions import (
    Condition,
    has_contact,
    in_conversations,
    where,
    window_of,
)
from serving.filters.declaring import (
    CONTACT,
    CONVERSATION,
    RESPONDENT,
    TAG,
    TRANSFER,
    Field,
    fields_of,
)
from serving.filters.fields import Fields
from serving.i18n import mark
from serving.parameters import Problem


@dataclass(frozen=True, kw_only=True)
class Filter(Fields):
    """Which conversations are asked for, or which of their contacts; the default is all."""

    def pairs(self) -> list[tuple[str, str]]:
        """The names and values of the address that asks for this, in a fixed order."""
        found: list[tuple[str, str]] = []
        for field in FIELDS:
            value = getattr(self, field.attribute)
            if value == field.default or not self._says_something(field):
                continue
            values = value if isinstance(value, tuple) else (value,)
            found.extend((field.name, _written(each)) for each in values if each != "")
        return found

    def _says_something(self, field: Field) -> bool:
        """Whether what a field says more about is asked for."""
        return not field.qualifies or any(getattr(self, name) for name in field.qualifies)

    def query(self, **more: object) -> str:
        """The query string, with further names and values such as the sort order at the end."""
        extra = [(name, str(value)) for name, value in more.items() if value not in (None, "")]
        return urlencode(self.pairs() + extra)

    def conditions(self, *, windowed: bool = False) -> list[Condition]:
        """What the where clause holds, the free text left out (see `search`).

        Args:
            windowed: the looks into other marts are bounded by WINDOW, for the caller to bind.
        """
        return [*self.conversation_conditions(windowed=windowed), *self._contacts(windowed)]

    def conversation_conditions(self, *, windowed: bool = False) -> list[Condition]:
        """What is asked of the conversation and of nothing in `contact_conditions`.

        Args:
            windowed: as in `conditions`.
        """
        return [
            *self._about(CONVERSATION),
            *self._transfer(windowed),
            *(
                transfers.went(
                    self.path, self.transfer_by, is_part=self.path_part, windowed=windowed
                )
                if self.path
                else ()
            ),
        ]

    def contact_conditions(self) -> list[Condition]:
        """What a contact itself has to meet, in a listing of contacts.

        They speak of `contacts` (an alias of marts.contacts); the conversation has to meet
        `conversation_conditions` beside them.
        """
        return [*self._about(CONTACT), *self._about(RESPONDENT), *self._about(TAG)]

    def search(self, *, windowed: bool = False) -> Condition | None:
        """The free text as a condition; None without any.

        Args:
            windowed: as in `conditions`.
        """
        return free_text.condition(self.words, windowed=windowed)

    def where(self) -> Condition:
        """All that a conversation has to meet."""
        search = self.search()
        return where([*self.conditions(), *([search] if search else [])])

    def _about(self, about: str) -> list[Condition]:
        """The conditions of the fields that speak of something."""
        return [
            field.condition(value, self)
            for field in FIELDS
            if field.about == about
            and field.condition is not None
            and (value := getattr(self, field.attribute)) != field.default
        ]

    def _contacts(self, windowed: bool) -> list[Condition]:
        """One contact has to meet all that is asked of contacts, but for agents and groups.

        A figure of the contacts report by agent counts the contacts of that agent, so with a
        contact state, a kind or a day the agent has to be the contact's own.
        """
        terms, respondents, tags = map(self._about, (CONTACT, RESPONDENT, TAG))
        if self.rows == "contacts":
            together = [[*terms, *respondents, *tags]]
        elif terms:
            together = [*([tag] for tag in tags), [*terms, *respondents]]
        else:
            together = [[term] for term in (*tags, *respondents)]
        return [has_contact(each, windowed=windowed) for each in together if each]

    def _transfer(self, windowed: bool) -> list[Condition]:
        """One transfer has to meet all that is asked of transfers."""
        terms = self._about(TRANSFER)
        if not terms:
            return []
        if not self.transfer_outcome:
            terms.append(Condition(transfers.ACCEPTED))
        joined = where(terms)
        return [
            in_conversations(
                "select (transfers.conversation_started_at, transfers.conversation_id)"
                f" from marts.transfers as transfers{''.join(joined.joins)} where {joined.sql}"
                + window_of("transfers", windowed=windowed),
                joined.values,
            )
        ]


FIELDS = fields_of(Filter)
BY_NAME = {field.name: field for field in FIELDS}
#: What an address takes, in its order.
PARAMETERS = tuple(field.parameter for field in FIELDS)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(pairs: Iterable[tuple[str, str]]) -> tuple[Filter, list[Problem]]:
    """The filter that an address asks for.

    Args:
        pairs: names and values of the query string; unknown names are not looked at.

    Returns:
        The filter made of the values that can be used, and the problems with the others.
    """
    found, problems = parameters.read(PARAMETERS, pairs, strict=False)
    values: dict[str, Any] = {}
    for field in FIELDS:
        if field.name not in found:
            continue
        value = found[field.name]
        if field.since in found and value < found[field.since]:
            remedy, first = mark("a day not before %(first)s"), {"first": found[field.since]}
            label = field.parameter.label
            problems.append(Problem(field.name, str(value), remedy, first, label=label))
        if isinstance(value, tuple) and not field.keeps_repeats:
            value = tuple(dict.fromkeys(value))
        values[field.attribute] = value
    return Filter(**values), problems
