"""The simulated Viber: the Bot API, the people's apps, and callbacks between them."""

from typing import Any, Final

import httpx
from starlette.types import Receive, Scope, Send

from hub.sandbox.courier import Courier
from hub.sandbox.faults import Faults
from hub.sandbox.viber.phone import ViberPhone
from hub.sandbox.viber.server import ViberServer
from hub.sandbox.viber.world import SAMPLE_TOKEN, World

DELAYS: Final = (0.2, 1.0, 5.0, 30.0)
"""Seconds before a callback is tried again; Viber goes on for an hour."""


class ViberSimulator:
    connector = "viber"
    label = "Viber"
    mark = "vb"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.faults = Faults()
        self.courier = Courier(http, self.faults, delays=DELAYS)
        self.world = World()
        self.phone = ViberPhone(self.world, self.courier, http)
        self._server = ViberServer(self.world, self.faults, self.phone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._server(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        self.phone.origin = origin
        return {"auth_token": SAMPLE_TOKEN, "sender_name": "Radwerk", "base_url": f"{origin}/viber/pa"}

    def point_to(self, callback_url: str) -> None:
        """Viber is told by request."""

    async def stop(self) -> None:
        await self.phone.stop()
        await self.courier.stop()


def create(http: httpx.AsyncClient) -> ViberSimulator:
    """`http` carries the callbacks and fetches what bots send."""
    return ViberSimulator(http)
