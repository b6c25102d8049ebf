"""The models of the smaller resources, made of their declarations.

Belongs here: from a declared member to its type. Does not belong here: the declarations
(`serving.api.resources`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, create_model

from serving.api.resources import RESOURCES, Resource, declaring
from serving.api.schemas.frame import (
    Id,
    Model,
    Pagination,
    Told,
    local,
    unknown,
)


@dataclass(frozen=True)
class ResourceModels:
    """What a resource answers.

    Attributes:
        many: a page of its items.
        one: one item.
    """

    many: type[BaseModel]
    one: type[BaseModel]


_KINDS: dict[str, Any] = {
    declaring.ID: Id | None,
    declaring.IDS: list[Id],
    declaring.TEXT: str | None,
    declaring.TEXTS: list[str],
    declaring.NUMBER: float | None,
    declaring.FLAG: bool,
    declaring.UNKNOWN: None,
}


def _models(resource: Resource) -> ResourceModels:
    name = resource.name.capitalize()
    link = (str, Field(alias="_link", description="Its address, relative to `/api/2`."))
    members: dict[str, Any] = {}
    for member in resource.members:
        if member.kind == declaring.MOMENT:
            members[member.name] = (str | None, local(member.meaning))
        elif member.kind == declaring.UNKNOWN:
            members[member.name] = (None, unknown(member.meaning))
        else:
            members[member.name] = (_KINDS[member.kind], Field(description=member.meaning))
    item = create_model(
        f"{name}Item", __base__=Model, __doc__="An item of a list.", id=(Id, ...), link=link
    )
    # A conversation has transactions and a satisfaction of its own, which are models too.
    source: Any = str | None if resource.is_over_sources else str
    document = create_model(
        f"{name}Document",
        __base__=Model,
        __doc__=f"{resource.title}.",
        id=(Id, Field(description="The id, which means something only inside its source.")),
        link=link,
        source=(source, Field(description="The account of the platform that it comes from.")),
        **members,
    )
    return ResourceModels(
        create_model(
            f"{name}List",
            __base__=Model,
            __doc__="A page of items.",
            meta=(Told, ...),
            data=(list[item] | list[document], ...),  # type: ignore[arg-type, valid-type]
            pagination=(Pagination, ...),
        ),
        create_model(
            f"{name}Answer",
            __base__=Model,
            __doc__="One item.",
            meta=(Told, ...),
            data=(document, ...),
        ),
    )


RESOURCE_MODELS = {resource.name: _models(resource) for resource in RESOURCES}
