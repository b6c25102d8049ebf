"""From a figure to the rows behind it: conversations, or contacts.

Belongs here: the filter of the log for a row and a measure of a report, and for a cause of the
difference between the reports. Does not belong here: the conditions themselves (`filters`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from serving import addresses
from serving.filters import NONE, Filter
from serving.parameters import LONGEST_VALUE
from serving.reports.measures import Measure
from serving.reports.periods import last_day

# What asks for the row of a dimension. Of contacts it is the contact's own, which can differ from
# its conversation's.
_OF_CONVERSATIONS = {
    "project": "project",
    "channel": "channel",
    "automation_level": "automation",
    "agent": "agents",
    "group": "groups",
}
_OF_CONTACTS = {
    "project": "contact_projects",
    "channel": "contact_channels",
    "agent": "agents",
    "agent_kind": "contact_kinds",
    "group": "groups",
}


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
        None when the log has no rows for the figure, or an address cannot ask for the row: its
        value is too long, or reads as another.
    """
    if measure is not None and measure.behind is None:
        return None
    if any(value is not None and not _can_be_asked(value) for value in (key.source, key.value)):
        return None
    asked: dict[str, Any] = dict(measure.behind or {}) if measure else {}
    if key.source is not None:
        asked["source"] = (key.source,)
    wanted = (NONE if key.value is None else key.value,)
    end = last_day(grain, start)
    if report == "contacts":
        if key.dimension in _OF_CONTACTS:
            asked[_OF_CONTACTS[key.dimension]] = wanted
        return Filter(rows="contacts", contact_first_day=start, contact_last_day=end, **asked)
    if key.dimension in _OF_CONVERSATIONS:
        field = _OF_CONVERSATIONS[key.dimension]
        if asked.get(field, wanted) != wanted:
            # A figure that is nothing in this row, such as the fully automated among the others.
            return None
        asked[field] = wanted
    return Filter(on="closed", first_day=start, last_day=end, **asked)


def _can_be_asked(value: str) -> bool:
    return value == value.strip() and 0 < len(value) <= LONGEST_VALUE and value != NONE


def cause(name: str, grain: str, start: date, source: str | None) -> Filter | None:
    """The filter of the conversations that a cause of the difference concerns."""
    end = last_day(grain, start)
    made = Filter(rows="contacts", source=(source,) if source else ())
    started = replace(made, contact_first_day=start, contact_last_day=end)
    closed = replace(made, on="closed", first_day=start, last_day=end)
    try:
        before, after = start - timedelta(days=1), end + timedelta(days=1)
    except OverflowError:
        return None
    return {
        "still_open": replace(started, closed=False, waiting=False),
        "waiting": replace(started, waiting=True),
        "closed_in_later_period": replace(started, on="closed", first_day=after),
        "closed_in_earlier_period": replace(started, on="closed", last_day=before),
        "started_in_earlier_period": replace(closed, contact_last_day=before),
        "started_in_later_period": replace(closed, contact_first_day=after),
    }.get(name)


def address(filter_: Filter | None) -> str | None:
    """The address of the log for a filter."""
    return addresses.log(filter_.query()) if filter_ else None
