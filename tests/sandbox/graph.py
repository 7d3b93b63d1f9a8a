"""Messenger or Instagram of the sandbox with a hub behind it that only listens: the connector, without the rooms around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from hub.connectors.contract import Account, OutboundAction, OutboundMessage, RawRequest, Receipt
from hub.connectors.events import Event, Text, Unrecognised
from hub.consent.permit import issue_permit
from hub.sandbox._graph.api import GraphSimulator
from tests.connectors.samples import CHANNEL

CALLBACK = "https://hub.example/hooks/meta/990017744120055"
ORIGIN = "http://sandbox"


class GraphStage:
    """A connected account, and what was told of it. `told` are the bodies as they came, `events` what they mean."""

    def __init__(self, connector: Any, simulator_of: Any) -> None:
        self.connector = connector
        self.told: list[bytes] = []
        self.events: list[Event] = []
        self.hub = httpx.AsyncClient(transport=httpx.MockTransport(self._listen))
        self.simulator: GraphSimulator = simulator_of(self.hub)
        transport = httpx.ASGITransport(self._at_its_place)
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        values = self.simulator.sample_settings(ORIGIN)
        self.account = Account(CHANNEL, connector.settings.model_validate(values), self.simulator.world.flavour.account_id, ())

    @property
    def phone(self) -> Any:
        return self.simulator.phone

    @property
    def own(self) -> str:
        return self.simulator.world.flavour.account_id

    @property
    def person(self) -> str:
        return self.simulator.world.flavour.people[0].id

    async def connect(self) -> Any:
        """Set the account up as the hub does, and keep the settings that the provider changed."""
        result = await self.connector.setup(self.account, CALLBACK, self.http)
        if result.settings is not None:
            self.account = replace(self.account, settings=result.settings)
        return result

    async def happened(self) -> list[Event]:
        """Everything the hub heard since it was last asked, besides what the connector leaves aside."""
        await self.simulator.courier.settled()
        found, self.events = self.events, []
        return [event for event in found if not isinstance(event, Unrecognised)]

    async def send(self, text: str = "Guten Tag", *, address: str = "", **more: Any) -> Receipt:
        content = more.pop("content", Text(text=text))
        return await self.do(
            OutboundMessage(part_id=uuid4(), attempt_id=uuid4(), address=address or self.person, content=content, **more)
        )

    async def do(self, action: OutboundAction) -> Receipt:
        leave = issue_permit(part_id=action.part_id, attempt_id=action.attempt_id)
        receipt: Receipt = await self.connector.send(leave, action, self.account, self.http)
        return receipt

    def _listen(self, request: httpx.Request) -> httpx.Response:
        """The hub's door: tests of the address are answered, deliveries verified, divided and read."""
        query = urlsplit(str(request.url)).query
        raw = RawRequest(request.method, dict(request.headers), request.content, query=query)
        reply = self.connector.handshake(raw, self.account)
        if reply is not None:
            return httpx.Response(reply.status, content=reply.body)
        self.connector.verify(raw, self.account)
        self.told.append(request.content)
        for share in self.connector.shares(raw):
            if share.own_id == self.account.own_id:
                self.events += self.connector.parse(RawRequest("POST", {}, share.body), self.account)
        return httpx.Response(200)

    async def _at_its_place(self, scope: Any, receive: Any, send: Any) -> None:
        """As the sandbox mounts it."""
        prefix = f"/{self.simulator.connector}"
        assert scope["path"].startswith(prefix)
        await self.simulator(
            {**scope, "path": scope["path"].removeprefix(prefix), "raw_path": b"", "root_path": prefix}, receive, send
        )


@asynccontextmanager
async def staged(connector: Any, simulator_of: Any) -> AsyncIterator[GraphStage]:
    stage = GraphStage(connector, simulator_of)
    await stage.connect()
    yield stage
    await stage.simulator.stop()
    await asyncio.gather(stage.http.aclose(), stage.hub.aclose())
