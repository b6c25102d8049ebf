"""The tables of the conversation log: what a filter finds, as conversations or as contacts.

Belongs here: the two queries. Does not belong here: formats, HTTP, the page.

Both tables have the columns of their mart, all of them and in its order, and carry the same
conversation_id. A filter chooses conversations, and the contacts are all contacts of those. One
that asks for contacts chooses these, and the conversations are those with one of them.
"""

from __future__ import annotations

from serving.filters import Condition, Filter, where
from serving.queries.log import CONTACTS, CONVERSATIONS
from serving.queries.table import Table

GRAINS = ("conversation", "contact", "both")
_CONVERSATIONS = CONVERSATIONS.table
_CONTACTS = CONTACTS.table


def tables(wanted: Filter, grain: str, *, in_order: bool) -> list[Table]:
    """The tables of an export of the log, sorted by the opening of the conversation.

    Args:
        wanted: which conversations.
        grain: a name in GRAINS.
        in_order: whether the marts lie in that order: then a plain scan of one is sorted already.
    """
    found = []
    if grain in ("conversation", "both"):
        found.append(_conversations(wanted, in_order))
    if grain in ("contact", "both"):
        found.append(_contacts(wanted, in_order))
    return found


def _conversations(wanted: Filter, in_order: bool) -> Table:
    found = wanted.where()
    return Table(
        name="conversations",
        sql=f"select conversations.* from {_CONVERSATIONS} where {found.sql}",
        values=found.values,
        order=("started_at", "conversation_id"),
        # A plain scan keeps the order of the mart; a look into another mart need not.
        is_ordered=in_order and "select" not in found.sql,
    )


def _contacts(wanted: Filter, in_order: bool) -> Table:
    if wanted.rows == "contacts":
        search = wanted.search()
        asked = where([*wanted.conversation_conditions(), *([search] if search else [])])
        found = where([_of_conversations(asked), *wanted.contact_conditions()])
    else:
        found = _of_conversations(wanted.where()) if wanted.pairs() else where([])
    return Table(
        name="contacts",
        sql=f"select contacts.* from {_CONTACTS} where {found.sql}",
        values=found.values,
        order=("conversation_started_at", "conversation_id", "contact_no"),
        is_ordered=in_order and not wanted.pairs(),
    )


def _of_conversations(asked: Condition) -> Condition:
    """That the contact is of a conversation that meets a condition."""
    return Condition(
        "(contacts.conversation_started_at, contacts.conversation_id) in ("
        "select (conversations.started_at, conversations.conversation_id)"
        f" from {_CONVERSATIONS} where {asked.sql})",
        asked.values,
    )
