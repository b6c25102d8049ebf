"""The routes of `/export`.

Belongs here: reading what is asked for and answering with a stream.
Does not belong here: making the files.
"""

from fastapi import APIRouter

router = APIRouter()
