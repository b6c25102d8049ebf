"""Which address takes which parameters, and the check that it is asked for nothing else.

Belongs here: the pages and exports, by the path of their route; the REST resources name their rows
where they are read (`api.routes`), because a filter of theirs has brackets. Does not belong here:
the rows, reading values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fastapi import HTTPException, Request

from serving import parameters
from serving.export import routes as exports
from serving.pages import log, restatements, transfers
from serving.parameters import NotUnderstoodError, Parameter, whole
from serving.reports import question
from serving.reports.measures import KINDS

Rows = Sequence[Parameter]


def _report_export(path: Mapping[str, str]) -> Rows:
    if path["kind_name"] not in KINDS:
        raise HTTPException(404)
    return (*question.parameters_of(path["kind_name"]), exports.FORMAT)


# Paths that are not here take nothing.
_PLACES: Mapping[str, Rows | Callable[[Mapping[str, str]], Rows]] = {
    "/conversations": log.PARAMETERS,
    "/conversations/count": log.PARAMETERS,
    "/conversations/export": exports.PARAMETERS,
    "/conversations/{id:any_text}": (
        Parameter("source"),
        Parameter("after", whole(0, 999_999_999)),
    ),
    "/reports/statistics": question.parameters_of("statistics"),
    "/reports/contacts": question.parameters_of("contacts"),
    "/reports/restatements": restatements.PARAMETERS,
    "/reports/{kind_name}/export": _report_export,
    "/transfers": transfers.PARAMETERS,
    "/transfers/export": transfers.EXPORT_PARAMETERS,
}


def rows_of(route: str, path: Mapping[str, str]) -> Rows:
    """What an address takes.

    Args:
        route: the path of its route, with placeholders.
        path: what stands for the placeholders.
    """
    rows = _PLACES.get(route, ())
    return rows(path) if callable(rows) else rows


async def understood(request: Request) -> None:
    """Refuse what this address does not take (a FastAPI dependency).

    Raises:
        NotUnderstoodError: an unknown name, a value that cannot be read, one value too many.
    """
    rows = rows_of(request.scope["route"].path, request.path_params)
    _, problems = parameters.read(rows, request.query_params.multi_items())
    if problems:
        raise NotUnderstoodError(problems)
