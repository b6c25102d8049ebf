"""The conversation resource: the list, and one conversation by any of its ids.

Belongs here: which conversations the platform's filters select, the order and the pages.
Does not belong here: the document, reading values, HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serving import labels
from serving.api.clock import ZONE, Clock
from serving.api.document import (
    FROM_THE_LOG,
    LOGGED,
    documents,
    has_extra,
    link,
)
from serving.api.envelope import RefusedError
from serving.api.numbering import Document
from serving.api.parameters import (
    DEFAULT_LIMIT,
    FIELDS,
    FORMAT_HISTORY,
    FULL,
    LIMIT,
    LIMIT_OF_ONE,
    PAGE,
    PAGE_OF_ONE,
    SOURCE,
    SOURCE_FILTER,
    VERSION,
    Parameters,
    filter_row,
    like_pattern,
    matches,
    period,
    period_rows,
)
from serving.filters import HIGHEST_SCORE, IS_ID, Condition, has_contact, has_id, where
from serving.parameters import FLAG, choice, score
from serving.queries.ids import Key, Match, resolve_many
from serving.snapshot import Snapshot

SCORE = score(HIGHEST_SCORE)
FILTERS = (
    *period_rows("Opened"),
    filter_row("website_id", "Projects, several with commas.", "101,102", is_list=True),
    filter_row("operator_id", "Operators, one of whom took part.", "12", is_list=True),
    filter_row("visitor_id", "Visitors.", "9bfb632558e3", is_list=True),
    filter_row(
        "channel",
        "Channels, several with commas. `social` is every channel but chat, call and video.",
        "chat",
        is_list=True,
    ),
    filter_row("tag_id", "Tags, one of which a contact carries.", "returns", is_list=True),
    filter_row("skill_id", f"The skill. {FROM_THE_LOG}", "3", is_list=True),
    filter_row("rule_id", f"The targeting rule. {FROM_THE_LOG}", "3", is_list=True),
    filter_row(
        "conversation_id",
        "Any id of the conversation: current, former, or of one of its contacts.",
        "310001",
    ),
    filter_row(
        "automation_level",
        "How far bots dealt with it, several with commas.",
        "not_automated",
        choice(labels.AUTOMATION),
        is_list=True,
    ),
    filter_row("transferred", "Whether a transfer was accepted in it.", "1", FLAG),
    filter_row("answered", "Whether an operator answered.", "1", FLAG),
    filter_row("min_score", "The lowest satisfaction score.", "1", SCORE),
    filter_row("max_score", "The highest satisfaction score.", "5", SCORE),
    SOURCE_FILTER,
)
LIST = (PAGE, LIMIT, FULL, FORMAT_HISTORY, FIELDS, SOURCE, ZONE, VERSION, *FILTERS)
DETAIL = (
    PAGE_OF_ONE,
    LIMIT_OF_ONE,
    FULL,
    FORMAT_HISTORY,
    FIELDS,
    SOURCE,
    ZONE,
    VERSION,
    SOURCE_FILTER,
)
ONSITE_CHANNELS = ("chat", "call", "video")


def each(
    snapshot: Snapshot, clock: Clock, ids: Sequence[tuple[str, str]]
) -> list[Document | RefusedError]:
    """The conversations that some ids lead to, at the cost of little more than one.

    Args:
        snapshot: where to look.
        clock: which tells the times.
        ids: an id of a conversation of any time or of a contact, verbatim, and the source within
            which it is meant; within all when empty.

    Returns:
        Of each id the document, or why there is none: it is unknown, or leads to several
        conversations.
    """
    found = [
        _only(id, matches)
        for (id, _), matches in zip(ids, resolve_many(snapshot, ids), strict=True)
    ]
    keys = list({key.conversation_id: key for key in found if isinstance(key, Key)}.values())
    made = {document["id"]: document for document in documents(snapshot, clock, keys)}
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


def many(snapshot: Snapshot, clock: Clock, parameters: Parameters) -> Page:
    """A page of the conversations that the parameters select, the newest first.

    Raises:
        RefusedError: a parameter cannot be taken.
    """
    limit = parameters.option("limit", DEFAULT_LIMIT)
    condition = where(conditions(snapshot, clock, parameters))
    # One aggregate gives the count and where the page lies, so that a late page costs what the
    # first does: the table is in the order of started_at, and a page is read from its hours alone.
    hours = snapshot.rows(
        "select date_trunc('hour', conversations.started_at) as hour, count(*) as conversations"
        f" from marts.conversations as conversations where {condition.sql}"
        " group by hour order by hour desc",
        condition.values,
    )
    count = sum(hour["conversations"] for hour in hours)
    found = pagination(parameters, count)
    keys = _keys(snapshot, condition, hours, (found["page"] - 1) * limit, limit)
    items: list[Document] = (
        documents(snapshot, clock, keys)
        if parameters.option("full")
        else [{"id": key.conversation_id, "_link": link(key.conversation_id)} for key in keys]
    )
    return Page(items, found)


def pagination(parameters: Parameters, count: int) -> dict[str, int]:
    """Where a page stands among so many items.

    A page behind the last is the last, and nothing is one page: the platform's own client walks
    until `page` equals `pages`, and would never end otherwise.
    """
    limit = parameters.option("limit", DEFAULT_LIMIT)
    pages = max(1, -(-count // limit))
    page = min(parameters.option("page", 1), pages)
    return {"page": page, "pages": pages, "limit": limit, "count": count}


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


def conditions(snapshot: Snapshot, clock: Clock, parameters: Parameters) -> list[Condition]:
    """What the filters select.

    Raises:
        RefusedError: the period cannot be taken.
    """
    found = []
    window = Condition("true")
    given = parameters.filter
    id = given("conversation_id")
    # An id says which exchange is meant, whatever its age; a period is applied when it is given.
    if not id or given("from") or given("to"):
        chosen = period(parameters, clock.day(snapshot.published_at), clock)
        found.append(chosen.within("conversations.started_at", clock))
        window = chosen.within("contacts.conversation_started_at", clock)
    if id:
        found.append(_id(id))
    for name, column in (
        ("website_id", "conversations.project_id"),
        ("visitor_id", "conversations.visitor_id"),
        ("automation_level", "conversations.automation_level"),
    ):
        if values := given(name):
            found.append(matches(column, name, values))
    for name in LOGGED:
        if values := given(name):
            column = f"json_extract_string(conversations.extra, '$.{name}')"
            has = snapshot.once(has_extra)
            found.append(matches(column, name, values) if has else Condition("false"))
    if source := parameters.source():
        found.append(matches("conversations.source", "source", [source]))
    if channels := given("channel"):
        found.append(channel_condition("conversations.channel", channels))
    if operators := given("operator_id"):
        found.append(has_contact([matches("contacts.agent_id", "operator_id", operators), window]))
    if tags := given("tag_id"):
        found.append(has_contact([_tagged(tags), window]))
    for name, column in (
        ("transferred", "conversations.is_transferred"),
        ("answered", "conversations.is_answered"),
    ):
        if (wanted := given(name)) is not None:
            found.append(Condition(f"coalesce({column}, false) = ${name}", {name: wanted}))
    for name, comparison in (("min_score", ">="), ("max_score", "<=")):
        if (bound := given(name)) is not None:
            found.append(Condition(f"conversations.csat_score {comparison} ${name}", {name: bound}))
    return found


def channel_condition(column: str, channels: Sequence[str]) -> Condition:
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
        named = "conversation_ids.id like $id escape '\\'"
        return has_id(Condition(named, {"id": like_pattern(id)}))
    return has_id(Condition(IS_ID, {"id": id}))


def _tagged(tags: Sequence[str]) -> Condition:
    parts, values = [], {}
    for number, tag in enumerate(tags):
        values[f"tag_id_{number}"] = like_pattern(tag)
        parts.append(f"tag like $tag_id_{number} escape '\\'")
    return Condition(
        f"len(list_filter(contacts.tags, lambda tag: {' or '.join(parts)})) > 0",
        values,
    )
