"""Who hands over to whom: the figures of `/transfers`, straight from the marts.

Belongs here: which transfers are asked about, the aggregates over them, and the tables of an
export. Does not belong here: links, drawing (`pages.transfers`).
"""

from serving.queries.transfers.answer import Answer, answer
from serving.queries.transfers.costs import costs, earlier_legs
from serving.queries.transfers.question import MOST_ROWS, OUTCOMES, Question
from serving.queries.transfers.requests import OTHER, STEPS, nearest_day, transfers
from serving.queries.transfers.tables import TABLES, table
from serving.queries.transfers.ways import paths

__all__ = [
    "MOST_ROWS",
    "OTHER",
    "OUTCOMES",
    "STEPS",
    "TABLES",
    "Answer",
    "Question",
    "answer",
    "costs",
    "earlier_legs",
    "nearest_day",
    "paths",
    "table",
    "transfers",
]
