"""The routes of `/api`.

Belongs here: which resource answers which path. Does not belong here: the resources.

Each resource also answers under the platform's spellings `.json` and `.json-unicode`, which give
the same answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from serving.api import changes, conversations, statistic
from serving.api.conversations import FILTERS, SOURCE_FIELD, UNAVAILABLE
from serving.api.document import MOST_LOOKED_UP
from serving.api.envelope import Content, RefusedError, content, success
from serving.api.parameters import Parameters
from serving.batches import Batches
from serving.snapshot import Snapshot
from serving.web import current_snapshot


class _TextConvertor(Convertor[str]):
    """Any text of a path, slashes and line breaks too: ids are whatever a source writes."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _TextConvertor())
router = APIRouter(prefix="/api/2", tags=["REST"])
Endpoint = Callable[..., Response] | Callable[..., Awaitable[Response]]
Current = Annotated[Snapshot, Depends(current_snapshot)]
SPELLINGS = ("", ".json", ".json-unicode")
# Of batches of conversations: with one thread a core is idle, and three are no quicker than two.
ANSWERED_AT_ONCE = 2


def _read(path: str, spelled: str) -> Callable[[Endpoint], Endpoint]:
    """Serve a resource under each spelling, to GET and HEAD; the plain one is documented."""

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
            router.add_api_route(
                full_path,
                endpoint,
                methods=["HEAD"],
                include_in_schema=False,
                response_model=None,
            )
        return endpoint

    return register


@_read("/conversation", "conversation")
def list_conversations(request: Request, snapshot: Current) -> Response:
    """List conversations, the newest first."""
    parameters = Parameters(request.query_params.multi_items(), FILTERS, UNAVAILABLE)
    page = conversations.many(snapshot, parameters)
    return success(request, snapshot, content(page.items, pagination=page.pagination))


@_read("/conversation/{id:text}", "conversation")
async def show_conversation(
    request: Request, snapshot: Current, id: Annotated[str, Path()]
) -> Response:
    """Show the conversation that an id leads to."""
    parameters = Parameters(request.query_params.multi_items(), (SOURCE_FIELD,))
    parameters.plain_flag("formatHistory")
    parameters.plain_flag("full")
    # A look-up costs its planning and little else, so requests that come together share theirs.
    found = await snapshot.once(_together).ask((id, parameters.source()))
    if isinstance(found, RefusedError):
        raise found
    return success(request, snapshot, found)


def _together(snapshot: Snapshot) -> Batches[tuple[str, str], Content | RefusedError]:
    def answer(ids: Sequence[tuple[str, str]]) -> list[Content | RefusedError]:
        return [
            found if isinstance(found, RefusedError) else content(found)
            for found in conversations.each(snapshot, ids)
        ]

    return Batches(answer, at_once=ANSWERED_AT_ONCE, most=MOST_LOOKED_UP)


@_read("/changes", "changes")
def list_changes(request: Request, snapshot: Current) -> Response:
    """List what changed behind a cursor."""
    found = changes.changes(snapshot, Parameters(request.query_params.multi_items()))
    return success(request, snapshot, content(found.items, pagination=found.pagination))


@_read("/statistic", "statistic")
def show_statistic(request: Request, snapshot: Current) -> Response:
    """Show the platform's indicators."""
    parameters = Parameters(request.query_params.multi_items(), statistic.FILTERS)
    question = statistic.read(parameters, snapshot)
    return success(request, snapshot, content(statistic.statistic(snapshot, question)))
