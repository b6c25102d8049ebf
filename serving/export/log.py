"""The tables of the conversation log: what a filter finds, as conversations or as contacts.

Belongs here: the two queries. Does not belong here: formats, HTTP, the page.

Both tables have the columns of their mart, all of them and in its order, and carry the same
conversation_id. A filter chooses conversations; the contacts are all contacts of those.
"""

from __future__ import annotations

from serving import filters
from serving.export.jobs import Table
from serving.filters import Filter

GRAINS = ("conversation", "contact", "both")
_CONVERSATIONS = "marts.conversations as conversations"
_CONTACTS = "marts.contacts as contacts"


def tables(wanted: Filter, grain: str) -> list[Table]:
    """The tables of an export of the log, sorted by the opening of the conversation.

    Args:
        wanted: which conversations.
        grain: a name in GRAINS.
    """
    found = []
    if grain in ("conversation", "both"):
        found.append(_conversations(wanted))
    if grain in ("contact", "both"):
        found.append(_contacts(wanted))
    return found


def _condition(wanted: Filter) -> filters.Condition:
    search = wanted.search()
    return filters.where([*wanted.conditions(), *([search] if search else [])])


def _conversations(wanted: Filter) -> Table:
    condition = _condition(wanted)
    return Table(
        name="conversations",
        sql=f"select conversations.* from {_CONVERSATIONS} where {condition.sql}",
        values=condition.values,
        # The mart is in this order and a plain scan keeps it; a look into another mart need not.
        order=("started_at", "conversation_id") if "select" in condition.sql else (),
    )


def _contacts(wanted: Filter) -> Table:
    condition = _condition(wanted)
    if not wanted.pairs():
        return Table(name="contacts", sql=f"select contacts.* from {_CONTACTS}")
    return Table(
        name="contacts",
        sql=(
            f"select contacts.* from {_CONTACTS}"
            " where (contacts.conversation_started_at, contacts.conversation_id) in ("
            "select (conversations.started_at, conversations.conversation_id)"
            f" from {_CONVERSATIONS} where {condition.sql})"
        ),
        values=condition.values,
        order=("conversation_started_at", "conversation_id", "contact_no"),
    )
