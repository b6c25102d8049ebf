"""How a field of a filter is declared, once for all that is made of it.

Belongs here: what a declaration says, and one short way to write each kind of field. From it come
the address (name, type, refusals), the condition in SQL, the label, the names of the values and the
choices of the form. Does not belong here: the fields (`filter`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving import parameters
from serving.filters.conditions import NONE, Condition, one_of
from serving.i18n import mark
from serving.parameters import DAY, YES_NO, Parameter, Type, choice

# What a condition speaks of. One contact has to meet all that is asked of contacts, one transfer
# all that is asked of transfers.
CONVERSATION, CONTACT, RESPONDENT, TAG, TRANSFER, PATH, MESSAGES, NOTHING = (
    "conversation",
    "contact",
    "respondent",
    "tag",
    "transfer",
    "path",
    "messages",
    "nothing",
)
ANSWERS = {"yes": mark("Yes"), "no": mark("No")}

#: Makes a condition of a value and of the filter that has it.
Builder = Callable[[Any, Any], Condition]
_KEY = "field"


@dataclass(frozen=True)
class Option:
    """A value that a field takes: what it is called, and what it stands for as SQL."""

    label: str
    sql: str = ""


@dataclass(frozen=True)
class Field:
    """A field of a filter.

    Attributes:
        parameter: its name in an address, what it takes, and what it is called.
        about: what its condition speaks of; NOTHING where it says more about another field.
        condition: of a value; None where several fields make one.
        texts: what its values are called, where they are codes.
        names: what its values are ids of: `agent`, `group`, `project`, `end` or `target`.
        since: of a last day, the name of the first.
        keeps_repeats: whether a value that comes twice is meant twice.
        qualifies: the attributes that it says more about: without them it says nothing.
        attribute: of the filter; the class itself says it.
        default: what asks for nothing.
    """

    parameter: Parameter
    about: str = CONVERSATION
    condition: Builder | None = None
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    names: str = ""
    since: str = ""
    keeps_repeats: bool = False
    qualifies: tuple[str, ...] = ()
    attribute: str = ""
    default: Any = None

    @property
    def name(self) -> str:
        """The name in an address."""
        return self.parameter.name

    @property
    def is_day(self) -> bool:
        """Whether its value is a day."""
        return self.parameter.type is DAY


def declared(default: Any, field: Field) -> Any:
    """The attribute of a dataclass that is this field."""
    return dataclasses.field(default=default, metadata={_KEY: field})


def fields_of(class_: type) -> tuple[Field, ...]:
    """The fields of a class in their order."""
    return tuple(
        dataclasses.replace(each.metadata[_KEY], attribute=each.name, default=each.default)
        for each in dataclasses.fields(class_)
    )


def one(
    name: str,
    label: str,
    options: Mapping[str, Option] | None = None,
    *,
    about: str = CONVERSATION,
    condition: Builder | None = None,
    default: str = "",
    names: str = "",
    qualifies: tuple[str, ...] = (),
) -> Any:
    """One text; one of the options where there are any, each with its own condition."""
    made = condition
    if options and about != NOTHING and made is None:

        def made(value: str, wanted: Any) -> Condition:
            return Condition(f"({options[value].sql})")

    return declared(
        default,
        Field(
            Parameter(name, choice(options) if options else parameters.TEXT, label=label),
            about,
            made,
            {value: option.label for value, option in (options or {}).items()},
            names,
            qualifies=qualifies,
        ),
    )


def several(
    name: str,
    label: str,
    column: str = "",
    *,
    about: str = CONVERSATION,
    condition: Builder | None = None,
    texts: Mapping[str, str] | None = None,
    is_closed: bool = False,
    any_case: bool = False,
    names: str = "",
    keeps_repeats: bool = False,
) -> Any:
    """Several values, of which a column has one; `-` stands for none.

    Args:
        name: in an address.
        label: what it is called.
        column: as SQL; none where `condition` says it.
        about: what the column is of.
        condition: what else the values stand for.
        texts: what the values are called.
        is_closed: whether the values with a text are all that there are.
        any_case: whether case is set aside.
        names: what the values are ids of.
        keeps_repeats: whether a value that comes twice is meant twice.
    """

    def has_one(values: tuple[str, ...], wanted: Any) -> Condition:
        return one_of(column, name, values, any_case=any_case)

    type_ = choice(texts or (), (NONE,)) if is_closed else parameters.TEXT
    return declared(
        (),
        Field(
            Parameter(name, type_, label=label, is_list=True),
            about,
            has_one if column else condition,
            texts or {},
            names,
            keeps_repeats=keeps_repeats,
        ),
    )


def flag(name: str, label: str, sql: str) -> Any:
    """Whether something is true of a conversation."""

    def holds(answer: bool, wanted: Any) -> Condition:
        return Condition(f"({sql})" if answer else f"not coalesce({sql}, false)")

    return declared(None, Field(Parameter(name, YES_NO, label=label), CONVERSATION, holds, ANSWERS))


def day(
    name: str, label: str, condition: Builder, *, about: str = CONVERSATION, since: str = ""
) -> Any:
    """A day that a period begins or ends with."""
    return declared(None, Field(Parameter(name, DAY, label=label), about, condition, since=since))


def bound(name: str, label: str, type_: Type, comparison: str) -> Any:
    """A bound of a number.

    Args:
        name: in an address, and of what is bound.
        label: what it is called.
        type_: of the number.
        comparison: a column and an operator.
    """

    def is_within(value: float, wanted: Any) -> Condition:
        return Condition(f"{comparison} ${name}", {name: value})

    return declared(None, Field(Parameter(name, type_, label=label), CONVERSATION, is_within))
