"""The conversation log: filters, search, sorting, paging, links to the exports.

Belongs here: the page and its parts. Does not belong here: the questions (`serving.queries`), what
a filter means (`serving.filters`), making the exports (`serving.export`).
"""

from serving.pages.log.page import router
from serving.pages.log.view import PARAMETERS

__all__ = ["PARAMETERS", "router"]
