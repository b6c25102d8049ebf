"""The measures of the two reports: what each is, how it is shown, which conversations it counts.

Belongs here: the two reports by their names. Does not belong here: their measures (`statistics`,
`contacts`).
"""

from serving.reports.contacts import CONTACTS
from serving.reports.measure import (
    DIMENSION_NAMES,
    DIMENSIONS_IN_A_SENTENCE,
    PER_SOURCE,
    SHARED,
    VALUE_NAMES,
    ChartPlan,
    ColumnSet,
    Kind,
    Measure,
)
from serving.reports.statistics import STATISTICS

KINDS = {kind.name: kind for kind in (STATISTICS, CONTACTS)}

__all__ = [
    "CONTACTS",
    "DIMENSIONS_IN_A_SENTENCE",
    "DIMENSION_NAMES",
    "KINDS",
    "PER_SOURCE",
    "SHARED",
    "STATISTICS",
    "VALUE_NAMES",
    "ChartPlan",
    "ColumnSet",
    "Kind",
    "Measure",
]
