"""The rows of the log as the table shows them.

Belongs here: the columns, their heads, and a row in the reader's words. Does not belong here:
reading the rows (`serving.queries.log`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from serving import addresses, labels
from serving.filters import Filter
from serving.i18n import gettext, mark
from serving.pages.log.view import View, href
from serving.queries.directory import Directory
from serving.queries.excerpts import Excerpt

MOST_AGENTS_SHOWN = 5
AUTHORS = {
    "visitor": mark("Visitor"),
    "agent": mark("Agent"),
    "bot": mark("Bot"),
    "system": mark("System"),
}
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
CONTACT_COLUMNS = (
    ("opened", mark("Started")),
    (None, mark("Contact")),
    (None, mark("Conversation")),
    ("closed", mark("Ended")),
    (None, mark("Ended by")),
    (None, mark("Visitor")),
    (None, mark("Channel")),
    (None, mark("Agent")),
    (None, mark("Group")),
    ("reply", mark("First reply")),
    ("duration", mark("Duration")),
    ("csat", mark("CSAT")),
    ("amount", mark("Amount")),
)


def heads(wanted: Filter, view: View) -> list[dict[str, Any]]:
    """The heads of the columns, and where a click on each leads."""
    made = []
    for sort, label in CONTACT_COLUMNS if wanted.rows == "contacts" else COLUMNS:
        header: dict[str, Any] = {"label": gettext(label), "sort": sort, "state": None}
        if sort:
            is_current = sort == view.sort
            # The first click shows what is most or newest; another one turns it round.
            order = "asc" if is_current and view.order == "desc" else "desc"
            header["href"] = href(wanted, View(sort, order, view.size))
            if is_current:
                header["state"] = "descending" if view.order == "desc" else "ascending"
        header["number"] = sort in (
            "contacts",
            "transfers",
            "reply",
            "csat",
            "amount",
            "duration",
        )
        made.append(header)
    return made


def conversation_row(
    row: Mapping[str, Any], names: Directory, excerpt: Excerpt | None
) -> dict[str, Any]:
    source, path = row["source"], row["agent_path"] or []
    return {
        **row,
        "href": addresses.conversation(row["conversation_id"]),
        "status": (status := labels.status(row)),
        "status_label": labels.label(labels.STATUSES, status),
        "expired": labels.label(labels.STATUSES, "expired")
        if row["close_reason"] == "expired"
        else "",
        "id_parts": _id_parts(row["conversation_id"]),
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


def contact_row(row: Mapping[str, Any], names: Directory) -> dict[str, Any]:
    source = row["source"]
    conversation = addresses.conversation(row["conversation_id"])
    return {
        **row,
        "href": f"{conversation}#{addresses.contact_anchor(row['contact_id'])}",
        "conversation_href": conversation,
        "id_parts": _id_parts(row["conversation_id"]),
        "channel": labels.label(labels.CHANNELS, row["channel"]),
        "agent": names.agent(source, row["agent_id"]) or gettext("nobody"),
        "is_bot": row["agent_kind"] == "bot",
        "group": names.group(source, row["group_id"]),
        "ended_by": labels.label(labels.END_REASONS, row["end_reason"]),
    }


def _id_parts(id: str) -> list[str]:
    """An id in pieces between which a line may break."""
    return re.findall(r"[^:]*:|[^:]+", id)


def common_zone(rows: Sequence[Mapping[str, Any]]) -> str | None:
    zones = {row["time_zone"] for row in rows}
    return next(iter(zones)) if len(zones) == 1 else None
