"""What pages share: the templates' environment, and the answer that renders one.

Belongs here: the environment, its filters, page-wide context. Does not belong here: any page.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.convertors import Convertor, register_url_convertor

from serving import i18n
from serving.scopes import Scope
from serving.snapshot import Snapshot, Snapshots, Versions

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


class _AnyText(Convertor[str]):
    """The rest of a path, slashes and line breaks included: an id is whatever a source writes."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def take_any_text(name: str) -> None:
    """Let a route have a place for any text, as in `{id:name}`."""
    register_url_convertor(name, _AnyText())


@cache
def environment() -> Environment:
    """The templates: everything is escaped, an undefined name is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=True
    )
    for filter_ in (
        i18n.number,
        i18n.percent,
        i18n.signed,
        i18n.money,
        i18n.duration,
        i18n.day,
        i18n.moment,
        i18n.clock,
        i18n.zone_label,
    ):
        made.filters[filter_.__name__] = filter_
    made.filters["json_attribute"] = json_attribute
    made.globals.update(
        asset=asset,
        quoted=i18n.quoted,
        titled=i18n.titled,
        language=i18n.language,
        languages=i18n.NAMES,
        period=i18n.period,
    )
    return made


def json_attribute(value: Any) -> str:
    """A value as JSON for a `data-` attribute: escaped as any other text by the template."""
    return json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))


@cache
def asset(name: str) -> str:
    """The address of a file of `static/`, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


async def current_snapshot(request: Request) -> Snapshot:
    """The version that this request is answered from, held to what its key reads (a FastAPI
    dependency, and the one place where an answer comes by a version).

    Raises:
        NothingPublishedError: there is none.
        AttributeError: nobody has said what the request may read.
    """
    snapshots: Snapshots = request.app.state.snapshots
    scope: Scope = request.state.scope
    # Opening a new one takes a while, so a thread does it; going to one for nothing costs a tenth
    # of a short answer.
    snapshot = snapshots.unchanged()
    if snapshot is None or not snapshot.is_ready(scope):
        snapshot = await run_in_threadpool(lambda: snapshots.current().within(scope))
    else:
        snapshot = snapshot.within(scope)
    request.state.snapshot = snapshot
    return snapshot


async def asked_snapshot(request: Request) -> Snapshot:
    """The version that a request names, else the current one (a FastAPI dependency).

    Raises:
        NotKeptError: it names one that is not kept.
        NothingPublishedError: there is none.
    """
    snapshot = await current_snapshot(request)
    asked = request.query_params.get("version", "").strip()
    if asked in ("", snapshot.version):
        return snapshot
    versions: Versions = request.app.state.versions

    def find() -> Snapshot | None:
        name = versions.name(asked)
        return None if name == snapshot.version else versions.find(name).within(scope)

    scope: Scope = request.state.scope
    found = await run_in_threadpool(find)
    if found is not None:
        request.state.snapshot = found
    return found or snapshot


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A page.

    Args:
        request: answered by it; its snapshot, when it has one, is named in the footer.
        template: a file of `templates/`.
        status: the HTTP status.
        headers: further headers.
        context: what the template needs.
    """
    snapshot: Snapshot | None = getattr(request.state, "snapshot", None)
    here = request.url.path
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "key"]
    text = (
        environment()
        .get_template(template)
        .render(
            request=request,
            here=here,
            parameters=others,
            snapshot=snapshot,
            partial=request.headers.get("hx-request") == "true",
            **context,
        )
    )
    sent = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie, HX-Request"}
    if snapshot:
        sent["X-Data-Version"] = snapshot.version
    return HTMLResponse(text, status_code=status, headers={**sent, **(headers or {})})
