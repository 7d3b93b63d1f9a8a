"""What stories of the messengers share: a simulator below its path at the first socket, the hub at the second, a person with a
phone at the one end and the business's owner at the other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from hub.channels import service
from hub.core.settings import Settings
from hub.inbox.stored import uploads
from hub.sandbox.messengers import FileKind, PhoneDraft, PhoneFile, PhoneLine, Simulator
from tests.sandbox.support import Stage
from tests.support import HubUnderTest

FORM: Final = "multipart/form-data; boundary=grenze"
PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

Simulated = TypeVar("Simulated", bound=Simulator)


class Mounted:
    """An application below a path."""

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self._prefix = prefix
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "path": scope["path"].removeprefix(self._prefix)}, receive, send)


def settings_for(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    """The hub has its socket's address and trusts the simulator's."""
    simulator, hub = sockets
    trusted = frozenset({urlsplit(simulator.address).netloc})
    return settings.model_copy(update={"public_url": hub.address, "trusted_hosts": trusted})


async def form(name: str, data: bytes) -> AsyncIterator[bytes]:
    """The body of a form with one picture, as a browser sends it with `FORM`."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    yield f"--grenze\r\n{disposition}\r\nContent-Type: image/png\r\n\r\n".encode() + data + b"\r\n--grenze--\r\n"


async def connect(hub: HubUnderTest, simulator: Simulator, sockets: tuple[Stage, Stage], **answers: str) -> UUID:
    """The sample account's channel, connected as the page does it with what the business declares, and its address entered where
    the provider wants it by hand."""
    sockets[0].app, sockets[1].app = Mounted(f"/{simulator.connector}", simulator), hub.app
    values = simulator.sample_settings(sockets[0].address)
    channel_id = await service.connect_channel(
        hub.runtime, hub.owner, connector=simulator.connector, title="Radwerk", values=values, answers=answers
    )
    await service.accept_terms(hub.runtime, hub.owner, simulator.connector)
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    simulator.point_to(await hub.value("SELECT callback_url FROM channel WHERE id = $1", channel_id))
    return channel_id


@dataclass
class Talk(Generic[Simulated]):
    """One person and the business. `person` is their id at the simulator."""

    hub: HubUnderTest
    simulator: Simulated
    channel_id: UUID
    person: str

    @property
    def account(self) -> str:
        return self.simulator.phone.accounts()[0].id

    @property
    def lines(self) -> tuple[PhoneLine, ...]:
        """What the phone shows."""
        return self.simulator.phone.chat(self.account, self.person).lines

    async def settled(self) -> None:
        """Everything that was said has arrived, everything due has happened, and what the provider tells of it is in."""
        for _ in range(2):
            await self.simulator.courier.settled()
            await self.hub.settle()

    async def write(self, text: str = "", **more: Any) -> Any:
        """The person writes; the newest line of the thread."""
        self.simulator.phone.write(self.account, self.person, PhoneDraft(text=text, **more))
        await self.settled()
        return await self.newest()

    async def extra(self, name: str) -> Any:
        self.simulator.phone.extra(self.account, self.person, name)
        await self.settled()
        return await self.newest()

    async def newest(self, direction: str = "in") -> Any:
        return (await self.hub.rows("SELECT * FROM message WHERE direction = $1 ORDER BY seq DESC LIMIT 1", direction))[0]

    async def received(self) -> list[str]:
        return [row["text"] for row in await self.hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY seq")]

    async def files(self, message: UUID) -> list[Any]:
        return await self.hub.rows("SELECT * FROM attachment WHERE message_id = $1 ORDER BY position", message)

    def holds(self, file: UUID) -> bytes:
        """The bytes of a stored file."""
        with self.hub.runtime.storage.open(self.hub.organisation_id, file) as opened:
            return opened.read()

    async def answer(self, text: str, **more: Any) -> Any:
        """The owner answers; the message as it stands afterwards."""
        message = await self.hub.reply(await self.hub.value("SELECT id FROM conversation"), text, **more)
        await self.settled()
        return await self.message(message)

    async def message(self, message: UUID) -> Any:
        return (await self.hub.rows("SELECT * FROM message WHERE id = $1", message))[0]

    async def attach(self, name: str) -> UUID:
        """A picture that the owner puts to the next answer."""
        conversation = await self.hub.value("SELECT id FROM conversation")
        body = form(name, PNG)
        return (await uploads.add_upload(self.hub.runtime, self.hub.owner, conversation, content_type=FORM, body=body)).id

    async def consent(self) -> list[str]:
        """The kinds of the entries in the ledger, oldest first."""
        return [row["kind"] for row in await self.hub.rows("SELECT kind FROM consent_entry ORDER BY seq")]

    async def health(self) -> tuple[str, str]:
        row = (await self.hub.rows("SELECT health, health_cause FROM channel WHERE id = $1", self.channel_id))[0]
        return row["health"], row["health_cause"]

    async def dead(self) -> int:
        """Deliveries that could not be read."""
        found: int = await self.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'")
        return found


def picture(name: str = "Kette.png", *, kind: FileKind = "image", mime: str = "image/png") -> dict[str, Any]:
    """What `write` takes for a file."""
    return {"file": PhoneFile(id="", kind=kind, name=name, mime=mime, size=len(PNG)), "content": PNG}
