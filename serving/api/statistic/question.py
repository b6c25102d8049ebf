"""What is asked of the statistic resource.

Belongs here: its parameters, and which rows of the metric models answer a question. Does not belong
here: the rows (`totals`), the indicators (`indicators`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.api.envelope import RefusedError
from serving.api.parameters import (
    FIELDS,
    FULL,
    LIMIT_OF_ONE,
    PAGE_OF_ONE,
    SOURCE,
    SOURCE_FILTER,
    VERSION,
    Parameters,
    Period,
    filter_row,
    period,
)
from serving.api.statistic.indicators import INDICATORS, UNAVAILABLE_INDICATORS
from serving.parameters import MOMENT, choice
from serving.snapshot import Snapshot

# Of the resources to group by, the dimension of the metric models and the column of the contacts.
RESOURCES = {"operator": ("agent", "agent_id"), "group": ("group", "group_id")}
UNAVAILABLE_RESOURCES = {
    "skill": "The logs of this warehouse hold no skills.",
    "rule": "The logs of this warehouse hold no targeting rules.",
    "contact_type": "The logs of this warehouse hold no types of contact.",
    "page_type": "The logs of this warehouse hold no page types.",
}
# Of the granularities, what of a day or a moment names the slot.
GRANULARITIES = {"hour": "%Y-%m-%d %H:00:00", "day": "%Y-%m-%d", "month": "%Y-%m"}

FILTERS = (
    filter_row(
        "website_list",
        "Projects, several with commas.",
        "101,102",
        is_list=True,
        aliases=("website_id",),
    ),
    filter_row("channel", "Channels, several with commas.", "chat", is_list=True),
    filter_row(
        "resource", "What to group by.", "operator", choice(RESOURCES, UNAVAILABLE_RESOURCES)
    ),
    filter_row("resource_id", "Only this operator or group.", "12"),
    filter_row(
        "indicators",
        "Which figures, several with commas; all when left out.",
        "contact_number,contact_duration",
        choice(INDICATORS, UNAVAILABLE_INDICATORS),
        is_list=True,
    ),
    filter_row("from", "The first day or moment, on each project's clock.", "2026-09-01", MOMENT),
    filter_row("to", "The last day or moment, on each project's clock.", "2026-11-30", MOMENT),
    filter_row(
        "granularity",
        "One figure per slot; for one indicator only.",
        "day",
        choice(GRANULARITIES),
    ),
    SOURCE_FILTER,
)
PARAMETERS = (PAGE_OF_ONE, LIMIT_OF_ONE, FULL, FIELDS, SOURCE, VERSION, *FILTERS)


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        indicators: their names, in order.
        period: when.
        websites, channels: only these; all when empty.
        source: only this one; all when empty.
        resource: `operator` or `group`, empty when not grouped.
        resource_id: only this one; all when empty.
        granularity: `hour`, `day` or `month`, empty for the whole period.
    """

    indicators: tuple[str, ...]
    period: Period
    websites: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    source: str = ""
    resource: str = ""
    resource_id: str = ""
    granularity: str = ""

    @property
    def known(self) -> tuple[str, ...]:
        """The indicators that this warehouse knows."""
        return tuple(name for name in self.indicators if name in INDICATORS)

    @property
    def unavailable(self) -> dict[str, str]:
        """The others, each with the reason."""
        return {
            name: UNAVAILABLE_INDICATORS[name] for name in self.indicators if name not in INDICATORS
        }

    @property
    def dimension(self) -> str | None:
        """The dimension of the metric models whose rows answer this, None when none do."""
        if self.granularity == "hour" or not self.period.is_of_days:
            return None
        asked = [
            dimension
            for dimension, is_asked in (
                ("project", self.websites),
                ("channel", self.channels),
                (RESOURCES[self.resource][0] if self.resource else "", self.resource),
            )
            if is_asked
        ]
        if not asked:
            return "source" if self.source else "all"
        # Channels are those of all sources: of one source they are no row.
        if len(asked) > 1 or (asked == ["channel"] and self.source):
            return None
        return asked[0]


def read(parameters: Parameters, snapshot: Snapshot) -> Question:
    """What the parameters ask.

    Raises:
        RefusedError: a parameter cannot be taken, or its data is not in this warehouse.
    """
    indicators = _indicators(parameters.filter("indicators") or ())
    granularity = parameters.filter("granularity") or ""
    if granularity and len(indicators) != 1:
        raise RefusedError("Field 'granularity' takes exactly one indicator in 'indicators'.")
    resource = parameters.filter("resource") or ""
    if resource in UNAVAILABLE_RESOURCES:
        raise RefusedError(
            f"Resource '{resource}' is not available. {UNAVAILABLE_RESOURCES[resource]}"
        )
    resource_id = parameters.filter("resource_id") or ""
    if resource_id and not resource:
        raise RefusedError("Field 'resource' is missing.")
    return Question(
        indicators=tuple(indicators),
        period=period(parameters, snapshot.published_at.date(), longest_months=None),
        websites=parameters.filter("website_list") or (),
        channels=parameters.filter("channel") or (),
        source=parameters.source(),
        resource=resource,
        resource_id=resource_id,
        granularity=granularity,
    )


def _indicators(given: Sequence[str]) -> list[str]:
    """What is asked for; what cannot be known beside what can is answered with null.

    Raises:
        RefusedError: none of it can be known.
    """
    if given and not any(name in INDICATORS for name in given):
        reasons = dict.fromkeys(UNAVAILABLE_INDICATORS[name] for name in given)
        names = ", ".join(f"'{name}'" for name in given)
        noun = "Indicator" if len(given) == 1 else "Indicators"
        verb = "is" if len(given) == 1 else "are"
        raise RefusedError(f"{noun} {names} {verb} not available. {' '.join(reasons)}")
    return list(given) or list(INDICATORS)
