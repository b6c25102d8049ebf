"""`/transfers`: who hands over to whom, along which ways, after what wait, at what price.

Belongs here: the page and its parts. Does not belong here: the figures
(`serving.queries.transfers`).
"""

from serving.pages.transfers.page import EXPORT_PARAMETERS, PARAMETERS, TABLES, router

__all__ = ["EXPORT_PARAMETERS", "PARAMETERS", "TABLES", "router"]
