"""What the tests of the website chat share: a connected chat, and a visitor's browser as the widget uses it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx2

from hub.connectors.webchat.samples import SETTINGS
from hub.core import ids
from hub.inbox.arriving import ingest
from hub.inbox.stored import uploads
from tests.support import Connected, HubUnderTest

SITE: Final = "https://www.radwerk.example"
ELSEWHERE: Final = "https://www.velo.example"


async def connect_chat(hub: HubUnderTest, **values: str) -> Connected:
    """A chat that is on."""
    return await hub.connect("webchat", None, **{**SETTINGS, **values})


@dataclass
class Browser:
    """A visitor's browser on a page with the widget."""

    hub: HubUnderTest
    channel: Connected
    client: httpx2.AsyncClient
    origin: str = SITE
    token: str = ""

    @property
    def key(self) -> str:
        return ids.show("chn", self.channel.id)

    @property
    def base(self) -> str:
        return f"/webchat/{self.key}"

    @property
    def headers(self) -> dict[str, str]:
        bearer = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {"origin": self.origin, "accept-language": "de", **bearer}

    async def get(self, act: str, **query: Any) -> httpx2.Response:
        return await self.client.get(f"{self.base}/{act}", params=query, headers=self.headers)

    async def post(self, act: str, said: Any, **headers: str) -> httpx2.Response:
        return await self.client.post(f"{self.base}/{act}", json=said, headers={**self.headers, **headers})

    async def start(self, **about: str) -> "Browser":
        """Become a visitor."""
        answer = await self.post("start", about)
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["token"]
        return self

    async def write(self, text: str, id_: str = "", **more: Any) -> str:
        """Send a text; its id."""
        id_ = id_ or ids.new_id().hex
        answer = await self.post("messages", {"id": id_, "text": text, **more})
        assert answer.status_code == 204, answer.text
        return id_

    async def send_file(self, name: str, data: bytes) -> httpx2.Response:
        files = {"file": (name, data, "application/octet-stream")}
        return await self.client.post(
            f"{self.base}/files", params={"id": ids.new_id().hex}, files=files, headers=self.headers, timeout=30
        )

    async def mark(self, status: str, *messages: str) -> None:
        assert (await self.post("marks", {"status": status, "messages": list(messages)})).status_code == 204

    async def messages(self) -> list[dict[str, Any]]:
        """The box."""
        answer = await self.get("box")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    async def conversation(self) -> UUID:
        """The conversation, once everything that was said has been applied."""
        await ingest.drain(self.hub.runtime, self.hub.organisation_id, self.channel.id, self.hub.worker_id)
        found: UUID = await self.hub.value("SELECT id FROM conversation WHERE channel_id = $1", self.channel.id)
        return found


async def attach(hub: HubUnderTest, conversation_id: UUID, name: str, data: bytes) -> UUID:
    """The owner attaches a file to a reply."""

    async def form() -> AsyncIterator[bytes]:
        head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        yield head.encode() + data + b"\r\n--x--\r\n"

    added = await uploads.add_upload(
        hub.runtime, hub.owner, conversation_id, content_type="multipart/form-data; boundary=x", body=form()
    )
    return added.id


async def visit_site(hub: HubUnderTest, channel: Connected | None = None, **settings: str) -> Browser:
    """Somebody opens a page with the chat."""
    return Browser(hub, channel or await connect_chat(hub, **settings), hub.browser())
