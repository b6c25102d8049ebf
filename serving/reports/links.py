"""From a figure to the conversations behind it.

Belongs here: the filter of the log for a row and a measure of a report, and for a cause of the
difference between the reports. Does not belong here: the conditions themselves (`filters`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from serving.filters import LONGEST_VALUE, NONE, Filter
from serving.reports.measures import Measure
from serving.reports.periods import last_day

LOG = "/conversations"


@dataclass(frozen=True)
class RowKey:
    """Which row of a report within a period; the whole when nothing is given."""

    dimension: str = "all"
    source: str | None = None
    value: str | None = None


def behind(
    report: str, grain: str, start: date, key: RowKey, measure: Measure | None = None
) -> Filter | None:
    """The filter of the conversations behind a figure.

    Args:
        report: `statistics` or `contacts`.
        grain: of the period.
        start: first day of the period.
        key: the row.
        measure: the figure; the whole row when not given.

    Returns:
        None when an address cannot ask for the row: its value is too long, or reads as another.
    """
    if any(value is not None and not _can_be_asked(value) for value in (key.source, key.value)):
        return None
    more: dict[str, Any] = dict(measure.behind) if measure else {}
    columns: dict[str, tuple[str, ...]] = {}
    if key.source is not None:
        columns["source"] = (key.source,)
    wanted = (NONE if key.value is None else key.value,)
    if report == "contacts":
        made = _of_contacts(key.dimension, wanted, more)
        made = replace(made, contact_first_day=start, contact_last_day=last_day(grain, start))
        return replace(made, columns={**columns, **more.get("columns", {})})
    names = {"project": "project", "channel": "channel", "automation_level": "automation"}
    if key.dimension in names:
        columns[names[key.dimension]] = wanted
    for name, values in more.pop("columns", {}).items():
        if columns.get(name, values) != values:
            # A figure that is nothing in this row, such as the fully automated among the others.
            return None
        columns[name] = values
    if key.dimension == "agent":
        more["agents"] = wanted
    if key.dimension == "group":
        more["groups"] = wanted
    return Filter(
        on="closed", first_day=start, last_day=last_day(grain, start), columns=columns, **more
    )


def _of_contacts(dimension: str, wanted: tuple[str, ...], more: Mapping[str, Any]) -> Filter:
    """What is asked of the contact itself, which can differ from its conversation."""
    fields = {
        "project": "contact_projects",
        "channel": "contact_channels",
        "agent": "agents",
        "agent_kind": "contact_kinds",
        "group": "groups",
    }
    asked = dict(more)
    if dimension in fields:
        name = fields[dimension]
        # A measure of people's contacts, in the row of one kind: that kind alone.
        asked[name] = wanted
    return Filter(**asked)


def _can_be_asked(value: str) -> bool:
    return value == value.strip() and 0 < len(value) <= LONGEST_VALUE and value != NONE


def cause(name: str, grain: str, start: date, source: str | None) -> Filter | None:
    """The filter of the conversations that a cause of the difference concerns."""
    end = last_day(grain, start)
    made = Filter(columns={"source": (source,)} if source else {})
    started = replace(made, contact_first_day=start, contact_last_day=end)
    closed = replace(made, on="closed", first_day=start, last_day=end)
    try:
        before, after = start - timedelta(days=1), end + timedelta(days=1)
    except OverflowError:
        return None
    return {
        "still_open": replace(started, flags={"closed": False}),
        "closed_in_later_period": replace(started, on="closed", first_day=after),
        "closed_in_earlier_period": replace(started, on="closed", last_day=before),
        "started_in_earlier_period": replace(closed, contact_last_day=before),
        "started_in_later_period": replace(closed, contact_first_day=after),
    }.get(name)


def address(filter_: Filter | None) -> str | None:
    """The address of the log for a filter."""
    return f"{LOG}?{filter_.query()}" if filter_ else None
