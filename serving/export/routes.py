"""`/conversations/export`: the whole filtered log as a file.

Belongs here: reading what is asked for. Does not belong here: making the file.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import Response

from serving import filters, i18n
from serving.export import log, stream
from serving.filters import Filter
from serving.snapshot import Snapshot
from serving.web import current_snapshot

router = APIRouter(include_in_schema=False)

UNKNOWN_GRAIN = i18n.mark("The grain of an export is conversation, contact or both.")
UNREADABLE = i18n.mark("A filter of this export cannot be read: nothing is exported.")


@router.get("/conversations/export")
def export_conversations(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The conversations of a filter, their contacts, or both.

    Raises:
        HTTPException: 400. A filter that cannot be read would export more than was asked for.
    """
    parameters = request.query_params
    wanted, problems = filters.read(parameters.multi_items())
    if problems:
        raise HTTPException(400, UNREADABLE)
    grain = parameters.get("grain") or "conversation"
    if grain not in log.GRAINS:
        raise HTTPException(400, UNKNOWN_GRAIN)
    return stream.export(
        request,
        snapshot,
        log.tables(wanted, grain),
        parameters.get("format") or "csv",
        _name(wanted, grain),
    )


def _name(wanted: Filter, grain: str) -> str:
    what = "contacts" if grain == "contact" else "conversations"
    days = [day.isoformat() for day in (wanted.first_day, wanted.last_day) if day]
    return "-".join(["throughline", what, *days])
