"""The sandbox as one ASGI application: `hub sandbox` runs it in a process of its own, tests put it behind a socket or not.

/{connector}/…   the simulated messengers, each as its provider speaks (`<connector>/simulator.py`)
/phone/…         what a person does, faults, what happened, the same for all (`phones.py`), JSON
/                the phone page
/shop            a sample website with the demo's website chat (`shop.py`)

Telegram's `/bot…`, `/file/bot…` and `/control/…` are at the root too: its own host has them there, and so ask its client libraries.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core import pages
from hub.core.errors import HubError
from hub.sandbox import access, phones, shop
from hub.sandbox.messengers import Simulator
from hub.sandbox.registry import Simulators, find_simulators

UNLIMITED: Final = httpx.Limits(max_connections=None)
"""Each webhook limits itself (`max_connections`)."""
AT_ROOT: Final = {"/bot": "telegram", "/file/bot": "telegram", "/control": "telegram"}


class Sandbox:
    """Simulators, their API for the phone page, and the page."""

    def __init__(
        self, create: Callable[[httpx.AsyncClient], Sequence[Simulator]], hosts: Collection[str], http: httpx.AsyncClient | None
    ) -> None:
        self._own_http = httpx.AsyncClient(trust_env=False, limits=UNLIMITED)
        self.simulators = Simulators(list(create(http or self._own_http)))
        web = FastAPI(title="Sandbox", lifespan=self._lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        web.state.simulators = self.simulators
        web.state.chat_script = ""
        web.include_router(phones.router)
        web.include_router(shop.router)
        web.mount("/static", pages.Static(), name="static")
        web.add_exception_handler(HubError, access.refuse)
        self._web: ASGIApp = pages.SecurityHeaders(access.LoopbackOnly(web, hosts), https=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        connector = path[1:].partition("/")[0]
        if connector in self.simulators:
            await self.simulators.get(connector)(_behind(scope, f"/{connector}"), receive, send)
            return
        at_root = next((name for start, name in AT_ROOT.items() if path.startswith(start)), "")
        app = self.simulators.get(at_root) if at_root in self.simulators else self._web
        await app(scope, receive, send)

    async def stop(self) -> None:
        """End all deliveries. Called at the end of the lifespan; by tests that run none."""
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
    create: Callable[[httpx.AsyncClient], Sequence[Simulator]] = find_simulators,
    hosts: Collection[str] = access.LOOPBACK,
    http: httpx.AsyncClient | None = None,
) -> Sandbox:
    """The whole sandbox with the simulators that `create` makes (default: all there are).

    `hosts` are the names (without port) under which phone page and its API may be asked for; `http` carries webhooks (default: the
    sandbox's own client, which asks no proxy).
    """
    return Sandbox(create, hosts, http)
