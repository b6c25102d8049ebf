"""The REST resources, in the source platform's own conventions.

Belongs here: resources, their parameters and documents. Does not belong here: the pages (pages),
keys and limits (security).

A client written for the platform's REST API can be pointed here: the same paths, keys, paging,
filters and field names. One entry is one *unified* conversation: all contacts that transfers and
other evidence join, under one id.

What is not understood is refused, and the message says what is taken. `from`, `to`, `created_at`
and the order are on one clock, which `meta` names as `zone`: that of the projects or sources that
the key is bound to, where they have one, else UTC; `zone=Europe/Paris` asks for another. `meta`
also names the `version` of the data, and `version=` asks for one that is kept.
"""

from fastapi import APIRouter

from serving.api import docs, routes
from serving.api.envelope import RefusedError, failure

router = APIRouter()
router.include_router(routes.router)
router.include_router(docs.router)

__all__ = ["RefusedError", "failure", "router"]
