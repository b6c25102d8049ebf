"""What a replay builds again: a source, a period, one conversation.

Belongs here: reading such a selection, and the contacts that it means. Does not belong here: what
hangs together with them (ties), building them (working).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from throughline import engine
from throughline.engine.sql import Bindings, identifier, sql
from throughline.settings import Settings


class SelectionError(ValueError):
    """A selection cannot be used; the message says what to give instead."""


@dataclass(frozen=True)
class Selection:
    """Contacts of the public models: those that all of this is true of.

    Attributes:
        source: of this source; of any when empty.
        first, last: of a conversation one of whose contacts started on one of these days, in UTC,
            both included; None leaves an end open.
        conversation: of the conversation to which this id leads, a contact's, a former one or its
            own; of any when empty.
    """

    source: str = ""
    first: date | None = None
    last: date | None = None
    conversation: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is selected."""
        return self == Selection()

    def __str__(self) -> str:
        parts = [
            f"conversation {self.conversation}" if self.conversation else "",
            f"source {self.source}" if self.source else "",
            f"from {self.first}" if self.first else "",
            f"to {self.last}" if self.last else "",
        ]
        return ", ".join(filter(None, parts))


NOTHING = Selection()


def read(texts: Mapping[str, str]) -> Selection:
    """A selection from what people wrote.

    Args:
        texts: `source`, `first`, `last` (as 2026-03-01) and `conversation`; what is missing or
            empty selects nothing.

    Raises:
        SelectionError: a day cannot be read, or the first is after the last.
    """
    first, last = (_day(texts.get(name, "")) for name in ("first", "last"))
    if first and last and first > last:
        raise SelectionError(f"the first day, {first}, is after the last, {last}")
    return Selection(texts.get("source", ""), first, last, texts.get("conversation", ""))


def written(selection: Selection) -> dict[str, str]:
    """A selection as `read` takes it."""
    return {
        "source": selection.source,
        "first": str(selection.first or ""),
        "last": str(selection.last or ""),
        "conversation": selection.conversation,
    }


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SelectionError(f"{text!r} is no day: write it as 2026-03-01") from None


def insist(settings: Settings, selection: Selection) -> None:
    """Ask before a run is begun for it. Call it under the warehouse lock.

    Raises:
        SelectionError: no contact is of it.
    """
    if selection.is_empty or not settings.outgoing_file.exists():
        return
    with engine.connect(settings) as connection:
        engine.attach(connection, settings.outgoing_file, "live")
        query, values = contacts(selection, "live")
        if not connection.execute(f"{query} limit 1", values).fetchall():
            raise nobody(selection)


def nobody(selection: Selection) -> SelectionError:
    """What to say of a selection without a contact."""
    return SelectionError(f"no conversation is published of {selection}")


def contacts(selection: Selection, catalog: str) -> tuple[str, dict[str, object]]:
    """The contacts that are selected, all contacts of a conversation or none.

    Args:
        selection: which.
        catalog: the name under which the file of the public models is attached.

    Returns:
        A query with one row per contact, source and contact_id, and the values that it binds.
    """
    bindings = Bindings()
    conditions = ["true"]
    if selection.source:
        conditions.append(f"contacts.source = {bindings.bind(selection.source)}")
    if selection.first or selection.last:
        days = [
            f"started_at {sign} {bindings.bind(day)}"
            for sign, day in (
                (">=", selection.first),
                ("<", selection.last and selection.last + timedelta(days=1)),
            )
            if day is not None
        ]
        conditions.append(
            sql(
                "contacts.conversation_id in"
                " (select conversation_id from @{marts}.contacts where @{days})",
                marts=identifier(catalog, "marts"),
                days=" and ".join(days),
            )
        )
    if selection.conversation:
        conditions.append(
            sql(
                "(contacts.source, contacts.conversation_id) in (select (source, conversation_id)"
                " from @{marts}.conversation_ids where id = @{id})",
                marts=identifier(catalog, "marts"),
                id=bindings.bind(selection.conversation),
            )
        )
    query = sql(
        "select contacts.source, contacts.contact_id from @{marts}.contacts as contacts"
        " where @{conditions}",
        marts=identifier(catalog, "marts"),
        conditions=" and ".join(conditions),
    )
    return query, bindings.values
