"""The OpenAPI document, and the page that shows it.

Belongs here: what is said about the routes. Does not belong here: the routes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from serving import api
from serving.api import changes, conversations, routes, statistic
from serving.api.parameters import (
    DEFAULT_LIMIT,
    HIGHEST_LIMIT,
    HIGHEST_PAGE,
    Field,
)
from serving.api.schemas import (
    ChangeList,
    ConversationAnswer,
    ConversationList,
    Failure,
    StatisticAnswer,
)
from serving.web import page

router = APIRouter(prefix="/api")

_HEADERS = {
    "ETag": {
        "description": "The digest of the answer: send it back as If-None-Match.",
        "schema": {"type": "string"},
    },
    "X-Data-Version": {
        "description": "The published version that it is answered from.",
        "schema": {"type": "string"},
    },
}
_FLAG = {"type": "string", "enum": ["1", "0", "true", "false", "yes", "no"]}
_PAGING = (
    Field(
        "page",
        "The page.",
        {"type": "integer", "minimum": 1, "maximum": HIGHEST_PAGE, "default": 1},
    ),
    Field(
        "limit",
        "How many items a page has.",
        {"type": "integer", "minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT},
    ),
)
_FORMAT_HISTORY = Field(
    "formatHistory", "Taken and without effect: the history is always well formed.", _FLAG
)
_SOURCE = conversations.SOURCE_FIELD
# Of each path: the parameters outside `filters`, the filters, the answer.
_OPERATIONS: dict[str, tuple[tuple[Field, ...], tuple[Field, ...], type[BaseModel]]] = {
    "/api/2/conversation": (
        (
            *_PAGING,
            Field("full", "Whole documents instead of ids.", _FLAG),
            _FORMAT_HISTORY,
            _SOURCE,
        ),
        conversations.FILTERS,
        ConversationList,
    ),
    "/api/2/conversation/{id}": ((_FORMAT_HISTORY, _SOURCE), (_SOURCE,), ConversationAnswer),
    "/api/2/changes": (
        (
            Field(
                "since",
                "The cursor of an earlier answer; from the beginning when left out.",
                {"type": "string", "maxLength": changes.LONGEST_CURSOR},
            ),
            _PAGING[1],
        ),
        (),
        ChangeList,
    ),
    "/api/2/statistic": ((_SOURCE,), statistic.FILTERS, StatisticAnswer),
}
_PROBLEMS = {
    401: "No key, or one that does not open.",
    403: "Without keys the server answers to loopback names alone.",
    414: "The address is too long.",
    429: "Too many requests; Retry-After says when to ask again.",
    503: "Nothing is published yet, or the question takes too long.",
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    made: dict[str, Any] = get_openapi(
        title="Throughline",
        version="2",
        summary="The REST conversation resource",
        description=api.__doc__ or "",
        routes=routes.router.routes,
        separate_input_output_schemas=False,
    )
    schemas: dict[str, Any] = {}
    made["components"] = {"schemas": schemas}
    for path, (plain, filters, model) in _OPERATIONS.items():
        operation = made["paths"][path]["get"]
        operation["summary"] = operation["description"].removesuffix(".")
        operation["operationId"] = re.sub(r"\W+", "_", path.removeprefix("/api/2/")).strip("_")
        operation["parameters"] = [
            *(each for each in operation.get("parameters", []) if each["in"] == "path"),
            *(_parameter(field.name, field) for field in plain),
            *(_parameter(f"filters[{field.name}]", field) for field in filters),
        ]
        operation["responses"] = {
            "200": {
                "description": "The answer; what is wrong with a request is said in `meta`.",
                "headers": _HEADERS,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [_reference(model, schemas), _reference(Failure, schemas)]
                        }
                    }
                },
            },
            "304": {"description": "The client has the answer already."},
            **{
                str(status): {
                    "description": reason,
                    "content": {"application/json": {"schema": _reference(Failure, schemas)}},
                }
                for status, reason in _PROBLEMS.items()
            },
        }
    made["components"]["securitySchemes"] = {
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "parameter": {"type": "apiKey", "in": "query", "name": "key"},
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "The key as the user name, with any password.",
        },
    }
    # The last: without a configured key the server listens on loopback and asks for none.
    made["security"] = [{"header": []}, {"parameter": []}, {"basic": []}, {}]
    return made


def _parameter(name: str, field: Field) -> dict[str, Any]:
    # In words: the page would fill in an `example`, and ask with it.
    example = f" Such as `{field.example}`." if field.example else ""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": field.description + example,
        "schema": dict(field.schema),
    }


def _reference(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    """A reference to a model; it and what it is made of are added to the schemas."""
    if model.__name__ not in schemas:
        described = model.model_json_schema(
            ref_template="#/components/schemas/{model}", mode="serialization"
        )
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    return {"$ref": f"#/components/schemas/{model.__name__}"}


@router.get("/openapi.json", include_in_schema=False)
def show_document() -> Response:
    """The OpenAPI document."""
    return JSONResponse(document(), headers={"Cache-Control": "private, no-cache"})


@router.get("/docs", include_in_schema=False)
def show_page(request: Request) -> Response:
    """The OpenAPI document for people."""
    return page(request, "api_docs.html")
