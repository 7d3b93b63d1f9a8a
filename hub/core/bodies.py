"""How much of a request's body the rooms take in.

The framework reads a form to its end before any rule of ours is asked, and keeps what it reads: whoever is not signed in could fill
memory or disk. So a body ends at LARGEST_BODY, with 413. A route that takes a file reads it piece by piece and has a limit of its
own (`uploads.py`): it says so with `takes_file`.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.core.errors import HubError

LARGEST_BODY: Final = 1_000_000
"""Bytes. The longest text that a form takes (20,000 characters) has at most a quarter of that when it is encoded."""


Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_takers: set[Callable[..., Any]] = set()


class BodyTooLarge(HubError):
    """A form with more than LARGEST_BODY bytes."""

    code = "body_too_large"
    http_status = 413


def takes_file(endpoint: Endpoint) -> Endpoint:
    """Marks the function of a route that reads its body itself."""
    _takers.add(endpoint)
    return endpoint


class Bodies:
    """`app` with bodies that end. What is too much is told where the body is read, so it is answered like every error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY and scope.get("endpoint") not in _takers:
                raise HTTPException(BodyTooLarge.http_status)
            return message

        await self._app(scope, limited, send)
