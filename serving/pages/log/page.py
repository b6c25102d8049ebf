"""The page of the log, its results alone, and its count.

Belongs here: the routes, and putting the parts of the page together. Does not belong here: the
parts, making the exports.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from serving import addresses, filters, labels
from serving.export.jobs import FORMATS
from serving.filters import Filter
from serving.i18n import gettext
from serving.pages.log.chips import advice, chips_of
from serving.pages.log.form import carried, form
from serving.pages.log.table import common_zone, contact_row, conversation_row, heads
from serving.pages.log.view import PICKS, View, href, read
from serving.queries.choices import choices
from serving.queries.directory import directory
from serving.queries.excerpts import excerpts as excerpts_of
from serving.queries.ids import Key, resolve
from serving.queries.log import SIZES, find
from serving.queries.log import count as count_rows
from serving.snapshot import Snapshot
from serving.web import current_snapshot, page

router = APIRouter()


@router.get(addresses.LOG)
def log(request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]) -> Response:
    """The log, or only its results when a part of the page is asked for."""
    given = [(name, value) for name, value in request.query_params.multi_items()]
    wanted, view = read(given)
    if any(name in PICKS for name, _ in given):
        return RedirectResponse(href(wanted, view), status_code=303)
    names = directory(snapshot)
    listed = choices(snapshot)
    found = find(
        snapshot,
        wanted,
        sort=view.sort,
        order=view.order,
        size=view.size,
        after=view.after,
        before=view.before,
    )
    keys = [Key(row["conversation_id"], row["started_at"]) for row in found.rows]
    lists_contacts = wanted.rows == "contacts"
    excerpts = {} if lists_contacts else excerpts_of(snapshot, wanted.words, keys)
    chips = chips_of(wanted, view, names)
    here = href(wanted, view)
    context: dict[str, Any] = {
        "section": "log",
        "chips": chips,
        "rows": [
            contact_row(row, names)
            if lists_contacts
            else conversation_row(row, names, excerpts.get(row["conversation_id"]))
            for row in found.rows
        ],
        "lists_contacts": lists_contacts,
        "kinds_of_row": [
            (gettext(each.label), href(replace(wanted, rows=name), View(size=view.size)), name)
            for name, each in filters.ROWS.items()
        ],
        "rows_of": wanted.rows,
        "zone": common_zone(found.rows),
        "heads": heads(wanted, view),
        "next": found.next and href(wanted, view, after=found.next),
        "previous": found.previous and href(wanted, view, before=found.previous),
        "first": href(wanted, view) if found.previous else None,
        "sizes": [(size, href(wanted, replace(view, size=size))) for size in SIZES],
        "size": view.size,
        "count_href": f"{addresses.LOG}/count?{wanted.query()}",
        "carried": [*carried(wanted, listed), *view.settings().items()],
        "exports": _exports(wanted),
        "matches": _matches(snapshot, wanted),
        "advice": None if found.rows else advice(snapshot, chips),
        "is_paged": bool(view.after or view.before),
        "first_href": here,
        "empty_href": addresses.LOG,
    }
    if _is_part(request):
        # The form sends its empty fields too; the address to share is the short one.
        pushed = href(wanted, view, after=view.after, before=view.before)
        return page(request, "log_results.html", headers={"HX-Push-Url": pushed}, **context)
    return page(request, "log.html", form=form(wanted, names, listed), **context)


@router.get(f"{addresses.LOG}/count")
def count(request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]) -> Response:
    """How many conversations and contacts a filter finds: a part of the page, or a page."""
    wanted, view = read(request.query_params.multi_items())
    conversations, contacts = count_rows(snapshot, wanted)
    return page(
        request,
        "log_count_part.html" if _is_part(request) else "log_count.html",
        section="log",
        conversations=conversations,
        contacts=contacts,
        lists_contacts=wanted.rows == "contacts",
        back=href(wanted, view),
    )


def _is_part(request: Request) -> bool:
    # A browser that goes back asks for the whole page.
    headers = request.headers
    return headers.get("hx-request") == "true" and not headers.get("hx-history-restore-request")


def _exports(wanted: Filter) -> list[dict[str, Any]]:
    query = wanted.pairs()
    return [
        {
            "label": made.label,
            "links": [
                (
                    grain,
                    f"{addresses.LOG}/export?"
                    + urlencode([*query, ("format", name), ("grain", grain)]),
                )
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
    several = len({match.source for match in matches}) > 1
    return [
        {
            "id": text,
            "kind": labels.label(labels.ID_KINDS, match.kind),
            "source": match.source if several else "",
            "href": addresses.conversation(match.key.conversation_id),
            "filter_href": addresses.log(
                Filter(id=text, source=(match.source,) if several else ()).query()
            ),
        }
        for match in matches
    ]
