"""What the tests of files share: a connector whose files are whatever a test says, and customers and agents who send them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx2
from httpx import AsyncClient

from hub.connectors.contract import (
    Account,
    FileHead,
    FileSink,
    MediaLimit,
    OutboundAction,
    OutboundMessage,
    Permit,
    RawRequest,
    Receipt,
)
from hub.connectors.events import Event, Media, MessageReceived, OutboundContent, Sender, Text
from hub.core import clock, ids
from hub.inbox.arriving import ingest
from hub.organisations import sessions
from tests.inbox.pages_support import DATA, Visitor
from tests.probe import Probe, ProbeSettings
from tests.support import Connected, HubUnderTest

PIECE: Final = 65_536
MEGABYTE: Final = 1_000_000
IMAGES: Final = frozenset({"image/jpeg", "image/png"})


class FilesProbe(Probe):
    """The probe with files. `files`: what comes for a ref, or what is raised; `asked`: the refs in order; `sent`: what left."""

    capabilities = replace(
        Probe.capabilities,
        max_caption=1000,
        media={
            "image": MediaLimit(bytes=1 * MEGABYTE, types=IMAGES),
            "voice": MediaLimit(bytes=1 * MEGABYTE, types=frozenset({"audio/ogg"})),
            "document": MediaLimit(bytes=3 * MEGABYTE),
        },
    )

    def __init__(self) -> None:
        self.files: dict[str, bytes | Exception] = {}
        self.head = FileHead()
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.sent: list[tuple[str, str, bytes]] = []

    def parse(self, request: RawRequest, account: Account[ProbeSettings]) -> Sequence[Event]:
        return [_event(one) for one in json.loads(request.body)]

    async def fetch(
        self, ref: str, account: Account[ProbeSettings], http: AsyncClient, sink: FileSink, *, size: int | None = None
    ) -> FileHead:
        self.asked.append(ref)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            file = self.files[ref]
            if isinstance(file, Exception):
                raise file
            for at in range(0, len(file), PIECE):
                await sink.write(file[at : at + PIECE])
        finally:
            self.at_once -= 1
        return self.head

    def split(self, content: OutboundContent) -> Sequence[OutboundContent]:
        return [content]

    async def send(self, permit: Permit, action: OutboundAction, account: Account[ProbeSettings], http: AsyncClient) -> Receipt:
        permit.spend(action)
        assert isinstance(action, OutboundMessage)
        for file in action.files.values():
            with file.open() as opened:
                self.sent.append((file.name, file.mime, opened.read()))
        return Receipt(status="sent", keys=(str(action.part_id),), at=clock.now())


def _event(raw: dict[str, Any]) -> Event:
    caption = Text(text="Bitte ansehen")
    content = Media(**{"kind": "document", "caption": caption, **raw}) if raw else Text(text="Hallo")
    return MessageReceived(key=str(ids.new_id()), at=datetime(2026, 11, 24, 9, tzinfo=UTC), sender=CUSTOMER, content=content)


CUSTOMER: Final = Sender(provider_user_id="cust-1", display_name="Jörg Özdemir")


@dataclass
class Desk:
    """A hub with a channel that has files, and what a customer does on it."""

    hub: HubUnderTest
    probe: FilesProbe
    channel: Connected
    _number: int = field(default=0)

    async def says(self, **media: Any) -> UUID:
        """The customer writes, or sends a file (`ref` and the other fields of `Media`); the conversation."""
        assert await self.hub.deliver(self.channel, [media]) == 200
        await ingest.drain(self.hub.runtime, self.hub.organisation_id, self.channel.id, self.hub.worker_id)
        found: UUID = await self.hub.value("SELECT id FROM conversation")
        return found

    async def sends(self, body: bytes | Exception, **media: Any) -> Any:
        """The customer sends a file and everything due happens; its row."""
        self._number += 1
        ref = f"ref {self._number}"
        self.probe.files[ref] = body
        await self.says(ref=ref, **media)
        await self.hub.settle()
        return await self.row(ref)

    async def row(self, ref: str) -> Any:
        return (await self.hub.rows("SELECT * FROM attachment WHERE ref = $1", ref))[0]

    def stored(self, attachment_id: UUID) -> bytes | None:
        """The bytes in the store, if there are any."""
        path = self.hub.runtime.storage.path(self.hub.organisation_id, attachment_id)
        return path.read_bytes() if path.exists() else None

    def objects(self) -> int:
        """How many files lie in the store, finished or not."""
        folder = self.hub.runtime.settings.media_folder
        return sum(path.is_file() for path in folder.rglob("*"))


def shown(row: Any) -> str:
    return ids.show("file", row["id"])


async def attach(
    visitor: Visitor, conversation_id: UUID, body: bytes, name: str = "Angebot.pdf", *, field: str = "file"
) -> httpx2.Response:
    """Attach a file as the composer does."""
    return await visitor.client.post(
        f"{visitor.base}/conversations/{ids.show('conv', conversation_id)}/files",
        files={"note": (None, "x"), field: (name, body, "application/octet-stream")},
        headers={"x-csrf-token": sessions.csrf_token(visitor.token), **DATA},
    )
