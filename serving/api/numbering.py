"""Ids as their source wants them answered: whole ones as numbers, or all as texts.

Belongs here: which members are ids, and making numbers of them. Does not belong here: documents.
"""

from __future__ import annotations

import re
from typing import Any

from serving.snapshot import Snapshot

Document = dict[str, Any]

# The members that are ids of a source, or lists of them.
ID_MEMBERS = frozenset(
    {
        "id",
        "author_id",
        "contact_id",
        "conversation_ref",
        "credited_contact_id",
        "credited_operator_id",
        "from_contact_id",
        "from_operator_id",
        "group_id",
        "message_id",
        "operator_id",
        "operator_ids",
        "operator_list",
        "operator_path",
        "rating_id",
        "rule_id",
        "skill_id",
        "tag_list",
        "target_id",
        "to_contact_id",
        "to_operator_id",
        "transaction_id",
        "transfer_id",
        "visitor_id",
        "website_id",
        "website_list",
    }
)
# Any number of so many digits is one in JavaScript too.
_WHOLE = re.compile(r"0|[1-9]\d{0,14}", re.ASCII)


def with_numbers(snapshot: Snapshot, document: Document) -> Document:
    """A document as its source wants its ids: whole ones as numbers, or all as texts."""
    if document.get("source") not in snapshot.once(_numeric_sources):
        return document
    return {name: _numbered(value, name in ID_MEMBERS) for name, value in document.items()}


def _numbered(value: Any, is_id: bool) -> Any:
    if isinstance(value, dict):
        return {name: _numbered(each, name in ID_MEMBERS) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbered(each, is_id) for each in value]
    if is_id and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return value


def _numeric_sources(snapshot: Snapshot) -> frozenset[str]:
    rows = snapshot.rows("select source from marts.sources where has_numeric_ids")
    return frozenset(row["source"] for row in rows)
