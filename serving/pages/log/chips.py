"""The filters that are at work: what each is called, and the log without it.

Belongs here: their words, and which of them leaves nothing. Does not belong here: the form
(`form`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from serving import filters, i18n, labels
from serving.filters import Filter
from serving.filters.declaring import NOTHING
from serving.i18n import gettext, mark
from serving.pages.log.view import LABELS, View, href
from serving.queries.directory import Directory
from serving.queries.log import finds_any
from serving.snapshot import QueryTooLongError, Snapshot

MISSING = mark("none")
# Looking for the filter that leaves nothing may take this long.
HELP_SECONDS = 1.0


@dataclass(frozen=True)
class Chip:
    """A filter that is at work.

    Attributes:
        name: what it is called.
        value: what it asks for.
        without: the filter without it.
        href: the log without it.
    """

    name: str
    value: str
    without: Filter
    href: str


def chips_of(wanted: Filter, view: View, names: Directory) -> list[Chip]:
    """The filters that are at work, in the order of the address."""
    pairs = wanted.pairs()
    chips: list[Chip] = []
    for number, (name, value) in enumerate(pairs):
        if filters.BY_NAME[name].about == NOTHING:
            continue  # Said with what it is about, and the kind of row above the table.
        if name == "path" and number and pairs[number - 1][0] == "path":
            continue  # The steps of a path are one question.
        taken = ("path", "path_part") if name == "path" else ()
        left = [
            pair for place, pair in enumerate(pairs) if place != number and pair[0] not in taken
        ]
        without, _ = filters.read(left)
        steps = wanted.path if name == "path" else (value,)
        chips.append(
            Chip(
                name=_chip_name(name, wanted),
                value=" → ".join(_value_text(name, step, wanted, names) for step in steps),
                without=without,
                href=href(without, view),
            )
        )
    return chips


def _chip_name(name: str, wanted: Filter) -> str:
    if wanted.on == "closed" and name in ("from", "to"):
        return gettext("Closed from") if name == "from" else gettext("Closed to")
    if name == "path" and wanted.path_part:
        name = "path_part"
    return gettext(LABELS[name])


def _value_text(name: str, value: str, wanted: Filter, names: Directory) -> str:
    field = filters.BY_NAME[name]
    if value == filters.NONE and name not in ("q", "id"):
        return gettext(MISSING)
    if field.is_day:
        return i18n.day(date.fromisoformat(value))
    if field.texts:
        return labels.label(field.texts, value)
    kind = wanted.transfer_by if field.names == "end" else field.names
    if kind == "target":
        kind, _, value = value.partition(":")
        kind = "group" if kind == "group" else "agent"
    # With several sources asked for, an id could be of any of them.
    source = wanted.source[0] if len(wanted.source) == 1 else None
    if kind == "agent":
        return names.agent(source, value)
    if kind == "group":
        return names.group(source, value)
    if kind == "project":
        return names.project(source, value)
    return labels.label(labels.AGENT_KINDS, value) if kind == "kind" else value


def advice(snapshot: Snapshot, chips: Sequence[Chip]) -> list[Chip]:
    """The filters without which there would be something, as far as that is found out quickly."""
    end = time.monotonic() + HELP_SECONDS
    found = []
    # Text takes longest to look for, so what is asked without it comes first.
    for chip in sorted(chips, key=lambda chip: bool(chip.without.words)):
        if time.monotonic() > end:
            break
        try:
            if finds_any(snapshot, chip.without):
                found.append(chip)
        except QueryTooLongError:
            break
    return found
