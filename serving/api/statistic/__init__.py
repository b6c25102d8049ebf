"""The statistic resource: the platform's indicators, from the metrics of the two reports.

Belongs here: which indicator is which metric, which rows of the metric models answer a question,
and the same sums from the marts where no row does. Does not belong here: how a figure is defined
(the metrics, which a version publishes with its data), HTTP.

The metric models are by day and one dimension. A question with a project and a channel, by hour,
or of part of a day is no row of theirs: it is summed over marts.contacts and marts.conversations,
as the published definitions of the metrics say. A test asks both for every question that both can
answer.
"""

from serving.api.statistic.answer import statistic
from serving.api.statistic.indicators import (
    CONTACT,
    CONVERSATION,
    INDICATORS,
    UNAVAILABLE_INDICATORS,
)
from serving.api.statistic.question import FILTERS, PARAMETERS, Question, read
from serving.api.statistic.totals import totals

__all__ = [
    "CONTACT",
    "CONVERSATION",
    "FILTERS",
    "INDICATORS",
    "PARAMETERS",
    "UNAVAILABLE_INDICATORS",
    "Question",
    "read",
    "statistic",
    "totals",
]
