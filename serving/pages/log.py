"""The conversation log: filters, search, sorting, paging, exports.

Belongs here: the page and its parts, what the filters are called. Does not belong here: the
questions (`log_queries`), what a filter means (`filters`), making the exports.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from serving import filters, i18n, labels, log_queries
from serving.conversation_queries import Directory, Key, address, directory, resolve
from serving.export.jobs import FORMATS
from serving.filters import Filter, Problem
from serving.i18n import gettext, mark
from serving.log_queries import Choices, Cursor
from serving.snapshot import QueryTooLongError, Snapshot
from serving.web import current_snapshot, page

router = APIRouter()

PATH = "/conversations"
# A field that chooses something of one source: `<source>:<id>`, because an id is its source's.
PICKS = {"pick_agent": "agent", "pick_group": "group", "pick_project": "project"}
# What else a field of the form stands for; other filters come by links and stay as chips.
TEXT_FIELDS = ("q", "from", "to", "id", "visitor", "score_min", "score_max")
CHOICE_FIELDS = ("source", "channel", "language", "tag", "automation", "nps", "on")
MOST_AGENTS_SHOWN = 5
# Looking for the filter that leaves nothing may take this long.
HELP_SECONDS = 1.0

NAMES = {
    "from": mark("First day"),
    "to": mark("Last day"),
    "on": mark("Period of"),
    "source": mark("Source"),
    "project": mark("Project"),
    "channel": mark("Channel"),
    "language": mark("Language of the conversation"),
    "automation": mark("Automation"),
    "visitor": mark("Visitor"),
    "answered": mark("Answered"),
    "answered_by_human": mark("Answered by a human"),
    "transferred": mark("Transferred"),
    "bounced": mark("Came back to an agent"),
    "bot_first": mark("Begun by a bot"),
    "escalated": mark("Escalated from a bot"),
    "closed": mark("Already closed"),
    "rated": mark("With a CSAT score"),
    "converted": mark("With a transaction"),
    "agent": mark("Agent"),
    "group": mark("Group"),
    "tag": mark("Tag"),
    "score_min": mark("CSAT from"),
    "score_max": mark("CSAT to"),
    "nps": mark("NPS"),
    "id": mark("Conversation or contact id"),
    "q": mark("Text"),
    "contact_from": mark("A contact from"),
    "contact_to": mark("A contact to"),
    "contact": mark("A contact"),
    "contact_kind": mark("A contact with"),
    "contact_project": mark("A contact's project"),
    "contact_channel": mark("A contact's channel"),
    "transfer_by": mark("Transfer between"),
    "transfer_from": mark("Transfer from"),
    "transfer_to": mark("Transfer to"),
    "transfer_first_day": mark("Transfer asked for from"),
    "transfer_last_day": mark("Transfer asked for to"),
    "transfer_outcome": mark("Transfer"),
    "transfer_kind": mark("Kind of transfer"),
    "transfer_target": mark("Transfer addressed to"),
    "path": mark("Path"),
    "path_part": mark("Part of a path"),
    "after": mark("Page"),
    "before": mark("Page"),
    "sort": mark("Sort"),
    "order": mark("Order"),
    "size": mark("Rows per page"),
}
STATES = {
    "any": mark("any"),
    "answered": mark("answered"),
    "unanswered": mark("unanswered"),
    "open": mark("open"),
    "transferred_in": mark("transferred in"),
    "transferred_out": mark("transferred out"),
    "snoozed": mark("snoozed"),
    "closed": mark("closed"),
    "timed_out": mark("timed out"),
    "rated": mark("rated"),
    "satisfied": mark("rated 4 or 5"),
    "converted": mark("with a transaction"),
}
NPS = {
    "promoter": mark("Promoters (9–10)"),
    "passive": mark("Passives (7–8)"),
    "detractor": mark("Detractors (0–6)"),
    "any": mark("Any answer"),
}
AUTHORS = {
    "visitor": mark("Visitor"),
    "agent": mark("Agent"),
    "bot": mark("Bot"),
    "system": mark("System"),
}
DAYS = (
    "from",
    "to",
    "contact_from",
    "contact_to",
    "transfer_first_day",
    "transfer_last_day",
)
YES_NO = {"yes": mark("Yes"), "no": mark("No")}
PERIODS = {"opened": mark("Opening"), "closed": mark("Closing")}
MISSING = mark("none")
COLUMNS = (
    ("opened", mark("Opened")),
    (None, mark("Conversation")),
    ("closed", mark("Closed")),
    (None, mark("Visitor")),
    (None, mark("Channel")),
    (None, mark("Agents in order")),
    ("contacts", mark("Contacts")),
    ("transfers", mark("Transfers")),
    (None, mark("Automation")),
    ("csat", mark("CSAT")),
    ("amount", mark("Amount")),
    ("duration", mark("Resolution")),
)
REMEDIES = {
    "at most 200 characters": mark("at most 200 characters"),
    "at most 100 values": mark("at most 100 values"),
    "a day such as 2026-11-02": mark("a day such as 2026-11-02"),
    "a number such as 4": mark("a number such as 4"),
    "one of ": mark("one of"),
    "a day not before ": mark("a day not before"),
}
LINK_OF_THE_LOG = mark("a link of the log itself; the first page is shown")


@dataclass(frozen=True)
class View:
    """How the log is looked at.

    Attributes:
        sort: a name in log_queries.SORTS.
        order: `asc` or `desc`.
        size: rows per page.
        after, before: where the page begins or ends; the first page without both.
    """

    sort: str = "opened"
    order: str = "desc"
    size: int = log_queries.SIZES[0]
    after: Cursor | None = None
    before: Cursor | None = None

    def settings(self) -> dict[str, str]:
        """What an address carries of it besides the place; what is the default is left out."""
        found = {}
        if self.sort != "opened" or self.order != "desc":
            found["sort"] = self.sort
        if self.order != "desc":
            found["order"] = self.order
        if self.size != log_queries.SIZES[0]:
            found["size"] = str(self.size)
        return found


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


@router.get(PATH)
def log(request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]) -> Response:
    """The log, or only its results when a part of the page is asked for."""
    given = [(name, value) for name, value in request.query_params.multi_items()]
    wanted, view, problems = _read(given)
    if any(name in PICKS for name, _ in given):
        return RedirectResponse(_href(wanted, view), status_code=303)
    names = directory(snapshot)
    listed = log_queries.choices(snapshot)
    found = log_queries.find(
        snapshot,
        wanted,
        sort=view.sort,
        order=view.order,
        size=view.size,
        after=view.after,
        before=view.before,
    )
    keys = [Key(row["conversation_id"], row["started_at"]) for row in found.rows]
    excerpts = log_queries.excerpts(snapshot, wanted.words, keys)
    chips = _chips(wanted, view, names)
    here = _href(wanted, view)
    context: dict[str, Any] = {
        "section": "log",
        "problems": [_problem(problem) for problem in problems],
        "chips": chips,
        "rows": [_row(row, names, excerpts.get(row["conversation_id"])) for row in found.rows],
        "zone": _common_zone(found.rows),
        "heads": _heads(wanted, view),
        "next": found.next and _href(wanted, view, after=found.next),
        "previous": found.previous and _href(wanted, view, before=found.previous),
        "first": _href(wanted, view) if found.previous else None,
        "sizes": [(size, _href(wanted, replace(view, size=size))) for size in log_queries.SIZES],
        "size": view.size,
        "count_href": f"{PATH}/count?{wanted.query()}",
        "carried": [*_carried(wanted, names), *view.settings().items()],
        "exports": _exports(wanted),
        "matches": _matches(snapshot, wanted),
        "advice": None if found.rows else _advice(snapshot, chips),
        "is_paged": bool(view.after or view.before),
        "first_href": here,
        "empty_href": PATH,
    }
    if _is_part(request):
        # The form sends its empty fields too; the address to share is the short one.
        pushed = _href(wanted, view, after=view.after, before=view.before)
        return page(request, "log_results.html", headers={"HX-Push-Url": pushed}, **context)
    return page(request, "log.html", form=_form(wanted, names, listed), **context)


@router.get(f"{PATH}/count")
def count(request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]) -> Response:
    """How many conversations and contacts a filter finds: a part of the page, or a page."""
    wanted, view, _ = _read(request.query_params.multi_items())
    conversations, contacts = log_queries.count(snapshot, wanted)
    return page(
        request,
        "log_count_part.html" if _is_part(request) else "log_count.html",
        section="log",
        conversations=conversations,
        contacts=contacts,
        back=_href(wanted, view),
    )


def _is_part(request: Request) -> bool:
    # A browser that goes back asks for the whole page.
    headers = request.headers
    return headers.get("hx-request") == "true" and not headers.get("hx-history-restore-request")


def _href(wanted: Filter, view: View, **places: Cursor | None) -> str:
    texts = {name: place.to_text() for name, place in places.items() if place}
    query = wanted.query(**view.settings(), **texts)
    return f"{PATH}?{query}" if query else PATH


def _read(given: Sequence[tuple[str, str]]) -> tuple[Filter, View, list[Problem]]:
    wanted, problems = filters.read(given)
    wanted = _with_picks(wanted, given)
    last = dict(given)
    values = {}
    for name, known, default in (
        ("sort", tuple(log_queries.SORTS), "opened"),
        ("order", log_queries.ORDERS, "desc"),
        ("size", tuple(map(str, log_queries.SIZES)), str(log_queries.SIZES[0])),
    ):
        value = last.get(name) or default
        if value not in known:
            problems.append(Problem(name, value[:40], "one of " + ", ".join(known)))
            value = default
        values[name] = value
    view = View(values["sort"], values["order"], int(values["size"]))
    for name in ("after", "before"):
        text = last.get(name)
        if text and (place := Cursor.read(text, view.sort, view.order)):
            after, before = (place, None) if name == "after" else (None, place)
            return wanted, replace(view, after=after, before=before), problems
        if text:
            problems.append(Problem(name, text[:12] + "…", LINK_OF_THE_LOG))
    return wanted, view, problems


def _with_picks(wanted: Filter, given: Sequence[tuple[str, str]]) -> Filter:
    columns = {name: list(values) for name, values in wanted.columns.items()}
    agents, groups = list(wanted.agents), list(wanted.groups)
    for name, value in given:
        if name not in PICKS or ":" not in value or len(value) > filters.LONGEST_VALUE:
            continue
        source, _, picked = value.partition(":")
        columns["source"] = [source]
        {"agent": agents, "group": groups, "project": columns.setdefault("project", [])}[
            PICKS[name]
        ].append(picked)
    return replace(
        wanted,
        columns={name: tuple(dict.fromkeys(values)) for name, values in columns.items() if values},
        agents=tuple(dict.fromkeys(agents)),
        groups=tuple(dict.fromkeys(groups)),
    )


def _problem(problem: Problem) -> dict[str, str]:
    remedy = gettext(problem.remedy)
    for english in REMEDIES:
        if problem.remedy.startswith(english):
            rest = problem.remedy.removeprefix(english)
            remedy = f"{gettext(REMEDIES[english])} {rest}".strip()
    name = gettext(NAMES.get(problem.name, problem.name))
    return {"name": name, "value": problem.value, "remedy": remedy}


def _chips(wanted: Filter, view: View, names: Directory) -> list[Chip]:
    pairs = wanted.pairs()
    chips = []
    for number, (name, value) in enumerate(pairs):
        if name in ("on", "transfer_by", "path_part"):
            continue  # Said with what they are about.
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
                href=_href(without, view),
            )
        )
    return chips


def _chip_name(name: str, wanted: Filter) -> str:
    if wanted.on == "closed" and name in ("from", "to"):
        return gettext("Closed from") if name == "from" else gettext("Closed to")
    if name == "path" and wanted.path_part:
        name = "path_part"
    return gettext(NAMES[name])


def _value_text(name: str, value: str, wanted: Filter, names: Directory) -> str:
    if value == filters.NONE and name not in ("q", "id"):
        return gettext(MISSING)
    if name in DAYS:
        return i18n.day(date.fromisoformat(value))
    if name in filters.FLAGS:
        return gettext(YES_NO[value])
    texts: Mapping[str, Mapping[str, str]] = {
        "automation": labels.AUTOMATION,
        "channel": labels.CHANNELS,
        "contact_channel": labels.CHANNELS,
        "contact_kind": labels.AGENT_KINDS,
        "contact": STATES,
        "nps": NPS,
        "transfer_outcome": labels.OUTCOMES,
        "transfer_kind": labels.TRANSFER_KINDS,
    }
    if name in texts:
        return labels.label(texts[name], value)
    sources = wanted.columns.get("source", ())
    source = sources[0] if len(sources) == 1 else None
    kind = wanted.transfer_by if name in ("transfer_from", "transfer_to", "path") else name
    if name == "transfer_target":
        kind, _, value = value.partition(":")
        kind = "group" if kind == "group" else "agent"
    if kind == "agent":
        return names.agent(source, value)
    if kind == "group":
        return names.group(source, value)
    if kind in ("project", "contact_project"):
        return names.project(source, value)
    return labels.label(labels.AGENT_KINDS, value) if kind == "kind" else value


def _shown_in_form(wanted: Filter, names: Directory) -> dict[str, str]:
    """The value of each field of the form that can show what the filter asks for."""
    values: dict[str, list[str]] = {}
    for name, value in wanted.pairs():
        values.setdefault(name, []).append(value)
    shown = {}
    for name in (*TEXT_FIELDS, *CHOICE_FIELDS, *filters.FLAGS):
        if len(values.get(name, [])) == 1:
            shown[name] = values[name][0]
    known: Mapping[str, Iterable[tuple[str, str]]] = {
        "agent": names.agents,
        "group": names.groups,
        "project": names.projects,
    }
    sources = values.get("source", [])
    for field, name in PICKS.items():
        asked = values.get(name, [])
        if len(asked) == 1 and len(sources) == 1 and (sources[0], asked[0]) in known[name]:
            shown[field] = f"{sources[0]}:{asked[0]}"
    return shown


def _carried(wanted: Filter, names: Directory) -> list[tuple[str, str]]:
    """What the form has to send along because none of its fields shows it."""
    shown = _shown_in_form(wanted, names)
    by_pick = {name: field for field, name in PICKS.items()}
    return [
        (name, value)
        for name, value in wanted.pairs()
        if name not in shown and by_pick.get(name) not in shown
    ]


def _form(wanted: Filter, names: Directory, listed: Choices) -> dict[str, Any]:
    shown = _shown_in_form(wanted, names)
    carried = {name for name, _ in _carried(wanted, names)}

    def flags(*wanted_flags: str) -> list[tuple[str, str]]:
        return [(name, gettext(NAMES[name])) for name in wanted_flags]

    kept = {}
    for field in (*PICKS, *CHOICE_FIELDS):
        if PICKS.get(field, field) in carried:
            kept[field] = True
    details = set(shown) - {"q", "from", "to", *PICKS, "channel", "automation"}
    return {
        "shown": shown,
        "kept": kept,
        "open": bool(details - ({"source"} if set(shown) & set(PICKS) else set())),
        "agents": _by_source(
            ((source, id, names.agent(source, id)) for source, id in names.agents)
        ),
        "groups": _by_source((source, id, name) for (source, id), name in names.groups.items()),
        "projects": _by_source(
            ((source, id, names.project(source, id)) for source, id in names.projects)
        ),
        "sources": [(source, source) for source in listed.sources],
        "channels": _labelled(labels.CHANNELS, listed.channels),
        "languages": [(code, code) for code in listed.languages],
        "tags": [(tag, tag) for tag in listed.tags],
        "automation": _labelled(labels.AUTOMATION, filters.AUTOMATION_LEVELS),
        "nps": _labelled(NPS, filters.NPS_CLASSES),
        "periods": _labelled(PERIODS, filters.PERIODS),
        "yes_no": _labelled(YES_NO, filters.YES_NO),
        "flags": flags(*filters.FLAGS),
    }


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


def _heads(wanted: Filter, view: View) -> list[dict[str, Any]]:
    made = []
    for sort, label in COLUMNS:
        header: dict[str, Any] = {"label": gettext(label), "sort": sort, "state": None}
        if sort:
            is_current = sort == view.sort
            # The first click shows what is most or newest; another one turns it round.
            order = "asc" if is_current and view.order == "desc" else "desc"
            header["href"] = _href(wanted, View(sort, order, view.size))
            if is_current:
                header["state"] = "descending" if view.order == "desc" else "ascending"
        header["number"] = sort in ("contacts", "transfers", "csat", "amount", "duration")
        made.append(header)
    return made


def _row(
    row: Mapping[str, Any], names: Directory, excerpt: log_queries.Excerpt | None
) -> dict[str, Any]:
    source, path = row["source"], row["agent_path"] or []
    return {
        **row,
        "href": address(row["conversation_id"]),
        "id_parts": re.findall(r"[^:]*:|[^:]+", row["conversation_id"]),
        "channel": labels.label(labels.CHANNELS, row["channel"]),
        "automation": labels.label(labels.AUTOMATION, row["automation_level"]),
        "agents": [
            {
                "name": names.agent(source, agent) or gettext("nobody"),
                "is_bot": names.agent_kind(source, agent) == "bot",
            }
            for agent in path[:MOST_AGENTS_SHOWN]
        ],
        "more_agents": max(len(path) - MOST_AGENTS_SHOWN, 0),
        "excerpt": excerpt,
        "author": excerpt and labels.label(AUTHORS, excerpt.author_kind),
    }


def _common_zone(rows: Sequence[Mapping[str, Any]]) -> str | None:
    zones = {row["time_zone"] for row in rows}
    return next(iter(zones)) if len(zones) == 1 else None


def _exports(wanted: Filter) -> list[dict[str, Any]]:
    query = wanted.pairs()
    return [
        {
            "label": made.label,
            "links": [
                (grain, f"{PATH}/export?" + urlencode([*query, ("format", name), ("grain", grain)]))
                for grain in ("conversation", "contact", "both")
            ],
        }
        for name, made in FORMATS.items()
    ]


def _matches(snapshot: Snapshot, wanted: Filter) -> list[dict[str, str]]:
    """Conversations that the text is an id of: who pastes an id looks for that."""
    text = wanted.words.strip()
    if not text or any(character.isspace() for character in text):
        return []
    matches = resolve(snapshot, text)
    if not matches:
        return []
    return [
        {
            "id": text,
            "kind": labels.label(labels.ID_KINDS, match.kind),
            "href": address(match.key.conversation_id),
            "filter_href": f"{PATH}?{urlencode([('id', text)])}",
        }
        for match in matches[:3]
    ]


def _advice(snapshot: Snapshot, chips: Sequence[Chip]) -> list[Chip]:
    """The filters without which there would be something, as far as that is found out quickly."""
    end = time.monotonic() + HELP_SECONDS
    found = []
    # Text takes longest to look for, so what is asked without it comes first.
    for chip in sorted(chips, key=lambda chip: bool(chip.without.words)):
        if time.monotonic() > end:
            break
        try:
            if log_queries.finds_any(snapshot, chip.without):
                found.append(chip)
        except QueryTooLongError:
            break
    return found
