"""The OpenAPI document, and the page that shows it.

Belongs here: what is said about the routes. Does not belong here: the routes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from serving import api
from serving.api import changes, conversations, resources, routes, statistic
from serving.api.schemas import (
    RESOURCE_MODELS,
    ChangeList,
    ConversationAnswer,
    ConversationList,
    Failure,
    StatisticAnswer,
)
from serving.parameters import Parameter
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
# Of each path: what it takes, and the answer.
_OPERATIONS: dict[str, tuple[Sequence[Parameter], type[BaseModel]]] = {
    "/api/2/conversation": (conversations.LIST, ConversationList),
    "/api/2/conversation/{id}": (conversations.DETAIL, ConversationAnswer),
    "/api/2/changes": (changes.PARAMETERS, ChangeList),
    "/api/2/statistic": (statistic.PARAMETERS, StatisticAnswer),
    **{
        f"/api/2/{resource.name}": (resource.list_rows, RESOURCE_MODELS[resource.name].many)
        for resource in resources.RESOURCES
    },
    **{
        f"/api/2/{resource.name}/{{id}}": (
            resource.detail_rows,
            RESOURCE_MODELS[resource.name].one,
        )
        for resource in resources.RESOURCES
    },
    **{f"/api/2{path.replace(':text', '')}": ((), Failure) for path in resources.UNKNOWABLE},
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
    for path, (rows, model) in _OPERATIONS.items():
        operation = made["paths"][path]["get"]
        operation["summary"] = operation["description"].removesuffix(".")
        operation["operationId"] = re.sub(r"\W+", "_", path.removeprefix("/api/2/")).strip("_")
        operation["parameters"] = [
            *(each for each in operation.get("parameters", []) if each["in"] == "path"),
            *(_parameter(row, name) for row in rows for name in (row.name, *row.aliases)),
        ]
        answers: list[type[BaseModel]] = [model, *([Failure] if model is not Failure else [])]
        operation["responses"] = {
            "200": {
                "description": "The answer; what is wrong with a request is said in `meta`.",
                "headers": _HEADERS,
                "content": {
                    "application/json": {
                        "schema": {"anyOf": [_reference(each, schemas) for each in answers]}
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


def _parameter(row: Parameter, name: str) -> dict[str, Any]:
    # In words: the page would fill in an `example`, and ask with it.
    example = f" Such as `{row.example}`." if row.example else ""
    # Several values are one text with commas, and a schema of one would forbid it.
    schema = {"type": "string"} if row.is_list else dict(row.type.schema)
    return {
        "name": f"filters[{name}]" if row.is_filter else name,
        "in": "query",
        "required": False,
        "deprecated": name != row.name,
        "description": (row.meaning if name == row.name else f"Use `{row.name}`.") + example,
        "schema": schema,
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
