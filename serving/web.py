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

from serving import i18n
from serving.snapshot import Snapshot, Snapshots

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


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
        asset=asset, language=i18n.language, languages=i18n.NAMES, period=i18n.period
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
    """The version that this request is answered from (a FastAPI dependency).

    Raises:
        NothingPublishedError: there is none.
    """
    snapshots: Snapshots = request.app.state.snapshots
    # Opening a new one takes a while, so a thread does it; going to one for nothing costs a tenth
    # of a short answer.
    snapshot = snapshots.unchanged()
    if snapshot is None:
        snapshot = await run_in_threadpool(snapshots.current)
    request.state.snapshot = snapshot
    return snapshot


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
