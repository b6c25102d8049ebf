"""The application: REST, pages, exports, errors.

Belongs here: putting the parts together, and what answers when something is wrong.
Does not belong here: the parts.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from orchestration.settings import ServingSettings
from serving import api, i18n, pages
from serving.export import routes as exports
from serving.export.stream import Exports
from serving.keys import Keys
from serving.security import YEAR, Guard, Refusal
from serving.snapshot import NothingPublishedError, QueryTooLongError, Snapshots
from serving.web import STATIC, page

API_PREFIX = "/api/"

#: What the framework itself says, for the catalogues.
_FRAMEWORK = (i18n.mark("Not Found"), i18n.mark("Method Not Allowed"))

log = logging.getLogger("throughline.serving")


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
    app.state.exports = Exports(settings)
    app.mount("/static", _StaticFiles(directory=STATIC), name="static")
    app.include_router(api.router)
    app.include_router(exports.router)
    app.include_router(pages.router)

    @app.get("/health", include_in_schema=False)
    def health() -> JSONResponse:
        """Whether a version is served, for whatever watches the server."""
        try:
            snapshot = app.state.snapshots.current()
        except NothingPublishedError as error:
            return JSONResponse({"status": "waiting", "reason": str(error)}, status_code=503)
        return JSONResponse({"status": "ok", "data_version": snapshot.version})

    _install_errors(app)
    app.add_middleware(
        Guard, keys=Keys(settings), per_minute=settings.requests_per_minute, refuse=_refused
    )
    return app


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

    @app.exception_handler(NothingPublishedError)
    async def nothing_published(request: Request, error: NothingPublishedError) -> Response:
        log.error("%s", error)
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
