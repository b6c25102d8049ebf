"""The REST resources, in the source platform's own conventions.

A client written for the platform's REST API can be pointed here: the same paths, keys, paging,
filters and field names. One entry is one *unified* conversation: all contacts that transfers and
other evidence join, under one id.
"""

from serving.api.envelope import failure
from serving.api.routes import router

__all__ = ["failure", "router"]
