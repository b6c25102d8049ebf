"""A page.

Belongs here: the page. Does not belong here: other pages.
"""

from fastapi import APIRouter

router = APIRouter()
