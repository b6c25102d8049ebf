"""`/conversations/{id}`: one conversation, every message of every respondent in order.

Belongs here: what the page shows and in which order. Does not belong here: the look-ups
(`conversation_queries`), the places of the drawing (`timeline`).

Any id is taken. The current one is shown; every other leads there by a redirect that no browser
keeps, because what an id leads to can change with the next load or a change of the link policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from serving import conversation_queries as queries
from serving import i18n, labels, timeline
from serving.conversation_queries import Directory, Key, Match
from serving.snapshot import Row, Snapshot
from serving.web import current_snapshot, page

router = APIRouter()

PAGE_MESSAGES = 500
PAGE_CHARACTERS = 4_000_000
# Up to so many messages are read with their texts at once; the system's are not in the count.
SURELY_ONE_PAGE = 300
LONGEST_SHOWN = 3000  # Characters of a message; the rest is folded.
SHOWN_OF_LONG = 1200
# What is certainly a link: nothing invisible in it, and nothing that turns the direction of text.
LINK = re.compile(r"https?://[^\s<>\"\u200b-\u200f\u202a-\u202e\u2066-\u2069]+", re.IGNORECASE)
PUNCTUATION = ".,;:!?)]}»'…"


@router.get("/conversations/{id:path}", name="conversation")
def detail(
    request: Request,
    id: str,
    snapshot: Annotated[Snapshot, Depends(current_snapshot)],
    source: str = "",
    after: str = "",
) -> Response:
    """The page of a conversation, or the way to it."""
    if not id.strip():
        return RedirectResponse("/conversations", status_code=307)
    matches = queries.resolve(snapshot, id, source)
    if not matches and id != id.strip():
        return _redirect(request, queries.address(id.strip()))
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
    found = queries.address(match.key.conversation_id)
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
    return f"{found}#{queries.contact_anchor(match.id)}"


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0


def _unknown(request: Request, snapshot: Snapshot, id: str, source: str) -> Response:
    elsewhere = queries.resolve(snapshot, id) if source else []
    return page(
        request,
        "conversation_unknown.html",
        status=404,
        section="log",
        id=id,
        source=source,
        elsewhere=elsewhere,
        address=queries.address,
        by_words="/conversations?" + urlencode({"q": f'"{id}"'}),
        by_visitor="/conversations?" + urlencode({"visitor": id}),
    )


def _choice(request: Request, snapshot: Snapshot, id: str, matches: Sequence[Match]) -> Response:
    names = queries.directory(snapshot)
    choices = [
        {
            "match": match,
            "row": (row := queries.conversation(snapshot, match.key)),
            "project": names.project(row["source"], row["project_id"]),
            "address": queries.address(id, match.source),
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
    names = queries.directory(snapshot)
    contacts = queries.contacts(snapshot, key)
    transfers = queries.transfers(snapshot, key) if row["transfer_request_count"] else []
    ratings = queries.ratings(snapshot, key)
    transactions = queries.transactions(snapshot, key) if row["transaction_count"] else []
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
        queries.former_ids(
            snapshot, key, row["source"], [contact["contact_id"] for contact in contacts]
        )
        if has_several
        else []
    )
    findings = queries.findings(snapshot, key)
    view = _View(names, row, contacts)
    stream = list(view.stream(times, messages, after, transfers, ratings, transactions))
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
        stream=stream,
        begun={item.row["contact_id"] for item in stream if item.what == "contact"},
        view=view,
        names=names,
        labels=labels,
        address=queries.address,
        anchor=queries.contact_anchor,
        permalink=str(request.base_url).rstrip("/") + queries.address(key.conversation_id),
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
    return "/conversations?" + urlencode({name: value for name, value in filters.items() if value})


def _last_moment(*tables: Sequence[Row]) -> datetime:
    """The last moment that anything is known to have happened, in UTC."""
    columns = ("started_at", "ended_at", "requested_at", "sent_at")
    moments: list[datetime] = [
        row[column] for rows in tables for row in rows for column in columns if row.get(column)
    ]
    return max(moments)


def _tags(contacts: Sequence[Row]) -> list[str]:
    every = (tag for contact in contacts for tag in (contact["tags"] or "").split(",") if tag)
    return list(dict.fromkeys(every))


@dataclass(frozen=True)
class Item:
    """One entry of the stream.

    Attributes:
        what: `day`, `contact`, `back`, `transfer`, `message`, `rating` or `transaction`.
        at: when, in UTC.
        row: the row of the mart; for `back` the contact that goes on; empty for a day.
        is_elsewhere: of a message: it belongs to another contact than the last one that began.
    """

    what: str
    at: datetime
    row: Mapping[str, Any]
    is_elsewhere: bool = False


class _View:
    """What the template asks for names and texts."""

    def __init__(self, names: Directory, conversation: Row, contacts: Sequence[Row]) -> None:
        self._names = names
        self._source: str = conversation["source"]
        self._zone: str = conversation["time_zone"]
        self._contacts = {contact["contact_id"]: contact for contact in contacts}

    def respondent(self, agent_id: str | None) -> str:
        """The name of a respondent."""
        return self._names.agent(self._source, agent_id) or i18n.gettext("Unknown respondent")

    def group(self, group_id: str | None) -> str:
        """The name of a group; empty for none."""
        return self._names.group(self._source, group_id)

    def contact_no(self, contact_id: str | None) -> int | None:
        """The number of a contact of this conversation."""
        contact = self._contacts.get(contact_id or "")
        return contact["contact_no"] if contact else None

    def target(self, transfer: Row) -> str:
        """What a transfer was addressed to, in words; empty when nothing says so."""
        if not transfer["target_id"]:
            return ""
        if transfer["target_kind"] == "group":
            return i18n.gettext("the group %(name)s") % {"name": self.group(transfer["target_id"])}
        return self.respondent(transfer["target_id"])

    def day(self, moment: datetime) -> str:
        """The day of a moment, in the project's time zone."""
        return i18n.day(i18n.local(moment, self._zone).date())

    def author(self, message: Row) -> tuple[str, str]:
        """The name of a message's author, and its kind as a tag; empty for visitor and system."""
        kind = message["author_kind"]
        if kind == "visitor":
            return i18n.gettext("Visitor"), ""
        if kind == "system":
            return i18n.gettext("System"), ""
        contact = self._contacts.get(message["contact_id"], {})
        agent_id = message["author_id"] or contact.get("agent_id")
        known = self._names.agent_kind(self._source, agent_id)
        if known is None and agent_id == contact.get("agent_id"):
            known = contact.get("agent_kind")
        shown = "bot" if kind == "bot" else known or "human"
        return self.respondent(agent_id), labels.label(labels.AGENT_KINDS, shown)

    def text(self, message: Row) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """The body as pieces of text with their link, empty for none: what shows, what is folded.

        A link is shown and never followed by the page.
        """
        body: str = message["body"] or ""
        if message["author_kind"] == "system":
            return [(labels.label(labels.SYSTEM_MESSAGES, body), "")], []
        if len(body) <= LONGEST_SHOWN:
            return _pieces(body), []
        # Not in the middle of a word, if there is a gap near.
        gap = body.rfind(" ", SHOWN_OF_LONG - 100, SHOWN_OF_LONG)
        cut = gap if gap > 0 else SHOWN_OF_LONG
        return _pieces(body[:cut]), _pieces(body[cut:])

    def stream(
        self,
        times: Sequence[Row],
        messages: Sequence[Row],
        after: int,
        transfers: Sequence[Row],
        ratings: Sequence[Row],
        transactions: Sequence[Row],
    ) -> Iterator[Item]:
        """The page's messages with all that happened between them, in order.

        Messages keep their order. What else happened stands by its time, but a contact begins
        before its first message, whatever its log says. What happened between two pages stands on
        the later one.
        """
        bodies = {message["message_no"]: message for message in messages}
        last = messages[-1]["message_no"] if messages else 0
        pending = self._events(times, transfers, ratings, transactions)
        done = 0
        current: str | None = None
        day = None

        def shown(item: Item) -> Iterator[Item]:
            nonlocal day
            local_day = i18n.local(item.at, self._zone).date()
            if local_day != day:
                day = local_day
                yield Item("day", item.at, {})
            yield item

        for message in times:
            number, contact_id = message["message_no"], message["contact_id"]
            upto = done
            for position in range(done, len(pending)):
                event = pending[position]
                if event.at > message["sent_at"]:
                    break
                starts_it = event.what == "contact" and event.row["contact_id"] == contact_id
                if event.at < message["sent_at"] or starts_it:
                    upto = position + 1
            before, done = pending[done:upto], upto
            begun = [event.row["contact_id"] for event in before if event.what == "contact"]
            current = begun[-1] if begun else current
            if after < number <= last:
                for event in before:
                    yield from shown(event)
                if number == after + 1 > 1 and not begun and contact_id in self._contacts:
                    current = contact_id
                    yield from shown(Item("back", message["sent_at"], self._contacts[contact_id]))
                # Contacts can overlap, so a message can belong to an earlier one.
                is_elsewhere = contact_id != current and contact_id in self._contacts
                body = bodies[number]
                yield from shown(Item("message", message["sent_at"], body, is_elsewhere))
        if not times or last == times[-1]["message_no"]:
            for event in pending[done:]:
                yield from shown(event)

    def _events(
        self,
        times: Sequence[Row],
        transfers: Sequence[Row],
        ratings: Sequence[Row],
        transactions: Sequence[Row],
    ) -> list[Item]:
        first: dict[str, datetime] = {}
        for message in times:
            first.setdefault(message["contact_id"], message["sent_at"])
        # At one moment: who hands over, then who takes over, then what came of it.
        ranked: list[tuple[datetime, int, Item]] = []
        for rank, what, column, rows in (
            (0, "transfer", "requested_at", transfers),
            (1, "contact", "started_at", list(self._contacts.values())),
            (2, "rating", "answered_at", ratings),
            (3, "transaction", "occurred_at", transactions),
        ):
            for row in rows:
                at = row[column]
                if what == "contact":
                    at = min(at, first.get(row["contact_id"], at))
                ranked.append((at, rank, Item(what, at, row)))
        ranked.sort(key=lambda entry: entry[:2])
        return [item for _, _, item in ranked]


def _pieces(text: str) -> list[tuple[str, str]]:
    """A text cut into pieces, each with the address that it is, if it is one."""
    found: list[tuple[str, str]] = []
    position = 0
    for match in LINK.finditer(text):
        link = match.group().rstrip(PUNCTUATION)
        if not _is_address(link):
            continue
        if match.start() > position:
            found.append((text[position : match.start()], ""))
        found.append((link, link))
        position = match.start() + len(link)
    if position < len(text):
        found.append((text[position:], ""))
    return found


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
