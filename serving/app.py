"""The application: REST, pages, exports, errors.

Belongs here: putting the parts together, and what answers when something is wrong.
Does not belong here: the parts.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import Receive, Scope, Send

from serving import api, i18n, pages
from serving.export import routes as exports
from serving.export.jobs import FORMATS
from serving.export.stream import Exports
from serving.i18n import mark
from serving.keys import Keys
from serving.parameters import NotUnderstoodError, Problem
from serving.places import understood
from serving.security import YEAR, Guard, Refusal
from serving.snapshot import (
    NothingPublishedError,
    NotKeptError,
    QueryTooLongError,
    Snapshots,
    Versions,
)
from serving.web import STATIC, page
from throughline.settings import ServingSettings

API_PREFIX = "/api/"
# Nine parts of ten of what the highest saves, at a third of its time.
COMPRESSION = 5
# Exports are passed on as they are made: XLSX and Parquet are compressed already, and a CSV of many
# gigabytes would take longer to compress than to send.
EXPORTED = tuple(made.media_type for made in FORMATS.values())

_NO_GZIP = re.compile(rb"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")

#: What the framework itself says, for the catalogues.
_FRAMEWORK = (i18n.mark("Not Found"), i18n.mark("Method Not Allowed"))

log = logging.getLogger("throughline.serving")


class _Compressing(GZipMiddleware):
    """Compresses for whoever takes it. Starlette's own takes `gzip;q=0` for a yes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [each for each in scope["headers"] if not _refuses_gzip(*each)]
        await super().__call__(scope, receive, send)


def _refuses_gzip(name: bytes, value: bytes) -> bool:
    return name == b"accept-encoding" and bool(_NO_GZIP.search(value.lower()))


class _StaticFiles(StaticFiles):
    """Files whose address changes with their content, so that browsers keep them."""

    def file_response(self, *arguments: object, **more: object) -> Response:
        response = super().file_response(*arguments, **more)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return response


def create_app(settings: ServingSettings) -> FastAPI:
    """The application over the published snapshot of the settings' folder."""
    app = FastAPI(
        title="Throughline",
        version="2",
        description=api.__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.settings = settings
    app.state.snapshots = Snapshots(settings)
    app.state.versions = Versions(settings)
    app.state.exports = Exports(settings)
    app.mount("/static", _StaticFiles(directory=STATIC), name="static")
    app.include_router(api.router)
    for router in (exports.router, pages.router):
        app.include_router(router, dependencies=[Depends(understood)])

    @app.get("/health", include_in_schema=False)
    def health() -> JSONResponse:
        """What is served and what is not, for whatever watches the server: `ok`, `stale` when a
        version could not be opened and the one before is served, `waiting` when there is none.
        """
        found = app.state.snapshots.health()
        if found.snapshot is None:
            return _told({"status": "waiting", "reason": found.problem}, status=503)
        published_at = found.snapshot.published_at.replace(tzinfo=UTC)
        told = {
            "status": "stale" if found.problem else "ok",
            "data_version": found.snapshot.version,
            "published_at": published_at.isoformat(),
            "age_seconds": max(0, int((datetime.now(UTC) - published_at).total_seconds())),
        }
        return _told({**told, "reason": found.problem} if found.problem else told)

    _install_errors(app)
    app.add_middleware(
        _Compressing,
        compresslevel=COMPRESSION,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *EXPORTED),
    )
    app.add_middleware(Guard, keys=Keys(settings), settings=settings, refuse=_refused)
    return app


def _told(state: dict[str, Any], *, status: int = 200) -> JSONResponse:
    return JSONResponse(state, status_code=status, headers={"Cache-Control": "no-store"})


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(API_PREFIX)


def _refused(request: Request, refusal: Refusal) -> Response:
    headers = {}
    if refusal.retry_after:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Throughline", charset="UTF-8"'
    if _is_api(request):
        return api.failure("error", refusal.message, status=refusal.status, headers=headers)
    return _error_page(request, refusal.status, refusal.message, headers)


def _install_errors(app: FastAPI) -> None:
    @app.exception_handler(api.RefusedError)
    async def refused(request: Request, error: api.RefusedError) -> Response:
        return api.failure(error.status, str(error))

    @app.exception_handler(NotUnderstoodError)
    async def not_understood(request: Request, error: NotUnderstoodError) -> Response:
        if request.headers.get("hx-request") == "true":
            # A part of a page has no place for it: the whole address is asked for, which says it.
            return Response(headers={"HX-Redirect": str(request.url), "Cache-Control": "no-store"})
        return page(request, "refused.html", status=400, problems=error.problems)

    @app.exception_handler(NotKeptError)
    async def not_kept(request: Request, error: NotKeptError) -> Response:
        if _is_api(request):
            return api.failure("fail", str(error))
        problem = Problem("version", error.version, mark("a version that is kept, or a later day"))
        return page(request, "refused.html", status=400, problems=[problem])

    @app.exception_handler(NothingPublishedError)
    async def nothing_published(request: Request, error: NothingPublishedError) -> Response:
        text = "Nothing is published yet: run `make run`, then ask again."
        if _is_api(request):
            return api.failure("error", text, status=503, headers={"Retry-After": "60"})
        return _error_page(request, 503, i18n.mark("Nothing is published yet."))

    @app.exception_handler(QueryTooLongError)
    async def too_long(request: Request, error: QueryTooLongError) -> Response:
        log.warning("%s", error)
        if _is_api(request):
            return api.failure("error", f"{error}: ask for less.".capitalize(), status=503)
        return _error_page(request, 503, i18n.mark("This question takes too long."))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if _is_api(request):
            return api.failure(
                "error", str(error.detail), status=error.status_code, headers=headers
            )
        return _error_page(request, error.status_code, str(error.detail), headers)


def _error_page(
    request: Request, status: int, reason: str, headers: dict[str, str] | None = None
) -> Response:
    return page(request, "error.html", status=status, headers=headers, code=status, reason=reason)
