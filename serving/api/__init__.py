"""The REST resources, in the source platform's own conventions.

A client written for the platform's REST API can be pointed here: the same paths, keys, paging,
filters and field names. One entry is one *unified* conversation: all contacts that transfers and
other evidence join, under one id.
"""

from fastapi import APIRouter

from serving.api import docs, routes
from serving.api.envelope import RefusedError, failure

router = APIRouter()
router.include_router(routes.router)
router.include_router(docs.router)

__all__ = ["RefusedError", "failure", "router"]
