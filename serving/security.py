"""Who may ask, how often, and what a browser may do with the answer.

Belongs here: keys of a request, limits, headers, the log of requests. Does not belong here: the
file of keys (`keys`), what is answered.

Without a key the server listens on loopback alone and answers only to loopback names, so that a
page elsewhere cannot reach it by a name of its own (DNS rebinding).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import i18n
from serving.keys import Keys

LONGEST_ADDRESS = 8192
ATTEMPTS_PER_MINUTE = 30
LANGUAGE_COOKIE = "language"
YEAR = 365 * 24 * 3600
INTERNAL_ERROR = i18n.mark("Something went wrong here.")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1", "testserver")
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
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
# Open to everybody: they hold nothing of the data.
OPEN_PATHS = ("/static/", "/health")

log = logging.getLogger("throughline.serving")


def is_loopback(host: str) -> bool:
    """Whether an address or a host name is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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
        per_minute: int,
        refuse: Callable[[Request, Refusal], Response],
    ) -> None:
        self._app = app
        self._keys = keys
        self._limiter = Limiter(per_minute)
        self._attempts = Limiter(ATTEMPTS_PER_MINUTE)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        request = Request(scope, receive)
        scope.setdefault("state", {})["key_name"] = ""
        remembered = self._use_language(request)

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                headers = [each for each in _RAW_HEADERS if each[0] not in present]
                if remembered:
                    headers.append((b"set-cookie", remembered.encode()))
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal:
                await self._refuse(request, refusal)(scope, receive, send_guarded)
            else:
                await self._app(scope, receive, send_guarded)
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
                getattr(scope.get("route"), "path", "-"),
                status or "-",
                (time.perf_counter() - began) * 1000,
                scope["state"]["key_name"] or "-",
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
        if scope["path"].startswith(OPEN_PATHS):
            return None
        if not self._keys.all():
            host = headers.get("host", "")
            name = host if host.startswith("[") and host.endswith("]") else host.rpartition(":")[0]
            if (name or host).strip("[]") not in LOOPBACK_NAMES:
                return Refusal(403, i18n.mark("Forbidden"))
            return None
        name_found = self._keys.name_of(key_of(headers, query))
        if name_found is None:
            address = (scope.get("client") or ("-",))[0]
            wait = self._attempts.wait(address)
            if wait:
                return Refusal(429, i18n.mark("Too many requests"), int(wait) + 1)
            return Refusal(401, "Forbidden")
        scope["state"]["key_name"] = name_found
        wait = self._limiter.wait(name_found)
        return Refusal(429, "Too many requests", int(wait) + 1) if wait else None
