"""The simulated Threema: the Gateway's API and the people's apps. `point_to` is the console, where an address is entered."""

from typing import Any, Final

import httpx
from starlette.types import Receive, Scope, Send

from hub.sandbox.courier import Courier
from hub.sandbox.faults import Faults
from hub.sandbox.threema.phone import ThreemaPhone
from hub.sandbox.threema.server import GatewayServer
from hub.sandbox.threema.world import SAMPLE_ID, SAMPLE_KEY, SAMPLE_SECRET, World

DELAYS: Final = (0.2, 1.0, 5.0)
"""Seconds before a callback is tried again: three times, as Threema does, though with five minutes between."""


class ThreemaSimulator:
    connector = "threema"
    label = "Threema"
    mark = "th"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.faults = Faults()
        self.courier = Courier(http, self.faults, delays=DELAYS)
        self.world = World()
        self.phone = ThreemaPhone(self.world, self.courier)
        self._server = GatewayServer(self.world, self.faults, self.phone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._server(scope, receive, send)

    def sample_settings(self, origin: str) -> dict[str, Any]:
        return {
            "gateway_id": SAMPLE_ID,
            "api_secret": SAMPLE_SECRET,
            "private_key": SAMPLE_KEY.hex(),
            "base_url": f"{origin}/threema",
        }

    def point_to(self, callback_url: str) -> None:
        """What a business enters in Threema's console for its Gateway ID."""
        self.world.gateway(SAMPLE_ID).callback_url = callback_url

    async def stop(self) -> None:
        await self.courier.stop()


def create(http: httpx.AsyncClient) -> ThreemaSimulator:
    """`http` carries the callbacks."""
    return ThreemaSimulator(http)
