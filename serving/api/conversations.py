"""The conversation resource: the list, and one conversation by any of its ids.

Belongs here: which conversations the platform's filters select, the order and the pages.
Does not belong here: the document, reading values, HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serving import conversation_queries
from serving.api.document import Document, documents, link
from serving.api.envelope import RefusedError
from serving.api.parameters import (
    Field,
    Parameters,
    choice_field,
    like_pattern,
    matches,
    period,
    text_field,
)
from serving.conversation_queries import Key, Match
from serving.filters import AUTOMATION_LEVELS, ID_HASH, Condition, where
from serving.snapshot import Snapshot

_DAY = {"type": "string", "maxLength": 19}
_FLAG = {"type": "string", "enum": ["1", "0", "true", "false", "yes", "no"]}
_SCORE = {"type": "number", "minimum": 0, "maximum": 10}

SOURCE_FIELD = text_field("source", "The source, where the same id exists in several.", "acme")
FILTERS = (
    Field(
        "from",
        "Opened on or after this day or moment, on the clock of the conversation's project.",
        _DAY,
        "2026-09-01",
    ),
    Field(
        "to",
        "Opened on or before this day or moment, on the clock of the conversation's project.",
        _DAY,
        "2026-11-30 18:00:00",
    ),
    text_field("website_id", "Projects, several with commas.", "101,102"),
    text_field("operator_id", "Operators, one of whom took part.", "12"),
    text_field("visitor_id", "Visitors.", "9bfb632558e3"),
    text_field(
        "channel",
        "Channels, several with commas. `social` is every channel but chat, call and video.",
        "chat",
    ),
    text_field("tag_id", "Tags, one of which a contact carries.", "returns"),
    text_field(
        "conversation_id",
        "Any id of the conversation: current, former, or of one of its contacts.",
        "310001",
    ),
    choice_field(
        "automation_level", "How far bots dealt with it, several with commas.", AUTOMATION_LEVELS
    ),
    Field("transferred", "Whether a transfer was accepted in it.", _FLAG, "1"),
    Field("answered", "Whether an operator answered.", _FLAG, "1"),
    Field("min_score", "The lowest satisfaction score.", _SCORE, "1"),
    Field("max_score", "The highest satisfaction score.", _SCORE, "5"),
    SOURCE_FIELD,
)
UNAVAILABLE = {
    "skill_id": "The logs of this warehouse hold no skills.",
    "rule_id": "The logs of this warehouse hold no targeting rules.",
    "page_type": "The logs of this warehouse hold no page types.",
}
ONSITE_CHANNELS = ("chat", "call", "video")


def each(snapshot: Snapshot, ids: Sequence[tuple[str, str]]) -> list[Document | RefusedError]:
    """The conversations that some ids lead to, at the cost of little more than one.

    Args:
        snapshot: where to look.
        ids: an id of a conversation of any time or of a contact, verbatim, and the source within
            which it is meant; within all when empty.

    Returns:
        Of each id the document, or why there is none: it is unknown, or leads to several
        conversations.
    """
    found = [
        _only(id, matches)
        for (id, _), matches in zip(
            ids, conversation_queries.resolve_many(snapshot, ids), strict=True
        )
    ]
    keys = list({key.conversation_id: key for key in found if isinstance(key, Key)}.values())
    made = {document["id"]: document for document in documents(snapshot, keys)}
    return [made[key.conversation_id] if isinstance(key, Key) else key for key in found]


def _only(id: str, matches: Sequence[Match]) -> Key | RefusedError:
    if not matches:
        return RefusedError(f"Unknown 'conversation' with 'id' {id}.")
    sources = sorted({match.source for match in matches})
    if len(sources) > 1:
        return RefusedError(
            f"Several sources have a 'conversation' with 'id' {id}: {', '.join(sources)}."
            f" Name one, as in source={sources[0]}."
        )
    # Within one source what an id names comes before what it is part of.
    return matches[0].key


@dataclass(frozen=True)
class Page:
    """A page of the list.

    Attributes:
        items: `{id, _link}`, or documents.
        pagination: the page, how many there are, the limit, and the count of conversations.
    """

    items: list[Document]
    pagination: dict[str, int]


def many(snapshot: Snapshot, parameters: Parameters) -> Page:
    """A page of the conversations that the parameters select, the newest first.

    Raises:
        RefusedError: a parameter cannot be taken.
    """
    page, limit = parameters.page(), parameters.limit()
    full = bool(parameters.plain_flag("full"))
    parameters.plain_flag("formatHistory")
    condition = where(conditions(parameters, snapshot.published_at))
    # One aggregate gives the count and where the page lies, so that a late page costs what the
    # first does: the table is in the order of started_at, and a page is read from its hours alone.
    hours = snapshot.rows(
        "select date_trunc('hour', conversations.started_at) as hour, count(*) as conversations"
        f" from marts.conversations as conversations where {condition.sql}"
        " group by hour order by hour desc",
        condition.values,
    )
    count = sum(hour["conversations"] for hour in hours)
    keys = _keys(snapshot, condition, hours, (page - 1) * limit, limit)
    items: list[Document] = (
        documents(snapshot, keys)
        if full
        else [{"id": key.conversation_id, "_link": link(key.conversation_id)} for key in keys]
    )
    return Page(
        items,
        {
            "page": page,
            # The platform's own client walks until page equals pages: never 0.
            "pages": max(1, -(-count // limit)),
            "limit": limit,
            "count": count,
        },
    )


def _keys(
    snapshot: Snapshot, condition: Condition, hours: list[dict[str, Any]], skip: int, limit: int
) -> list[Key]:
    newest: datetime | None = None
    wanted = limit
    for hour in hours:
        if newest is None:
            if skip >= hour["conversations"]:
                skip -= hour["conversations"]
                continue
            newest, offset = hour["hour"], skip
            wanted += skip
        oldest = hour["hour"]
        wanted -= hour["conversations"]
        if wanted <= 0:
            break
    if newest is None:
        return []
    rows = snapshot.rows(
        "select conversations.conversation_id, conversations.started_at"
        f" from marts.conversations as conversations where {condition.sql}"
        " and conversations.started_at >= $page_oldest and conversations.started_at < $page_newest"
        " order by conversations.started_at desc, conversations.conversation_id desc"
        " limit $page_limit offset $page_offset",
        {
            **condition.values,
            "page_oldest": oldest,
            "page_newest": newest + timedelta(hours=1),
            "page_limit": limit,
            "page_offset": offset,
        },
    )
    return [Key(row["conversation_id"], row["started_at"]) for row in rows]


def conditions(parameters: Parameters, published_at: datetime) -> list[Condition]:
    """What the filters select.

    Raises:
        RefusedError: a filter's value cannot be taken.
    """
    found = []
    window = Condition("true")
    id = parameters.text("conversation_id")
    # An id says which exchange is meant, whatever its age; a period is applied when it is given.
    if not id or parameters.text("from") or parameters.text("to"):
        chosen = period(parameters, published_at)
        found.append(
            chosen.condition(
                "conversations.started_at", "conversations.started_on", "conversations.time_zone"
            )
        )
        window = chosen.window("contacts.conversation_started_at")
    if id:
        found.append(_id(id))
    for name, column in (
        ("website_id", "conversations.project_id"),
        ("visitor_id", "conversations.visitor_id"),
    ):
        if values := parameters.texts(name):
            found.append(matches(column, name, values))
    if source := parameters.source():
        found.append(matches("conversations.source", "source", [source]))
    if channels := parameters.texts("channel"):
        found.append(channel_condition("conversations.channel", channels))
    if operators := parameters.texts("operator_id"):
        found.append(
            _with_contact([matches("contacts.agent_id", "operator_id", operators), window])
        )
    if tags := parameters.texts("tag_id"):
        found.append(_with_contact([_tagged(tags), window]))
    if levels := parameters.texts("automation_level"):
        for level in levels:
            if level not in AUTOMATION_LEVELS:
                raise RefusedError(
                    "Value of field 'automation_level' is not valid. Give one of"
                    f" {', '.join(AUTOMATION_LEVELS)}."
                )
        found.append(matches("conversations.automation_level", "automation_level", levels))
    for name, column in (
        ("transferred", "conversations.is_transferred"),
        ("answered", "conversations.is_answered"),
    ):
        wanted = parameters.flag(name)
        if wanted is not None:
            found.append(Condition(f"coalesce({column}, false) = ${name}", {name: wanted}))
    for name, comparison in (("min_score", ">="), ("max_score", "<=")):
        score = parameters.score(name)
        if score is not None:
            found.append(Condition(f"conversations.csat_score {comparison} ${name}", {name: score}))
    return found


def channel_condition(column: str, channels: list[str]) -> Condition:
    """One of some channels, in the platform's spellings or in the warehouse's.

    `facebookBusinessOnMessenger` is facebook_business_on_messenger, `CHAT` is chat, and `social` is
    everything but chat, call and video.
    """
    spelled = [
        spelling for channel in channels for spelling in dict.fromkeys((channel, _snake(channel)))
    ]
    condition = matches(column, "channel", spelled)
    if "social" not in spelled:
        return condition
    onsite = ", ".join(f"'{channel}'" for channel in ONSITE_CHANNELS)
    return Condition(f"({condition.sql} or {column} not in ({onsite}))", condition.values)


def _snake(channel: str) -> str:
    if channel.upper() == channel:
        return channel.lower()
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in channel)


def _id(id: str) -> Condition:
    if "*" in id:
        condition = Condition("id like $id escape '\\'", {"id": like_pattern(id)})
    else:
        condition = Condition(f"id_hash = {ID_HASH} and id = $id", {"id": id})
    return Condition(
        "(conversations.started_at, conversations.conversation_id) in"
        " (select (conversation_started_at, conversation_id) from marts.conversation_ids"
        f" where {condition.sql})",
        condition.values,
    )


def _tagged(tags: list[str]) -> Condition:
    parts, values = [], {}
    for number, tag in enumerate(tags):
        values[f"tag_id_{number}"] = like_pattern(tag)
        parts.append(f"trim(tag) like $tag_id_{number} escape '\\'")
    return Condition(
        f"len(list_filter(string_split(contacts.tags, ','), lambda tag: {' or '.join(parts)})) > 0",
        values,
    )


def _with_contact(conditions: Sequence[Condition]) -> Condition:
    condition = where(conditions)
    return Condition(
        "(conversations.started_at, conversations.conversation_id) in"
        " (select (contacts.conversation_started_at, contacts.conversation_id)"
        f" from marts.contacts as contacts where {condition.sql})",
        condition.values,
    )
