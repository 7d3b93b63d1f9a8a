"""The web application: what is mounted. Nothing else happens here.

/hooks/…     the door for providers (`hub/inbox/arriving/door.py`), plain ASGI
the rest     pages and JSON of the rooms (FastAPI); after its beginning a stream is told from outside of it
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from hub import health, metrics
from hub.campaigns import pages as campaigns
from hub.channels import document_pages, flow_pages
from hub.channels import pages as channels
from hub.channels import template_pages as channel_templates
from hub.connectors.registry import Registry
from hub.consent import pages_purposes
from hub.consent.agreeing import pages_import, pages_record
from hub.consent.proving import pages_person, pages_register
from hub.core import pages
from hub.core.hooks import Hooks
from hub.core.request_limits import RateLimits
from hub.core.requests import Requests
from hub.core.settings import Settings
from hub.core.telemetry import set_up_logging
from hub.inbox.arriving.door import Door
from hub.inbox.page import pages as inbox
from hub.inbox.page.stream import Told, opened
from hub.inbox.persons import own_page
from hub.listeners import subscribe
from hub.organisations import pages as organisations
from hub.organisations import sessions
from hub.runtime import open_runtime, settle_memory
from hub.webchat import api as webchat_api
from hub.webchat import pages as webchat
from hub.webchat.embedded import AllowOrigin


class Hub:
    """The ASGI application of one web process: `/hooks/` goes to the door, everything else to the rooms."""

    def __init__(self, settings: Settings, connectors: Registry | None = None) -> None:
        self._settings = settings
        self._connectors = connectors
        self._door: ASGIApp | None = None
        self.web = FastAPI(title="Hub", lifespan=self._lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        for room in (health, metrics, organisations, document_pages, channels, channel_templates, inbox, webchat_api, webchat):
            self.web.include_router(room.router)
        self.web.include_router(campaigns.router)
        for consent in (pages_register, pages_person, pages_purposes, pages_record, pages_import, flow_pages, own_page):
            self.web.include_router(consent.router)
        self.web.add_middleware(
            RateLimits,
            address=settings.requests_address,
            token=settings.requests_token,
            cookie=sessions.cookie_name(settings),
        )
        pages.install(self.web, settings)
        self.web.add_middleware(AllowOrigin)
        self._rooms = Requests(self.web, settings.trusted_proxies)

    @asynccontextmanager
    async def _lifespan(self, web: FastAPI) -> AsyncIterator[None]:
        settings = self._settings
        set_up_logging(settings)
        async with open_runtime(
            settings,
            subscribe(Hooks()),
            pool=settings.pool_web,
            door_pool=settings.pool_door,
            connectors=self._connectors,
        ) as runtime:
            web.state.runtime = runtime
            door = Door(runtime)
            web.state.door = door
            self._door = Requests(door, settings.trusted_proxies)
            runtime.live.start()
            yield
            self._door = None
            await door.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/hooks/") and self._door is not None:
            await self._door(scope, receive, send)
        else:
            stream = await self._answer(scope, receive, send)
            if stream is not None:
                await stream.tell(receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Told | None:
        """Let a room answer; a stream is only begun by it. What the framework puts into the scope goes with the copy."""
        scope = {**scope}
        await self._rooms(scope, receive, send)
        return opened(scope)


def create_app() -> Hub:
    """The application with settings from the environment: what uvicorn runs."""
    hub = Hub(Settings())
    settle_memory()
    return hub
