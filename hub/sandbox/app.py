"""The sandbox as one ASGI application: `hub sandbox` runs it in a process of its own, tests put it behind a socket or not.

/{connector}/…       the simulated messengers, each as its provider speaks (`<connector>/simulator.py`)
/phone/…             what a person does, faults, what happened, the same for all (`phones.py`), JSON
/                    the phone page
/bot<token>/…        the simulated Bot API (`telegram/server.py`), where Telegram's own host has it
/file/bot<token>/…   the files it told of
/control/…           what only Telegram has (`control.py`, `elsewhere.py`), JSON
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core import pages
from hub.core.errors import HubError
from hub.sandbox import access, control, elsewhere, phones
from hub.sandbox.messengers import Simulator
from hub.sandbox.registry import Simulators, find_simulators
from hub.sandbox.telegram.server import TelegramServer
from hub.sandbox.telegram.webhook import Options
from hub.sandbox.telegram.world import World

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
UNLIMITED: Final = httpx.Limits(max_connections=None)
"""Each webhook limits itself (`max_connections`)."""


class Sandbox:
    """Simulators, their API for the phone page, and the page."""

    def __init__(
        self, options: Options, hosts: Collection[str], http: httpx.AsyncClient | None, simulators: Sequence[Simulator] | None
    ) -> None:
        self.world = World()
        self._own_http = httpx.AsyncClient(trust_env=False, limits=UNLIMITED)
        http = http or self._own_http
        self.telegram = TelegramServer(self.world, options, http)
        self.simulators = Simulators(list(find_simulators(http) if simulators is None else simulators))
        web = FastAPI(title="Sandbox", lifespan=self._lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        web.state.world = self.world
        web.state.simulators = self.simulators
        web.include_router(phones.router)
        web.include_router(control.router)
        web.include_router(elsewhere.router)
        web.mount("/static", pages.Static(), name="static")
        web.add_exception_handler(HubError, access.refuse)
        self._web: ASGIApp = pages.SecurityHeaders(access.LoopbackOnly(web, hosts), https=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        connector = path[1:].partition("/")[0]
        if scope["type"] == "http" and path.startswith(("/bot", "/file/bot")):
            await self.telegram(scope, receive, send)
        elif connector in self.simulators:
            await self.simulators.get(connector)(_behind(scope, f"/{connector}"), receive, send)
        else:
            await self._web(scope, receive, send)

    async def stop(self) -> None:
        """End all deliveries. Called at the end of the lifespan; by tests that run none."""
        await self.telegram.stop()
        for simulator in self.simulators.all():
            await simulator.stop()
        await self._own_http.aclose()

    @asynccontextmanager
    async def _lifespan(self, web: FastAPI) -> AsyncIterator[None]:
        yield
        await self.stop()


def _behind(scope: Scope, prefix: str) -> Scope:
    """The same request as the simulator at this prefix sees it: its path begins behind it, `root_path` is the prefix."""
    path = scope["path"].removeprefix(prefix) or "/"
    return {**scope, "path": path, "raw_path": scope["raw_path"].removeprefix(prefix.encode()) or b"/", "root_path": prefix}


def create_sandbox_app(
    *,
    options: Options | None = None,
    hosts: Collection[str] = LOOPBACK,
    http: httpx.AsyncClient | None = None,
    simulators: Sequence[Simulator] | None = None,
) -> Sandbox:
    """The whole sandbox with these simulators (default: all there are).

    `hosts` are the names (without port) under which phone page and its API may be asked for; `http` carries webhooks (default: the
    sandbox's own client, which asks no proxy).
    """
    return Sandbox(options or Options(), hosts, http, simulators)
