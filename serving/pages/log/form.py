"""The form of filters.

Belongs here: which fields the form has, what each shows and offers, and what the form sends along
because none of its fields shows it. Does not belong here: the fields of a filter
(`serving.filters.fields`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serving import filters, labels
from serving.filters import Filter
from serving.filters.declaring import ANSWERS
from serving.i18n import gettext
from serving.pages.log.view import LABELS, PICKS
from serving.queries.choices import Choices
from serving.queries.directory import Directory

# What a field of the form stands for beside the picks; other filters come by links and stay as
# chips.
TEXT_FIELDS = ("q", "from", "to", "id", "visitor", "score_min", "score_max")
CHOICE_FIELDS = ("source", "channel", "language", "tag", "automation", "nps", "on", "status")
FLAG_FIELDS = (
    "answered",
    "answered_by_human",
    "transferred",
    "bounced",
    "bot_first",
    "escalated",
    "rated",
    "converted",
    "refunded",
)


def _shown_in_form(wanted: Filter, listed: Choices) -> dict[str, str]:
    """The value of each field of the form that can show what the filter asks for."""
    values: dict[str, list[str]] = {}
    for name, value in wanted.pairs():
        values.setdefault(name, []).append(value)
    shown = {}
    for name in (*TEXT_FIELDS, *CHOICE_FIELDS, *FLAG_FIELDS):
        if len(values.get(name, [])) == 1:
            shown[name] = values[name][0]
    known: Mapping[str, Sequence[tuple[str, str]]] = {
        "agent": listed.agents,
        "group": listed.groups,
        "project": listed.projects,
    }
    sources = values.get("source", [])
    for field, name in PICKS.items():
        asked = values.get(name, [])
        if len(asked) == 1 and len(sources) == 1 and (sources[0], asked[0]) in known[name]:
            shown[field] = f"{sources[0]}:{asked[0]}"
    return shown


def carried(wanted: Filter, listed: Choices) -> list[tuple[str, str]]:
    """What the form has to send along because none of its fields shows it."""
    shown = _shown_in_form(wanted, listed)
    by_pick = {name: field for field, name in PICKS.items()}
    return [
        (name, value)
        for name, value in wanted.pairs()
        if name not in shown and by_pick.get(name) not in shown
    ]


def form(wanted: Filter, names: Directory, listed: Choices) -> dict[str, Any]:
    """What the template of the form asks for: values that it shows, and what it offers."""
    shown = _shown_in_form(wanted, listed)
    sent_along = {name for name, _ in carried(wanted, listed)}

    def flags(*wanted_flags: str) -> list[tuple[str, str]]:
        return [(name, gettext(LABELS[name])) for name in wanted_flags]

    kept = {}
    for field in (*PICKS, *CHOICE_FIELDS):
        if PICKS.get(field, field) in sent_along:
            kept[field] = True
    details = set(shown) - {"q", "from", "to", *PICKS, "channel", "automation"}
    return {
        "shown": shown,
        "kept": kept,
        "open": bool(details - ({"source"} if set(shown) & set(PICKS) else set())),
        "agents": _by_source((source, id, names.agent(source, id)) for source, id in listed.agents),
        "groups": _by_source((source, id, names.group(source, id)) for source, id in listed.groups),
        "projects": _by_source(
            (source, id, names.project(source, id)) for source, id in listed.projects
        ),
        "sources": [(source, source) for source in listed.sources],
        "channels": _labelled(labels.CHANNELS, listed.channels),
        "languages": [(code, code) for code in listed.languages],
        "tags": [(tag, tag) for tag in listed.tags],
        "automation": _offered("automation"),
        "nps": _offered("nps"),
        "periods": _offered("on"),
        "yes_no": _labelled(ANSWERS, ANSWERS),
        "flags": flags(*FLAG_FIELDS),
        "statuses": _offered("status"),
    }


def _offered(name: str) -> list[tuple[str, str]]:
    """The values of a field that takes a few, and what they are called."""
    texts = filters.BY_NAME[name].texts
    return _labelled(texts, texts)


def _labelled(texts: Mapping[str, str], codes: Iterable[str]) -> list[tuple[str, str]]:
    return [(code, labels.label(texts, code)) for code in codes]


def _by_source(
    entries: Iterable[tuple[str, str, str]],
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Options of a field in groups: source, then value and label, in the order of the labels."""
    found: dict[str, list[tuple[str, str]]] = {}
    for source, id, label in entries:
        found.setdefault(source, []).append((f"{source}:{id}", label))
    return [
        (source, sorted(options, key=lambda option: (option[1].casefold(), option[0])))
        for source, options in sorted(found.items())
    ]
