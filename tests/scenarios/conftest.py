"""A hub and a simulated Telegram that reach each other over real sockets, as in the demo."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.settings import Settings
from hub.sandbox.telegram.webhook import Options
from tests.sandbox.support import TOKEN, Simulated, Stage, serve_app, telegram_sandbox
from tests.support import Connected, HubUnderTest

PERSON = 5123456789


@pytest.fixture(scope="session")
async def sockets() -> AsyncIterator[tuple[Stage, Stage]]:
    """Telegram's address and the hub's, for all tests of this folder."""
    telegram, hub = Stage(), Stage()
    async with serve_app(telegram) as one, serve_app(hub) as other:
        telegram.address, hub.address = one, other
        yield telegram, hub


@pytest.fixture
async def simulated(sockets: tuple[Stage, Stage]) -> AsyncIterator[Simulated]:
    stage = sockets[0]
    stage.app = sandbox = telegram_sandbox(Options(set_webhook_interval=0, retry_delay=lambda *_: 0.01))
    async with httpx.AsyncClient(trust_env=False) as http:
        one = Simulated(sandbox, stage.address, http)
        await one.control("POST", "/bots", {"token": TOKEN, "name": "Radwerk", "username": "radwerk_bot"})
        yield one
        await sandbox.stop()


@dataclass
class Story:
    """A customer with a phone, and the business whose hub they write to."""

    hub: HubUnderTest
    telegram: Simulated
    channel: Connected
    clock: FakeClock
    person: int

    async def settled(self) -> None:
        """Everything that was said has arrived, and everything due has happened."""
        await self.telegram.settled()
        await self.hub.settle()

    async def newest(self) -> Any:
        """The newest line from the customer."""
        rows = await self.hub.rows(
            "SELECT id, kind, text, content, edited_at FROM message WHERE direction = 'in' ORDER BY seq DESC LIMIT 1"
        )
        return rows[0]

    async def files(self, message_id: UUID) -> list[Any]:
        return await self.hub.rows("SELECT * FROM attachment WHERE message_id = $1 ORDER BY position", message_id)

    async def conversation(self) -> UUID:
        found: UUID = await self.hub.value("SELECT id FROM conversation")
        return found

    async def phone(self) -> list[dict[str, Any]]:
        """What the customer sees, oldest first."""
        return list((await self.telegram.phone(self.person))["entries"])


@pytest.fixture
def public_address(sockets: tuple[Stage, Stage]) -> str:
    return sockets[1].address


@pytest.fixture
async def story(settings: Settings, hub: HubUnderTest, simulated: Simulated, sockets: tuple[Stage, Stage]) -> AsyncIterator[Story]:
    """The account is connected as the page does it; the customer has pressed Start."""
    sockets[1].app = hub.app
    channel_id = await connect_over_the_service(hub, simulated)
    secret = (await _account(hub, channel_id)).webhook_secrets[0]
    channel = Connected(channel_id, "telegram", secret)
    person = await simulated.person(PERSON, "Jörg", language_code="de")
    one = Story(hub, simulated, channel, hub.clock, person)
    await simulated.send(person, start="")
    await one.settled()
    yield one


async def connect_over_the_service(hub: HubUnderTest, simulated: Simulated) -> UUID:
    from hub.channels import service

    values = {"bot_token": TOKEN, "base_url": simulated.address}
    channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="telegram", title="Radwerk", values=values)
    await service.accept_terms(hub.runtime, hub.owner, "telegram")
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    return channel_id


async def _account(hub: HubUnderTest, channel_id: UUID) -> Any:
    from hub.inbox.arriving.ingest import load_channel

    return (await load_channel(hub.runtime, hub.organisation_id, channel_id)).account


__all__ = ["ids"]
