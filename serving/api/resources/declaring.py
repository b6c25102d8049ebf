"""How a smaller resource is declared.

Belongs here: what a resource and a member of it say. Does not belong here: the resources
(`declared`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from serving.api.clock import ZONE
from serving.api.parameters import (
    FIELDS,
    FULL,
    LIMIT,
    LIMIT_OF_ONE,
    PAGE,
    PAGE_OF_ONE,
    SOURCE,
    SOURCE_FILTER,
    VERSION,
    period_rows,
)
from serving.parameters import Parameter
from serving.snapshot import Row

ID, IDS, TEXT, TEXTS, MOMENT, NUMBER, FLAG, UNKNOWN = (
    "id",
    "ids",
    "text",
    "texts",
    "moment",
    "number",
    "flag",
    "unknown",
)


@dataclass(frozen=True)
class Member:
    """A member of a document, which is the column of that name.

    Attributes:
        name: the platform's.
        meaning: what it is.
        kind: one of the kinds above; UNKNOWN is null always.
    """

    name: str
    meaning: str
    kind: str = TEXT


@dataclass(frozen=True)
class Resource:
    """A resource.

    Attributes:
        name: in the address.
        title: what its items are.
        rows: a query with a row per item: `source`, `id` and a column per member that is known.
        members: what a document holds beside `id` and `source`.
        filters: what it can be asked by beside the source: the members of these names. One that is
            no member is null, as an unknown one is.
        moment: the column that a period is of, and the order, the newest first; empty for none.
        is_over_sources: whether there are items over all sources, which have none.
    """

    name: str
    title: str
    rows: str
    members: tuple[Member, ...]
    filters: tuple[Parameter, ...] = ()
    moment: str = ""
    is_over_sources: bool = False

    @property
    def list_rows(self) -> tuple[Parameter, ...]:
        """What the list takes."""
        when = period_rows("Of") if self.moment else ()
        return (
            *(PAGE, LIMIT, FULL, FIELDS, SOURCE, ZONE, VERSION),
            *(*when, *self.filters, SOURCE_FILTER),
        )

    @property
    def detail_rows(self) -> tuple[Parameter, ...]:
        """What a detail takes."""
        return (PAGE_OF_ONE, LIMIT_OF_ONE, FULL, FIELDS, SOURCE, ZONE, VERSION, SOURCE_FILTER)

    def kind(self, name: str) -> str:
        """The kind of a column; UNKNOWN for one that no log holds."""
        known = {member.name: member.kind for member in self.members}
        return known.get(name, TEXT if name == "id" else UNKNOWN)

    def link(self, row: Row, *, with_source: bool) -> str:
        """The address of an item, relative to `/api/2`."""
        path = f"/{self.name}/{quote(row['id'], safe='')}"
        # What is of all sources has none.
        if not with_source or row["source"] is None:
            return path
        return f"{path}?source={quote(row['source'], safe='')}"
