"""What the measures of a report mean.

Belongs here: the published definitions in the reader's language. Does not belong here: the
definitions (the metrics' YAML has them).
"""

from __future__ import annotations

from serving.i18n import gettext
from serving.reports.measures import Kind
from serving.reports.shown import Definition
from serving.snapshot import Snapshot


def definitions(snapshot: Snapshot, kind: Kind) -> tuple[Definition, ...]:
    """What each measure of a report means, in the order of its columns."""
    found = []
    for column in kind.measures:
        metric = snapshot.metrics.get(f"{kind.model}.{column}")
        if metric is None:
            continue
        who, _, where = metric.source.partition(", ")
        days = {
            "closed_on": gettext("the day the conversation closed"),
            "started_on": gettext("the day the contact started"),
        }
        grains = {"conversation": gettext("conversation"), "contact": gettext("contact")}
        found.append(
            Definition(
                f"def-{column}",
                gettext(metric.label),
                gettext(metric.description),
                metric.formula,
                gettext(metric.unit),
                grains.get(metric.grain, metric.grain),
                days.get(metric.anchor, metric.anchor),
                gettext(who) + (f", {where}" if where else ""),
            )
        )
    return tuple(found)
