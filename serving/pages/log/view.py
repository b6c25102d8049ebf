"""What the address of the log says.

Belongs here: its parameters, reading and writing it. Does not belong here: what a filter means
(`serving.filters`), what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from serving import addresses, filters, parameters
from serving.filters import Filter
from serving.i18n import mark
from serving.parameters import (
    TEXT,
    NotUnderstoodError,
    Parameter,
    Problem,
    Type,
    UnreadableError,
    choice,
    short,
    text,
)
from serving.queries.cursors import LONGEST_CURSOR, Cursor
from serving.queries.log import LISTINGS, ORDERS, SIZES

# A field that chooses something of one source: `<source>:<id>`, because an id is its source's.
PICKS = {"pick_agent": "agent", "pick_group": "group", "pick_project": "project"}


def _picked(value: str) -> str:
    if ":" not in value:
        raise UnreadableError(mark("a source, a colon and an id"))
    return str(TEXT.read(value))


_PICK = Type(_picked, TEXT.schema)
# How the log is looked at, beside what is looked for.
VIEW = (
    Parameter(
        "sort",
        choice(dict.fromkeys(name for each in LISTINGS.values() for name in each.sorts)),
        label=mark("Sort"),
    ),
    Parameter("order", choice(ORDERS), label=mark("Order")),
    Parameter("size", choice(map(str, SIZES)), label=mark("Rows per page")),
    Parameter("after", text(LONGEST_CURSOR), label=mark("Page")),
    Parameter("before", text(LONGEST_CURSOR), label=mark("Page")),
)
PARAMETERS = (
    *filters.PARAMETERS,
    *(Parameter(name, _PICK, is_list=True) for name in PICKS),
    *VIEW,
)
LABELS = {row.name: row.label for row in PARAMETERS}
LINK_OF_THE_LOG = mark("what a link of the log itself has")


@dataclass(frozen=True)
class View:
    """How the log is looked at.

    Attributes:
        sort: a name in the sorts of what is listed.
        order: `asc` or `desc`.
        size: rows per page.
        after, before: where the page begins or ends; the first page without both.
    """

    sort: str = "opened"
    order: str = "desc"
    size: int = SIZES[0]
    after: Cursor | None = None
    before: Cursor | None = None

    def settings(self) -> dict[str, str]:
        """What an address carries of it besides the place; what is the default is left out."""
        found = {}
        if self.sort != "opened" or self.order != "desc":
            found["sort"] = self.sort
        if self.order != "desc":
            found["order"] = self.order
        if self.size != SIZES[0]:
            found["size"] = str(self.size)
        return found


def href(wanted: Filter, view: View, **places: Cursor | None) -> str:
    """The address of the log: what is looked for, how, and from which place on."""
    texts = {name: place.to_text() for name, place in places.items() if place}
    query = wanted.query(**view.settings(), **texts)
    return addresses.log(query)


def read(given: Sequence[tuple[str, str]]) -> tuple[Filter, View]:
    """What an address of the log asks for, and how it wants it.

    Raises:
        NotUnderstoodError: it asks for what cannot be.
    """
    wanted, problems = filters.read(given)
    values, more = parameters.read(VIEW, given, strict=False)
    problems += more
    sorts = LISTINGS[wanted.rows].sorts
    if values.get("sort", "opened") not in sorts:
        remedy, known = mark("one of %(choices)s"), {"choices": ", ".join(sorts)}
        problems.append(Problem("sort", values.pop("sort"), remedy, known, label=LABELS["sort"]))
    view = View(
        values.get("sort", "opened"),
        values.get("order", "desc"),
        int(values.get("size", SIZES[0])),
    )
    for name in ("after", "before"):
        if name not in values:
            continue
        place = Cursor.read(values[name], view.sort, view.order)
        if place is None:
            problems.append(Problem(name, short(values[name]), LINK_OF_THE_LOG, label=LABELS[name]))
        elif view.after is None:
            after, before = (place, None) if name == "after" else (None, place)
            view = replace(view, after=after, before=before)
    if problems:
        raise NotUnderstoodError(problems)
    return _with_picks(wanted, given), view


def _with_picks(wanted: Filter, given: Sequence[tuple[str, str]]) -> Filter:
    changed: dict[str, Any] = {}
    for name, value in given:
        if name not in PICKS or not value.strip():
            continue
        source, _, picked = value.strip().partition(":")
        attribute = filters.BY_NAME[PICKS[name]].attribute
        earlier = changed.get(attribute, getattr(wanted, attribute))
        changed[attribute] = tuple(dict.fromkeys((*earlier, picked)))
        changed["source"] = (source,)
    return replace(wanted, **changed) if changed else wanted
