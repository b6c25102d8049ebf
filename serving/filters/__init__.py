"""Which conversations: the filters that the log, the exports, the reports' links and REST share.

Belongs here: the fields of a filter, what each accepts, the condition that it stands for, and the
address that carries them. Does not belong here: sorting, paging (`serving.queries`), rendering
(`serving.pages`), and REST's own names (`serving.api.conversations`).
"""

from serving.filters.conditions import (
    ID_HASH,
    IS_ID,
    NONE,
    WINDOW,
    Condition,
    has_contact,
    has_id,
    to_conversation,
    where,
)
from serving.filters.fields import CONTACT_STATES, HIGHEST_SCORE, NPS_CLASSES, ROWS
from serving.filters.filter import BY_NAME, FIELDS, PARAMETERS, Filter, read
from serving.filters.search import MOST_WORDS, word_patterns

__all__ = [
    "BY_NAME",
    "CONTACT_STATES",
    "FIELDS",
    "HIGHEST_SCORE",
    "ID_HASH",
    "IS_ID",
    "MOST_WORDS",
    "NONE",
    "NPS_CLASSES",
    "PARAMETERS",
    "ROWS",
    "WINDOW",
    "Condition",
    "Filter",
    "has_contact",
    "has_id",
    "read",
    "to_conversation",
    "where",
    "word_patterns",
]
