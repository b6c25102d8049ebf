"""Who may ask, how often, and what a browser may do with the answer.

Belongs here: keys of a request, limits, headers, the log of requests. Does not belong here: the
file of keys (`keys`), what is answered.

Without a key the server answers this machine alone: peers on loopback, at a loopback address and by
a loopback name, so that a page elsewhere cannot reach it by a name of its own (DNS rebinding), and
nothing that a proxy has passed on, whose peer is always on loopback. A server that has once had a
key asks for one until it is started again: a key that is taken away closes and never opens.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import i18n
from serving.keys import Keys
from serving.scopes import EVERYTHING
from throughline.settings import ServingSettings

LONGEST_ADDRESS = 8192
ATTEMPTS_PER_MINUTE = 30
LANGUAGE_COOKIE = "language"
YEAR = 365 * 24 * 3600
INTERNAL_ERROR = i18n.mark("Something went wrong here.")
# Scripts, styles and pictures come from here and from nowhere else; no script stands in a page.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# What an answer depends on beside its address; some answers add their own.
VARY = "X-API-Key, Authorization, Origin"
# Marks of a proxy. A request that bears one did not come from whoever its peer is.
FORWARDING = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]+)(?::[0-9]{1,5})?")
# What a page elsewhere may send and read, where a key allows it.
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "X-API-Key, Authorization, If-None-Match",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
}
_READABLE = "ETag, X-Data-Version, Retry-After, Content-Disposition"
_TRANSPORT = f"max-age={YEAR}"

log = logging.getLogger("throughline.serving")


def is_open(path: str) -> bool:
    """Whether an address is open to everybody: it holds nothing of the data."""
    return path == "/health" or path.startswith("/static/")


def is_loopback(host: str) -> bool:
    """Whether an address or a host name is this machine alone."""
    name = host.strip("[]").lower().removesuffix(".")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_local_name(hosts: Sequence[str]) -> bool:
    """Whether a request names this machine, in its one header `Host`."""
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return found is not None and is_loopback(found[1])


def _is_forwarded(headers: Headers) -> bool:
    names = (name.lower().replace("_", "-") for name in headers)
    return any(name in FORWARDING or name.startswith("x-forwarded") for name in names)


def _last(headers: Headers, name: str) -> str:
    """The last value of a header that is a list: the one that the proxy before the server wrote."""
    values = headers.getlist(name)
    return values[-1].rpartition(",")[2].strip() if values else ""


def key_of(headers: Headers, query: str) -> str:
    """The key of a request: `X-API-Key`, the parameter `key`, or the name of HTTP Basic."""
    given = headers.get("x-api-key", "")
    if given:
        return given
    for name, value in parse_qsl(query):
        if name == "key":
            return value
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(encoded, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[0]
    return ""


class Limiter:
    """Token buckets: an even rate, and a burst of a sixth of a minute's worth."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._burst = max(1.0, per_minute / 6)
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, who: str) -> float:
        """Take one: 0 when there was one, else the seconds until there is."""
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) > 10_000:
                self._forget(now)
            tokens, at = self._buckets.get(who, (self._burst, now))
            tokens = min(self._burst, tokens + (now - at) * self._rate)
            if tokens >= 1:
                self._buckets[who] = (tokens - 1, now)
                return 0.0
            self._buckets[who] = (tokens, now)
            return (1 - tokens) / self._rate

    def _forget(self, now: float) -> None:
        full = self._burst / self._rate
        self._buckets = {who: kept for who, kept in self._buckets.items() if now - kept[1] < full}


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered.

    Attributes:
        status: the HTTP status.
        message: a word or two, in English.
        retry_after: seconds after which to try again; 0 when that would not help.
    """

    status: int
    message: str
    retry_after: int = 0


class Guard:
    """The outermost layer: limits, keys, the language, headers, the log of requests.

    Nothing personal is logged: the route's pattern instead of the path, no query string, no
    address, and of an unexpected error the place alone, because its text may quote a visitor.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        settings: ServingSettings,
        refuse: Callable[[Request, Refusal], Response],
    ) -> None:
        self._app = app
        self._keys = keys
        self._limiter = Limiter(settings.requests_per_minute)
        self._attempts = Limiter(ATTEMPTS_PER_MINUTE)
        self._refuse = refuse
        self._behind_proxy = settings.behind_proxy
        self._listens_at_home = is_loopback(settings.host)
        self._said_closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"nothing here answers {scope['type']}")
        began = time.perf_counter()
        status = 0
        request = Request(scope, receive)
        scope.setdefault("state", {}).update(key_name="", origins=())
        remembered = self._use_language(request)
        # Whatever answers GET answers HEAD; the server leaves the body out.
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        scope["state"]["is_head"] = inner is not scope

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                self._complete(request, headers)
                if remembered:
                    message["headers"].append((b"set-cookie", remembered.encode()))
            await send(message)

        try:
            refusal = self._refusal(scope)
            if answer := self._preflight(request):
                await answer(scope, receive, send_guarded)
            elif refusal:
                await self._refuse(request, refusal)(scope, receive, send_guarded)
            else:
                await self._app(inner, receive, send_guarded)
        except Exception as error:
            places = " < ".join(
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in reversed(traceback.extract_tb(error.__traceback__))
            )
            log.error("unexpected %s at %s", type(error).__name__, places)
            if status:
                raise ConnectionAbortedError("the answer broke off") from None
            response = self._refuse(request, Refusal(500, INTERNAL_ERROR))
            await response(scope, receive, send_guarded)
        finally:
            log.info(
                "%s %s %s %.0f ms key=%s",
                scope["method"],
                getattr(inner.get("route"), "path", "-"),
                status or "-",
                (time.perf_counter() - began) * 1000,
                scope["state"]["key_name"] or "-",
            )

    def _complete(self, request: Request, headers: MutableHeaders) -> None:
        """Give an answer the headers that every answer has."""
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if not is_open(request.url.path):
            headers.add_vary_header(VARY)
        tag = headers.get("etag", "")
        if tag.startswith('"') and "content-encoding" in headers:
            # Of what is sent in two encodings a strong tag would be true of one.
            headers["etag"] = f"W/{tag}"
        if "location" in headers:
            headers["location"] = without_key(headers["location"])
        origin = request.headers.get("origin", "")
        if origin and origin in request.state.origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = _READABLE
        if self._behind_proxy and _last(request.headers, "x-forwarded-proto").lower() == "https":
            headers.setdefault("Strict-Transport-Security", _TRANSPORT)

    def _preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks whether a page elsewhere may ask, without the key."""
        origin = request.headers.get("origin", "")
        if request.method != "OPTIONS" or "access-control-request-method" not in request.headers:
            return None
        if not any(origin in key.origins for key in self._keys.all()):
            return None
        return Response(
            status_code=204, headers={"Access-Control-Allow-Origin": origin, **_PREFLIGHT}
        )

    def _use_language(self, request: Request) -> str:
        """Set the language; the cookie to send when the address asks for one."""
        asked = request.query_params.get("lang", "")
        i18n.use(
            i18n.choose(
                asked,
                request.cookies.get(LANGUAGE_COOKIE, ""),
                request.headers.get("accept-language", ""),
            )
        )
        if asked not in i18n.LANGUAGES:
            return ""
        return f"{LANGUAGE_COOKIE}={asked}; Max-Age={YEAR}; Path=/; SameSite=Strict; HttpOnly"

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        query = scope["query_string"].decode("latin-1")
        if len(scope["path"]) + len(query) > LONGEST_ADDRESS:
            return Refusal(414, i18n.mark("The address is too long."))
        if is_open(scope["path"]):
            return None
        if self._keys.are_none:
            if not self._is_at_home(scope, headers):
                return Refusal(403, i18n.mark("Forbidden"))
            scope["state"]["scope"] = EVERYTHING
            return None
        given = key_of(headers, query)
        key = self._keys.find(given)
        if key is None:
            # Many a client asks without its key first: that is no attempt to guess one.
            wait = self._attempts.wait(self._address(scope, headers)) if given else 0
            if wait:
                return Refusal(429, i18n.mark("Too many requests"), int(wait) + 1)
            return Refusal(401, "Forbidden")
        scope["state"].update(key_name=key.name, scope=key.scope, origins=key.origins)
        wait = self._limiter.wait(key.name)
        return Refusal(429, "Too many requests", int(wait) + 1) if wait else None

    def _is_at_home(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request without a key comes from this machine to this machine."""
        if not self._listens_at_home or self._behind_proxy:
            if not self._said_closed:
                self._said_closed = True
                log.error(
                    "there is no key, and the server is open to others: nothing is answered;"
                    " make a key with `throughline keys add NAME`"
                )
            return False
        ends = (scope.get("client"), scope.get("server"))
        return (
            all(end is not None and is_loopback(end[0]) for end in ends)
            and _is_local_name(headers.getlist("host"))
            and not _is_forwarded(headers)
        )

    def _address(self, scope: Scope, headers: Headers) -> str:
        """Whose attempts are counted: the proxy says who asks it, where there is one."""
        forwarded = _last(headers, "x-forwarded-for") if self._behind_proxy else ""
        return forwarded or (scope.get("client") or ("-",))[0]


def without_key(address: str) -> str:
    """An address without the parameter `key`: a redirect is shown, stored and passed on."""
    before, mark, query = address.partition("?")
    query, hash_mark, fragment = query.partition("#")
    kept = [each for each in query.split("&") if unquote_plus(each.partition("=")[0]) != "key"]
    if not mark or len(kept) == query.count("&") + 1:
        return address
    return before + ("?" if any(kept) else "") + "&".join(kept) + hash_mark + fragment
