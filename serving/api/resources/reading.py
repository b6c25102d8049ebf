"""Lists and details of any of the smaller resources.

Belongs here: the one machinery that reads them. Does not belong here: what a resource is
(`declared`), HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.api.clock import Clock
from serving.api.conversations import Page, pagination
from serving.api.document import number
from serving.api.envelope import RefusedError
from serving.api.numbering import Document, with_numbers
from serving.api.parameters import (
    Parameters,
    invalid,
    like_pattern,
    matches,
)
from serving.api.resources.declaring import IDS, MOMENT, NUMBER, UNKNOWN, Member, Resource
from serving.filters import IS_ID, Condition, where
from serving.parameters import Moment
from serving.snapshot import Row, Snapshot

ROLES = {"human": ["operator"], "expert": ["expert"]}


def many(snapshot: Snapshot, clock: Clock, resource: Resource, parameters: Parameters) -> Page:
    """A page of the items that the parameters select.

    Raises:
        RefusedError: a parameter cannot be taken.
    """
    condition = _condition(resource, clock, parameters)
    listed = f"({resource.rows}) as listed where {condition.sql}"
    count = snapshot.value(f"select count(*) from {listed}", condition.values)
    found = pagination(parameters, int(count or 0))
    order = (
        f"{resource.moment} desc nulls last, source, id desc" if resource.moment else "source, id"
    )
    rows = snapshot.rows(
        f"select * from {listed} order by {order} limit $page_limit offset $page_offset",
        {
            **condition.values,
            "page_limit": found["limit"],
            "page_offset": (found["page"] - 1) * found["limit"],
        },
    )
    full = parameters.option("full")
    return Page([_document(snapshot, clock, resource, row, full=full) for row in rows], found)


def one(
    snapshot: Snapshot, clock: Clock, resource: Resource, id: str, parameters: Parameters
) -> Document:
    """The item of an id.

    Raises:
        RefusedError: there is none, or several sources have one.
    """
    source = parameters.source()
    rows = snapshot.rows(
        f"select * from ({resource.rows}) as listed where id = $id"
        " and ($source = '' or source = $source) order by source",
        {"id": id, "source": source},
    )
    if not rows:
        raise RefusedError(f"Unknown '{resource.name}' with 'id' {id}.")
    if len(rows) > 1:
        sources = [row["source"] for row in rows]
        raise RefusedError(
            f"Several sources have a '{resource.name}' with 'id' {id}: {', '.join(sources)}."
            f" Name one, as in source={sources[0]}."
        )
    return _document(snapshot, clock, resource, rows[0], full=True)


def _document(
    snapshot: Snapshot, clock: Clock, resource: Resource, row: Row, *, full: bool
) -> Document:
    several = snapshot.once(_has_several_sources)
    known = {"id": row["id"], "_link": resource.link(row, with_source=several)}
    made = {**known, "source": row["source"]}
    if full:
        made |= {member.name: _value(member, clock, row) for member in resource.members}
    made = with_numbers(snapshot, made)
    return made if full else {name: made[name] for name in known}


def _value(member: Member, clock: Clock, row: Row) -> Any:
    if member.kind == UNKNOWN:
        return None
    if member.name == "roles":
        return ROLES.get(row["agent_kind"], [])
    if member.name == "role":
        return next(iter(ROLES.get(row["agent_kind"], [])), None)
    value = row[member.name]
    if member.kind == MOMENT:
        return clock.shown(value) if value else None
    return number(value) if member.kind == NUMBER else value


def _has_several_sources(snapshot: Snapshot) -> bool:
    return int(snapshot.value("select count(*) from marts.sources") or 0) > 1


def _condition(resource: Resource, clock: Clock, parameters: Parameters) -> Condition:
    found = []
    if source := parameters.source():
        found.append(matches("source", "source", [source]))
    for row in resource.filters:
        value = parameters.filter(row.name)
        if value is not None:
            values = value if isinstance(value, tuple) else (value,)
            found.append(_matching(resource, row.name, values))
    first: Moment | None = parameters.filter("from") if resource.moment else None
    last: Moment | None = parameters.filter("to") if resource.moment else None
    if first:
        found.append(
            Condition(f"{resource.moment} >= $period_start", {"period_start": clock.first(first)})
        )
    if last:
        found.append(
            Condition(f"{resource.moment} < $period_stop", {"period_stop": clock.end(last)})
        )
    if first and last and clock.end(last) <= clock.first(first) and last.at < first.at:
        raise invalid("to", "It lies before 'from'.")
    return where(found)


def _matching(resource: Resource, name: str, values: Sequence[str]) -> Condition:
    if name == "conversation_id":
        return _of_conversation(values[0])
    kind = resource.kind(name)
    if kind == UNKNOWN:
        return Condition("false")
    if kind != IDS:
        return matches(name, name, values)
    parts = [f"each like ${name}_{index} escape '\\'" for index in range(len(values))]
    return Condition(
        f"len(list_filter({name}, lambda each: {' or '.join(parts)})) > 0",
        {f"{name}_{index}": like_pattern(value) for index, value in enumerate(values)},
    )


def _of_conversation(id: str) -> Condition:
    if id in ("null", "!null"):
        return Condition(f"conversation_id is {'not ' if id == '!null' else ''}null")
    return Condition(
        f"conversation_id in (select conversation_id from marts.conversation_ids where {IS_ID})",
        {"id": id},
    )
