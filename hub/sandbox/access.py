"""Who may use the control API: programs and pages of this machine. Whoever reaches it may be any customer of a demo."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core.errors import HubError

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
NO_FORM: Final = frozenset({"application/json", "application/octet-stream"})
"""Content types that no form of another site can send without asking first."""


class LoopbackOnly:
    """Keeps other sites out, which the person's browser may show at the same time: only known host names (no rebinding of a
    foreign name), only the own origin, and only types where something is changed that no form of another site can send."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = self._refusal(scope)
        await (response or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if name not in self._hosts:
            return answer(403, "forbidden", f"not asked as one of {', '.join(sorted(self._hosts))}")
        if origin is not None and origin != f"{scope['scheme']}://{host}":
            return answer(403, "forbidden", "asked by another site")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in ("GET", "HEAD") and kind not in NO_FORM:
            return answer(415, "unsupported_media_type", "what changes something is sent as application/json")
        return None


def answer(status: int, code: str, detail: str) -> Response:
    """A refusal as JSON."""
    return JSONResponse({"error": code, "detail": detail}, status)


async def refuse(request: Request, error: Exception) -> Response:
    """An expected error as JSON."""
    assert isinstance(error, HubError)
    return answer(error.http_status, error.code, str(error))
