"""The routes of `/api`.

Belongs here: which resource answers which path. Does not belong here: the resources.
"""

from fastapi import APIRouter

router = APIRouter()
