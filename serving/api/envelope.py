"""The platform's envelope: `{meta: {status, message}, data, pagination}`.

Belongs here: making it and sending it. Does not belong here: what is in it.

The platform reports what is wrong in `meta` and not as the HTTP status, and clients written for it
rely on that. Only what HTTP itself has to say is said there too: no key (401), a wrong method
(405), too many requests (429), no answer now (503).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from serving.snapshot import Snapshot


class RefusedError(Exception):
    """The request asks for what cannot be; the message names the field and the remedy.

    Attributes:
        status: `fail`, or `error` where the platform says so.
    """

    def __init__(self, message: str, status: str = "fail") -> None:
        super().__init__(message)
        self.status = status


def failure(
    status_text: str, message: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An answer without data.

    Args:
        status_text: `fail` when the request asks for what cannot be, `error` otherwise.
        message: what is wrong and, where it helps, the remedy.
        status: the HTTP status.
        headers: further headers.
    """
    return JSONResponse(
        {"meta": {"status": status_text, "message": message}},
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


@dataclass(frozen=True)
class Content:
    """An answer with data, as it is sent.

    Attributes:
        text: JSON in UTF-8.
        tag: its entity tag: a digest of it, so it is true whatever made the answer change.
    """

    text: bytes
    tag: str


def content(
    snapshot: Snapshot, data: Any, *, about: Mapping[str, Any] | None = None, **more: Any
) -> Content:
    """Write an answer.

    Args:
        snapshot: the version that it is answered from, named in `meta`.
        data: what JSON can write.
        about: further members of `meta`.
        more: further members of the envelope, such as `pagination`.
    """
    meta = {"status": "success", "version": snapshot.version, **(about or {})}
    text = json.dumps(
        {"meta": meta, "data": data, **more},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    return Content(text, f'"{hashlib.blake2b(text, digest_size=16).hexdigest()}"')


def success(request: Request, snapshot: Snapshot, content: Content) -> Response:
    """An answer with data, or 304 when the client has it already.

    Args:
        request: answered by it.
        snapshot: the version that it is answered from, named in a header.
        content: the answer.
    """
    headers = {
        "Cache-Control": "private, no-cache",
        "ETag": content.tag,
        "X-Data-Version": snapshot.version,
    }
    if _matches(request.headers.get("if-none-match", ""), content.tag):
        return Response(status_code=304, headers=headers)
    return Response(content.text, media_type="application/json", headers=headers)


def _matches(given: str, tag: str) -> bool:
    tags = [each.strip().removeprefix("W/") for each in given.split(",")]
    return tag in tags or tags == ["*"]
