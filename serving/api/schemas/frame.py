"""What all answers share.

Belongs here: the envelope, and short ways to write a kind of member. Does not belong here: what is
in `data`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

LOCAL_TIME = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$"
UTC_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$"
# A text, or a number where the registry says so of the source (`numeric_ids`).
Id = str | int
AgentKind = Literal["human", "expert", "bot", "system"] | None


class Model(BaseModel):
    """What no member may be in that is not described."""

    model_config = ConfigDict(extra="forbid")


def local(description: str) -> Any:
    """A moment on the clock of the answer."""
    return Field(
        description=f"{description} On the clock that `meta` names.",
        pattern=LOCAL_TIME,
        examples=["2026-09-14 21:32:10"],
    )


def utc(description: str) -> Any:
    """A moment in UTC."""
    return Field(
        description=f"{description} In UTC.", pattern=UTC_TIME, examples=["2026-09-15T01:32:10Z"]
    )


def unknown(description: str) -> Any:
    """What no log holds."""
    return Field(description=f"{description} Always null: no log of this warehouse holds it.")


class Success(Model):
    """How the request went."""

    status: Literal["success"]
    version: str = Field(
        description="The published version that it is answered from: a value of `version`."
    )


class Told(Success):
    """How the request went, and on which clock it tells the time."""

    zone: str = Field(
        description="The clock of `created_at`, `from`, `to` and the order.", examples=["UTC"]
    )


class Problem(Model):
    """What is wrong."""

    status: Literal["fail", "error"] = Field(
        description="`fail`: the request asks for what cannot be. `error`: anything else."
    )
    message: str = Field(description="What is wrong and, where it helps, the remedy.")


class Failure(Model):
    """An answer without data."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"meta": {"status": "fail", "message": "Unknown 'conversation' with 'id' 42."}}
            ]
        },
    )

    meta: Problem


class Pagination(Model):
    """Where a page stands."""

    page: int = Field(ge=1, description="This page.")
    pages: int = Field(ge=1, description="How many pages there are; 1 when there is nothing.")
    limit: int = Field(ge=1, le=100, description="How many items a page has.")
    count: int = Field(ge=0, description="How many items there are.")
