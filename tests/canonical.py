"""A view of the public tables that does not depend on how conversations are named.

Two warehouses that got the same rows in another order, in other batches or repeated, may name a
conversation after another of its contacts and know other moments of loading. Everything else must
be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Row, sorted_rows

# When and in which file something came, and what follows from that.
ARRIVAL = {"first_loaded_at", "changed_at", "loaded_at", "first_load_no", "last_load_no"}
ARRIVAL |= {"changed_publication_no", "publication_no"}
ARRIVAL |= {"since", "since_at", "resolves_since", "known_since", "anchor_contact_id"}
# Their rows say how ids came about, in which files rows came, and what was published before.
ABOUT_NAMES = {
    "marts.conversation_ids",
    "marts.conversation_merges",
    "marts.arrivals",
    "reports.restatements",
}


def canonical(snapshot: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Name each conversation after its smallest contact id, and leave the arrival out.

    Args:
        snapshot: rows by table, `marts.contacts` among them.

    Returns:
        The same tables without those about names, their rows in an order of their values.
    """
    members: dict[str, list[tuple[str, str]]] = {}
    for contact in snapshot["marts.contacts"]:
        members.setdefault(contact["conversation_id"], []).append(
            (contact["source"], contact["contact_id"])
        )
    names = {name: ":".join(min(contacts)) for name, contacts in members.items()}

    def renamed(column: str, value: Any) -> Any:
        return names.get(value, value) if column == "conversation_id" else value

    return {
        table: sorted_rows(
            {
                column: renamed(column, value)
                for column, value in row.items()
                if column not in ARRIVAL
            }
            for row in rows
        )
        for table, rows in snapshot.items()
        if table not in ABOUT_NAMES
    }


def first_differences(
    left: Mapping[str, list[Row]], right: Mapping[str, list[Row]], limit: int = 5
) -> list[str]:
    """What differs between two snapshots, a few rows of each table, as lines to read."""
    problems = []
    for table in sorted(set(left) | set(right)):
        here, there = left.get(table, []), right.get(table, [])
        if here == there:
            continue
        only_here = [row for row in here if row not in there][:limit]
        only_there = [row for row in there if row not in here][:limit]
        problems.append(f"{table}: {len(here)} rows and {len(there)} rows")
        if len(only_here) == len(only_there):
            for one, other in zip(only_here, only_there, strict=True):
                changed = {
                    column: (one[column], other.get(column))
                    for column in one
                    if one[column] != other.get(column)
                }
                key = {column: one[column] for column in list(one)[:3]}
                problems.append(f"  {key}: {changed}")
        else:
            problems += [f"  only in the first: {row}" for row in only_here]
            problems += [f"  only in the second: {row}" for row in only_there]
    return problems
