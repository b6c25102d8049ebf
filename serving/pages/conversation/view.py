"""The names and texts of one conversation.

Belongs here: who somebody is called, what a message shows. Does not belong here: what stands where
(`stream`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from serving import i18n, labels
from serving.queries.directory import Directory
from serving.snapshot import Row

LONGEST_SHOWN = 3000  # Characters of a message; the rest is folded.
SHOWN_OF_LONG = 1200
# What is certainly a link: nothing invisible in it, and nothing that turns the direction of text.
LINK = re.compile(r"https?://[^\s<>\"\u200b-\u200f\u202a-\u202e\u2066-\u2069]+", re.IGNORECASE)
PUNCTUATION = ".,;:!?)]}»'…"


class View:
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
