"""What each model says of how it is merged (`merge` in its YAML).

Belongs here: reading the declarations, and the SQL of the rows that they mean. Does not belong
here: merging (merging).

    merge: whole                           a small table: all rows give way
    merge: {contact: <column>}             rows go by the contact that they belong to
    merge: {contact: …, record: <column>}  the same, and transactions that name no contact
    merge: {conversation: <column>}        rows go by their conversation
    merge: {day: <column>}                 rows of touched days give way
    merge: {period: <column>}              rows of touched periods, beside period_grain
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from throughline.building.manifest import is_public
from throughline.engine.sql import identifier, sql
from throughline.refreshing import ties

_KINDS = ("contact", "conversation", "day", "period")


@dataclass(frozen=True)
class Merged:
    """A model that is merged.

    Attributes:
        schema, name: its table.
        by: what its rows go by: `contact`, `conversation`, `day`, `period` or `whole`.
        columns: what its YAML names for it.
        start: the column that says when the conversation of a row began, as it is published by day
            (`publish: by_day_of`); None where it is not.
    """

    schema: str
    name: str
    by: str
    columns: Mapping[str, str]
    start: str | None

    @property
    def table(self) -> str:
        """SQL of its name."""
        return identifier(self.schema, self.name)

    @property
    def is_by_row(self) -> bool:
        """Whether single rows give way, those of touched conversations."""
        return self.by in {"contact", "conversation"}

    @property
    def holds(self) -> str:
        """SQL of whether a row belongs to what is touched."""
        if self.by == "conversation":
            return sql(
                "@{id} in (select conversation_id from gone)", id=self.columns["conversation"]
            )
        found = f"{ties.contact('source', self.columns['contact'])} in (from touched)"
        if record := self.columns.get("record"):
            found = f"({found} or {ties.transaction('source', record)} in (from touched))"
        return found

    def touched_rows(self, columns: str) -> str:
        """SQL of columns of its rows in `live` that give way.

        By the start of the conversation first: rows lie in its order, and a time is compared where
        an id would have to be read.
        """
        if self.start is None:
            return sql(
                "select @{columns} from live.@{table} where @{holds}",
                columns=columns,
                table=self.table,
                holds=self.holds,
            )
        return sql(
            """
            select @{columns} from live.@{table}
            where @{start} in (select conversation_started_at from starts) and @{holds}
            union all
            select @{columns} from live.@{table} where @{start} is null and @{holds}
            """,
            columns=columns,
            table=self.table,
            start=self.start,
            holds=self.holds,
        )


def declared(manifest: Mapping[str, Any]) -> list[Merged]:
    """The models that are merged, by schema and name.

    Raises:
        ValueError: a declaration is not understood.
    """
    return sorted(_declared(manifest), key=lambda model: (model.schema, model.name))


def undeclared(manifest: Mapping[str, Any]) -> list[str]:
    """The public models whose rows a refresh would leave as they are, by name.

    A view has no rows: it shows what there is.
    """
    return sorted(
        node["name"]
        for node in manifest["nodes"].values()
        if is_public(node)
        and node["config"].get("materialized") != "view"
        and not (node["config"].get("meta") or {}).get("merge")
    )


def _declared(manifest: Mapping[str, Any]) -> Iterator[Merged]:
    for node in manifest["nodes"].values():
        meta = node["config"].get("meta") or {}
        merge = meta.get("merge")
        if node["resource_type"] != "model" or merge is None:
            continue
        columns = {} if merge == "whole" else dict(merge)
        kind = "whole" if merge == "whole" else next((k for k in _KINDS if k in columns), None)
        if kind is None or columns.keys() - {*_KINDS, "record"}:
            raise ValueError(f"{node['name']}.yml: merge: {merge} is not understood")
        start = meta.get("publish", {}).get("by_day_of")
        yield Merged(node["schema"], node["name"], kind, columns, start)
