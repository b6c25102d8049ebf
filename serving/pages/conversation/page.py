"""The page of a conversation, and the way to it from any id.

Belongs here: the route, and which parts of a conversation a page holds. Does not belong here: the
look-ups (`serving.queries.conversation`), the parts' words, order and drawing.

Any id is taken. The current one is shown; every other leads there by a redirect that no browser
keeps, because what an id leads to can change with the next load or a change of the link policy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from serving import addresses, labels
from serving.pages.conversation import timeline
from serving.pages.conversation.stream import stream
from serving.pages.conversation.view import View
from serving.queries import conversation as queries
from serving.queries.directory import directory
from serving.queries.ids import Key, Match, former_ids, resolve
from serving.snapshot import Row, Snapshot
from serving.web import current_snapshot, page, take_any_text

router = APIRouter()
take_any_text("any_text")

PAGE_MESSAGES = 500
PAGE_CHARACTERS = 4_000_000
# Up to so many messages are read with their texts at once; the system's are not in the count.
SURELY_ONE_PAGE = 300


@router.get("/conversations/{id:any_text}", name="conversation")
def detail(
    request: Request,
    id: str,
    snapshot: Annotated[Snapshot, Depends(current_snapshot)],
    source: str = "",
    after: str = "",
) -> Response:
    """The page of a conversation, or the way to it."""
    if not id.strip():
        return RedirectResponse(addresses.LOG, status_code=307)
    source = source.strip()
    matches = resolve(snapshot, id, source)
    if not matches and id != id.strip():
        return _redirect(request, addresses.conversation(id.strip()))
    if not matches:
        return _unknown(request, snapshot, id, source)
    if len(matches) > 1:
        return _choice(request, snapshot, id, matches)
    match = matches[0]
    if match.kind != "conversation" or source:
        return _redirect(request, _place(snapshot, match))
    return _conversation(request, snapshot, match.key, _number(after))


def _redirect(request: Request, place: str) -> Response:
    """To a place of this server, with the language and whatever else was asked for."""
    path, _, rest = place.partition("?")
    query, _, fragment = rest.partition("#")
    if not rest:
        path, _, fragment = place.partition("#")
    kept = [
        pair for pair in request.query_params.multi_items() if pair[0] not in ("source", "after")
    ]
    query = "&".join(part for part in (query, urlencode(kept)) if part)
    target = path + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    return RedirectResponse(target, status_code=307, headers={"Cache-Control": "private, no-cache"})


def _place(snapshot: Snapshot, match: Match) -> str:
    """The current address of an id: for a contact, its place on the page."""
    found = addresses.conversation(match.key.conversation_id)
    if match.kind != "contact":
        return found
    first = snapshot.row(
        "select min(message_no) filter (contact_id = $id) as first, max(message_no) as last"
        " from marts.messages"
        " where conversation_started_at = $started_at and conversation_id = $conversation_id",
        {"id": match.id, **match.key.values},
    )
    if first and first["first"] and first["last"] > PAGE_MESSAGES:
        found += f"?after={first['first'] - 1}"
    return f"{found}#{addresses.contact_anchor(match.id)}"


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0


def _unknown(request: Request, snapshot: Snapshot, id: str, source: str) -> Response:
    elsewhere = resolve(snapshot, id) if source else []
    return page(
        request,
        "conversation_unknown.html",
        status=404,
        section="log",
        id=id,
        source=source,
        elsewhere=elsewhere,
        address=addresses.conversation,
        by_words=_log(q=f'"{id}"'),
        by_visitor=_log(visitor=id),
    )


def _choice(request: Request, snapshot: Snapshot, id: str, matches: Sequence[Match]) -> Response:
    names = directory(snapshot)
    choices = [
        {
            "match": match,
            "row": (row := queries.conversation(snapshot, match.key)),
            "project": names.project(row["source"], row["project_id"]),
            "address": addresses.conversation(id, match.source),
        }
        for match in matches
    ]
    return page(
        request,
        "conversation_choice.html",
        status=300,
        section="log",
        id=id,
        choices=choices,
        labels=labels,
    )


def _conversation(request: Request, snapshot: Snapshot, key: Key, after: int) -> Response:
    row = queries.conversation(snapshot, key)
    names = directory(snapshot)
    contacts = queries.contacts(snapshot, key)
    transfers = queries.transfers(snapshot, key) if row["transfer_request_count"] else []
    ratings = queries.ratings(snapshot, key)
    transactions = queries.transactions(snapshot, key)
    if row["messages_sent_count"] + row["messages_received_count"] <= SURELY_ONE_PAGE and not after:
        messages = queries.messages(snapshot, key, 0, PAGE_MESSAGES, PAGE_CHARACTERS)
        times = messages
        if len(messages) == PAGE_MESSAGES or _is_cut(messages):
            times = queries.message_times(snapshot, key)
    else:
        times = queries.message_times(snapshot, key)
        after = min(after, max(len(times) - 1, 0))
        messages = queries.messages(snapshot, key, after, PAGE_MESSAGES, PAGE_CHARACTERS)
    has_several = row["contact_count"] + row["missing_contact_count"] > 1
    former = (
        former_ids(snapshot, key, row["source"], [contact["contact_id"] for contact in contacts])
        if has_several
        else []
    )
    findings = queries.findings(snapshot, key)
    view = View(names, row, contacts)
    items = list(
        stream(row["time_zone"], contacts, times, messages, after, transfers, ratings, transactions)
    )
    drawing = timeline.draw(
        contacts,
        transfers,
        times,
        ratings,
        transactions,
        _last_moment(contacts, transfers, times),
    )
    last = messages[-1]["message_no"] if messages else 0
    return page(
        request,
        "conversation.html",
        section="log",
        conversation=row,
        contacts=contacts,
        transfers=transfers,
        ratings=ratings,
        transactions=transactions,
        former=former,
        findings=findings,
        missing=[each["contact_id"] for each in findings if each["code"] == "missing_contact"],
        tags=_tags(contacts),
        drawing=drawing,
        timeline=timeline,
        stream=items,
        begun={item.row["contact_id"] for item in items if item.what == "contact"},
        view=view,
        names=names,
        labels=labels,
        address=addresses.conversation,
        anchor=addresses.contact_anchor,
        permalink=str(request.base_url).rstrip("/") + addresses.conversation(key.conversation_id),
        visitor_log=_log(visitor=row["visitor_id"], source=row["source"]),
        first=after + 1,
        last=last,
        total=len(times),
        last_page=max(len(times) - 1, 0) // PAGE_MESSAGES * PAGE_MESSAGES,
        page_messages=PAGE_MESSAGES,
        log=_log,
    )


def _is_cut(messages: Sequence[Row]) -> bool:
    """Whether the bodies may have come to the limit of a page."""
    return sum(len(row["body"] or "") for row in messages) > PAGE_CHARACTERS // 4


def _log(**filters: str | None) -> str:
    """The log, filtered; a value that is missing is not asked for."""
    return addresses.log(urlencode({name: value for name, value in filters.items() if value}))


def _last_moment(*tables: Sequence[Row]) -> datetime:
    """The last moment that anything is known to have happened, in UTC."""
    columns = ("started_at", "ended_at", "requested_at", "sent_at")
    moments: list[datetime] = [
        row[column] for rows in tables for row in rows for column in columns if row.get(column)
    ]
    return max(moments)


def _tags(contacts: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(tag for contact in contacts for tag in contact["tags"] or ()))
