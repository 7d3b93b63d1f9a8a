"""Telegram as one of the sandbox's messengers."""

from collections.abc import Sequence
from typing import Any, Final

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core.errors import HubError
from hub.sandbox import access
from hub.sandbox.courier import Delivery
from hub.sandbox.telegram import control, elsewhere
from hub.sandbox.telegram.phone import TelegramPhone
from hub.sandbox.telegram.server import TelegramServer
from hub.sandbox.telegram.webhook import Options
from hub.sandbox.telegram.world import World

SAMPLE_TOKEN: Final = "7400000001:simulated-token-of-the-radwerk-demo"
"""Known only to the simulator of this machine."""
SAMPLE_TITLE: Final = "Radwerk Lindau"
SAMPLE_USERNAME: Final = "radwerk_lindau_bot"
SAMPLE_PEOPLE: Final = (
    (5_100_000_112, "Karin", "Bilgeri", "karin_bilgeri"),
    (5_100_000_113, "Deniz", "Arslan", None),
)


class TelegramDeliveries:
    """The webhooks of all bots; `webhook.py` carries them by Telegram's own rules."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def deliveries(self) -> Sequence[Delivery]:
        found = [
            Delivery("" if bot.webhook is None else bot.webhook.address.url, one.status or one.error, one.at, one.milliseconds)
            for bot in self._world.bots.values()
            for one in bot.deliveries
        ]
        return sorted(found, key=lambda one: one.at)

    @property
    def waiting(self) -> int:
        return sum(len(bot.live_pending()) for bot in self._world.bots.values())

    async def settled(self) -> None:
        for bot in self._world.bots.values():
            if bot.webhook is not None:
                await bot.webhook.settled()


class TelegramSimulator:
    """`/bot<token>/…` and `/file/bot<token>/…` as Telegram has them, and `/control/…` for what only Telegram has."""

    connector = "telegram"
    label = "Telegram"
    mark = "tg"

    def __init__(self, http: httpx.AsyncClient, options: Options) -> None:
        self.world = World()
        self.faults = self.world.faults
        self.phone = TelegramPhone(self.world)
        self.courier = TelegramDeliveries(self.world)
        self._server = TelegramServer(self.world, options, http)
        self._control = _control(self.world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_control = scope["path"].startswith("/control")
        await (self._control if is_control else self._server)(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {"bot_token": SAMPLE_TOKEN, "base_url": f"{origin}/telegram"}

    def point_to(self, callback_url: str) -> None:
        """Bots set their webhooks themselves."""

    async def stop(self) -> None:
        await self._server.stop()


def _control(world: World) -> ASGIApp:
    web = FastAPI(title="Telegram control", docs_url=None, redoc_url=None, openapi_url=None)
    web.state.world = world
    web.include_router(control.router)
    web.include_router(elsewhere.router)
    web.add_exception_handler(HubError, access.refuse)
    return access.LoopbackOnly(web, access.LOOPBACK)


def create(http: httpx.AsyncClient, options: Options | None = None) -> TelegramSimulator:
    simulator = TelegramSimulator(http, options or Options())
    simulator.world.create_bot(SAMPLE_TOKEN, SAMPLE_TITLE, SAMPLE_USERNAME)
    for number, first, last, username in SAMPLE_PEOPLE:
        simulator.world.create_person(first, last, username, "de", number)
    return simulator
