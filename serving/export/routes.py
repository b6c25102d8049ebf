"""`/conversations/export`: the whole filtered log as a file.

Belongs here: reading what is asked for. Does not belong here: making the file.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving import filters, parameters
from serving.export import log, stream
from serving.export.jobs import FORMATS
from serving.filters import Filter
from serving.parameters import NotUnderstoodError, Parameter, choice
from serving.scopes import Scope
from serving.snapshot import Snapshot
from serving.web import current_snapshot

router = APIRouter(include_in_schema=False)

# What an export takes beside what it is of.
FORMAT = Parameter("format", choice(FORMATS))
PARAMETERS = (*filters.PARAMETERS, FORMAT, Parameter("grain", choice(log.GRAINS)))


@router.get("/conversations/export")
def export_conversations(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The conversations of a filter, their contacts, or both.

    Raises:
        NotUnderstoodError: something of it cannot be read, and would export more than was asked.
    """
    given = request.query_params.multi_items()
    wanted, problems = filters.read(given)
    values, more = parameters.read(PARAMETERS, given)
    if problems or more:
        raise NotUnderstoodError(problems or more)
    grain = values.get("grain", "conversation")
    return stream.export(
        request,
        snapshot,
        log.tables(wanted, grain, in_order=snapshot.is_in_order),
        values.get("format", "csv"),
        _name(wanted, grain, snapshot.scope),
    )


def _name(wanted: Filter, grain: str, scope: Scope) -> str:
    what = {"contact": "contacts", "conversation": "conversations"}.get(grain, "log")
    days = [day.isoformat() for day in (wanted.first_day, wanted.last_day) if day]
    name = "-".join(["throughline", what, *days])
    rest = [pair for pair in wanted.pairs() if pair[0] not in ("from", "to")]
    return stream.told_apart(name, scope, rest)
