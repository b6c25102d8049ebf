"""The routes of `/api`.

Belongs here: which resource answers which path. Does not belong here: the resources.

Each resource also answers under the platform's spellings `.json` and `.json-unicode`, which give
the same answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from serving.api import changes, conversations, resources, statistic
from serving.api.batches import Batches
from serving.api.clock import clock_of
from serving.api.document import MOST_LOOKED_UP
from serving.api.envelope import Content, RefusedError, content, success
from serving.api.numbering import with_numbers
from serving.api.parameters import Parameters
from serving.api.resources import Resource
from serving.parameters import Parameter
from serving.snapshot import Snapshot
from serving.web import asked_snapshot, current_snapshot, take_any_text

take_any_text("text")
router = APIRouter(prefix="/api/2", tags=["REST"])
Endpoint = Callable[..., Response] | Callable[..., Awaitable[Response]]
Current = Annotated[Snapshot, Depends(current_snapshot)]
Asked = Annotated[Snapshot, Depends(asked_snapshot)]
SPELLINGS = ("", ".json", ".json-unicode")
# Of batches of conversations: with one thread a core is idle, and three are no quicker than two.
ANSWERED_AT_ONCE = 2


def _read(path: str, spelled: str) -> Callable[[Endpoint], Endpoint]:
    """Serve a resource under each spelling; the plain one is documented."""

    def register(endpoint: Endpoint) -> Endpoint:
        for spelling in SPELLINGS:
            full_path = path.replace(spelled, spelled + spelling)
            router.add_api_route(
                full_path,
                endpoint,
                methods=["GET"],
                include_in_schema=not spelling,
                response_model=None,
            )
        return endpoint

    return register


def _parameters(request: Request, rows: Sequence[Parameter]) -> Parameters:
    return Parameters(request.query_params.multi_items(), rows)


@_read("/conversation", "conversation")
def list_conversations(request: Request, snapshot: Asked) -> Response:
    """List conversations, the newest first."""
    parameters = _parameters(request, conversations.LIST)
    clock = clock_of(snapshot, parameters.option("zone", ""))
    page = conversations.many(snapshot, clock, parameters)
    about = {"zone": clock.zone}
    return success(
        request,
        snapshot,
        content(snapshot, page.items, about=about, pagination=page.pagination),
    )


@_read("/conversation/{id:text}", "conversation")
async def show_conversation(
    request: Request, snapshot: Asked, id: Annotated[str, Path()]
) -> Response:
    """Show the conversation that an id leads to."""
    parameters = _parameters(request, conversations.DETAIL)
    # A look-up costs its planning and little else, so requests that come together share theirs.
    zone = parameters.option("zone", "")
    found = await snapshot.once(_together).ask((zone, id, parameters.source()))
    if isinstance(found, RefusedError):
        raise found
    return success(request, snapshot, found)


def _together(snapshot: Snapshot) -> Batches[tuple[str, str, str], Content | RefusedError]:
    def answer(asked: Sequence[tuple[str, str, str]]) -> list[Content | RefusedError]:
        made: dict[tuple[str, str, str], Content | RefusedError] = {}
        for zone in dict.fromkeys(zone for zone, _, _ in asked):
            clock = clock_of(snapshot, zone)
            mine = [each for each in asked if each[0] == zone]
            found = conversations.each(snapshot, clock, [(id, source) for _, id, source in mine])
            about = {"zone": clock.zone}
            for each, document in zip(mine, found, strict=True):
                made[each] = (
                    document
                    if isinstance(document, RefusedError)
                    else content(snapshot, document, about=about)
                )
        return [made[each] for each in asked]

    return Batches(answer, at_once=ANSWERED_AT_ONCE, most=MOST_LOOKED_UP)


@_read("/changes", "changes")
def list_changes(request: Request, snapshot: Current) -> Response:
    """List what changed behind a cursor."""
    found = changes.changes(snapshot, _parameters(request, changes.PARAMETERS))
    items = [with_numbers(snapshot, item) for item in found.items]
    return success(request, snapshot, content(snapshot, items, pagination=found.pagination))


@_read("/statistic", "statistic")
def show_statistic(request: Request, snapshot: Asked) -> Response:
    """Show the platform's indicators."""
    question = statistic.read(_parameters(request, statistic.PARAMETERS), snapshot)
    found = statistic.statistic(snapshot, question)
    if isinstance(found, list):
        found = [with_numbers(snapshot, figures) for figures in found]
    about = {"unavailable": question.unavailable} if question.unavailable else None
    return success(request, snapshot, content(snapshot, found, about=about))


def _add_unknowable(path: str, reason: str) -> None:
    def refuse() -> Response:
        raise RefusedError(f"'{name}' is not available. {reason}")

    name = path.partition("/{")[0].strip("/") + path.partition("}")[2]
    refuse.__doc__ = f"Say why there is no {name}."
    _read(path, path.split("/")[1])(refuse)


def _add(resource: Resource) -> None:
    def show_list(request: Request, snapshot: Asked) -> Response:
        parameters = _parameters(request, resource.list_rows)
        clock = clock_of(snapshot, parameters.option("zone", ""))
        page = resources.many(snapshot, clock, resource, parameters)
        about = {"zone": clock.zone}
        return success(
            request,
            snapshot,
            content(snapshot, page.items, about=about, pagination=page.pagination),
        )

    def show_one(request: Request, snapshot: Asked, id: Annotated[str, Path()]) -> Response:
        parameters = _parameters(request, resource.detail_rows)
        clock = clock_of(snapshot, parameters.option("zone", ""))
        found = resources.one(snapshot, clock, resource, id, parameters)
        return success(request, snapshot, content(snapshot, found, about={"zone": clock.zone}))

    show_list.__doc__ = f"{resource.title}."
    show_one.__doc__ = f"Show the {resource.name} of an id."
    _read(f"/{resource.name}", resource.name)(show_list)
    _read(f"/{resource.name}/{{id:text}}", resource.name)(show_one)


# First: an id may have a slash in it.
for _path, _reason in resources.UNKNOWABLE.items():
    _add_unknowable(_path, _reason)
for _resource in resources.RESOURCES:
    _add(_resource)
