"""The sandbox as one ASGI application: `hub sandbox` runs it in a process of its own, tests put it behind a socket or not.

/bot<token>/…        the simulated Bot API (`telegram/server.py`)
/file/bot<token>/…   the files it told of
/control/…           what a person does, faults, what happened (`control.py`, `elsewhere.py`), JSON
/                    the phone page
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core import pages
from hub.core.errors import HubError
from hub.sandbox import access, control, elsewhere
from hub.sandbox.telegram.server import TelegramServer
from hub.sandbox.telegram.webhook import Options
from hub.sandbox.telegram.world import World

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
UNLIMITED: Final = httpx.Limits(max_connections=None)
"""Each webhook limits itself (`max_connections`)."""


class Sandbox:
    """Simulator, control API and phone page."""

    def __init__(self, options: Options, hosts: Collection[str], http: httpx.AsyncClient | None) -> None:
        self.world = World()
        self._own_http = httpx.AsyncClient(trust_env=False, limits=UNLIMITED)
        self.telegram = TelegramServer(self.world, options, http or self._own_http)
        web = FastAPI(title="Sandbox", lifespan=self._lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        web.state.world = self.world
        web.include_router(control.router)
        web.include_router(elsewhere.router)
        web.mount("/static", pages.Static(), name="static")
        web.add_exception_handler(HubError, control.refuse)
        self._web: ASGIApp = pages.SecurityHeaders(access.LoopbackOnly(web, hosts), https=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("/bot", "/file/bot")):
            await self.telegram(scope, receive, send)
        else:
            await self._web(scope, receive, send)

    async def stop(self) -> None:
        """End all deliveries. Called at the end of the lifespan; by tests that run none."""
        await self.telegram.stop()
        await self._own_http.aclose()

    @asynccontextmanager
    async def _lifespan(self, web: FastAPI) -> AsyncIterator[None]:
        yield
        await self.stop()


def create_sandbox_app(
    *, options: Options | None = None, hosts: Collection[str] = LOOPBACK, http: httpx.AsyncClient | None = None
) -> Sandbox:
    """The whole sandbox, empty: bots and people come through the control API.

    `hosts` are the names (without port) under which control API and page may be asked for; `http` carries updates to webhooks
    (default: the sandbox's own client, which asks no proxy).
    """
    return Sandbox(options or Options(), hosts, http)
