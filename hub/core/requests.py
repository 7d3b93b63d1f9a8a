"""Around every request of the web process: its id, its line in the log, its time in the metrics.

The id is bound to the log of everything that happens in the request and is sent back as `X-Request-Id`, so that the line of an
access log, a person's report and ours can be laid side by side. A trusted proxy (HUB_TRUSTED_PROXIES) may bring its own.

Plain ASGI around the door and the pages. What a route is called is its template, never an address with somebody's id in it.
"""

import re
import time
from typing import Any, Final

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from hub.core import ids

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

        with bound_contextvars(request=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception:
                log.error("crashed", route=route_of(scope), exc_info=True)
                raise

    def _request_id(self, scope: Scope) -> str:
        """The proxy's, if it is one of ours and the id is sane; else a new one."""
        peer = scope.get("client")
        if peer is not None and peer[0] in self._trusted:
            for name, value in scope["headers"]:
                if name == HEADER and FIT.fullmatch(value.decode("latin-1")):
                    return str(value.decode("latin-1"))
        return ids.show("req", ids.new_id())


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
    taken.labels(method, route, f"{status // 100}xx").observe(seconds)
    note = log.debug if route in QUIET and status < 500 else log.info
    note("request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1))
