"""Around every request of the web process: its id, its line in the log, its time in the metrics.

The id is bound to the log of everything that happens in the request and is sent back as `X-Request-Id`, so that the line of an
access log, a person's report and ours can be laid side by side. A trusted proxy (HUB_TRUSTED_PROXIES) may bring its own.

Plain ASGI around the door and the pages. What a route is called is its template, never an address with somebody's id in it.
"""

import logging
import os
import re
import time
from functools import cache
from typing import Any, Final

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from hub.core.telemetry import is_told

log = structlog.get_logger()

HEADER: Final = b"x-request-id"
FIT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""Ids of a proxy that are taken over; anything else could be made to break a line or a search."""
DOOR: Final = "/hooks/{connector}/{channel}"
QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics", "/static"})
"""Asked for all the time: their lines are for level debug, unless they fail."""

BUCKETS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

taken = Histogram(
    "hub_http_request_seconds", "Time until a request's answer begins", ["method", "route", "status"], buckets=BUCKETS
)


class Requests:
    """`app` with proxy headers of trusted peers applied, and each request with id, log line and time."""

    def __init__(self, app: ASGIApp, trusted_proxies: str) -> None:
        self._app: Any = ProxyHeadersMiddleware(app, trusted_proxies)  # type: ignore[arg-type]  # its types of ASGI, ours of Starlette
        self._trusted = self._app.trusted_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        request_id = self._request_id(scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
                _tell(scope, message["status"], time.monotonic() - started)
            await send(message)

        bound = bind_contextvars(request=request_id)
        try:
            await self._app(scope, receive, answer)
        except Exception:
            log.error("crashed", route=route_of(scope), exc_info=True)
            raise
        finally:
            reset_contextvars(**bound)

    def _request_id(self, scope: Scope) -> str:
        """The proxy's, if it is one of ours and the id is sane; else a new one."""
        for name, value in scope["headers"]:
            if name == HEADER:
                peer, given = scope.get("client"), value.decode("latin-1")
                if peer is not None and peer[0] in self._trusted and FIT.fullmatch(given):
                    return str(given)
        return f"req_{os.urandom(10).hex()}"


def route_of(scope: Scope) -> str:
    """The template of the route that answers, `unknown` where none does."""
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        return str(route)
    first = "/" + scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
    return {"/hooks": DOOR, "/static": "/static"}.get(first, "unknown")


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """A stream lasts for hours: what is measured and written down of any request is the time until its answer begins."""
    route = route_of(scope)
    method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
    _taken(method, route, status // 100).observe(seconds)
    level = logging.DEBUG if route in QUIET and status < 500 else logging.INFO
    if is_told(level):
        log.log(level, "request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1))


@cache
def _taken(method: str, route: str, hundreds: int) -> Any:
    """The histogram of one kind of answer; there are few."""
    return taken.labels(method, route, f"{hundreds}xx")
