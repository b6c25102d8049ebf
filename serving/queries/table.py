"""A table that can be asked for as a whole, with all of its rows.

Belongs here: what such a table is. Does not belong here: writing it (`serving.export`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """One table of an export.

    Attributes:
        name: of the file inside a zip and of the sheet.
        sql: a query of the snapshot with named parameters (`$name`).
        values: a value for every named parameter: text, numbers, days, moments, lists of text.
        order: columns of the result to sort by.
        is_ordered: whether the rows come in that order by themselves, because the query does no
            more than read one published table from front to back.
    """

    name: str
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    order: Sequence[str] = ()
    is_ordered: bool = False
