"""The platform's envelope: `{meta: {status, message}, data, pagination}`.

Belongs here: making it. Does not belong here: what is in it.

The platform reports what is wrong in `meta` and not as the HTTP status, and clients written for it
rely on that. Only what HTTP itself has to say is said there too: no key (401), a wrong method
(405), too many requests (429), no answer now (503).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse


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
