"""What the values, the subject and the measures of a report are called.

Belongs here: names, in the reader's language. Does not belong here: sentences (`notes`), the texts
of codes (`serving.labels`).
"""

from __future__ import annotations

from serving import i18n, labels
from serving.i18n import gettext
from serving.reports import measures
from serving.reports.links import RowKey
from serving.reports.question import ALL
from serving.reports.reading import Reading


def label(reading: Reading, key: RowKey) -> str:
    """The name of a value of a dimension."""
    if key.dimension == ALL:
        return _label_of_all(reading)
    if key.value is None:
        return gettext("None stated")
    if key.dimension == "agent":
        return reading.names.agent(key.source, key.value)
    if key.dimension == "group":
        return reading.names.group(key.source, key.value)
    if key.dimension == "project":
        return reading.names.project(key.source, key.value)
    return labels.label(measures.VALUE_NAMES.get(key.dimension, {}), key.value)


def _label_of_all(reading: Reading) -> str:
    units = reading.snapshot.scope.units
    if len(units) != 1:
        return gettext("All sources")
    [(source, project)] = units
    return reading.names.project(source, project) if project else source


def subject_label(reading: Reading, key: RowKey) -> str:
    """The name of what the whole report is about."""
    shown = label(reading, key)
    if key.dimension in (ALL, "source"):
        return shown
    name = gettext(measures.DIMENSION_NAMES[key.dimension])
    return f"{i18n.titled(name)} {shown}" + (f" ({key.source})" if key.source else "")


def measure_label(reading: Reading, column: str) -> str:
    """What a measure is called; by its column where the version defines no metrics."""
    metric = reading.snapshot.metrics.get(f"{reading.kind.model}.{column}")
    return gettext(metric.label) if metric else column.replace("_", " ").capitalize()
