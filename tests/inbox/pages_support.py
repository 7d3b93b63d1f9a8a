"""What the tests of the pages share: people who are signed in, customers who write, and the hub behind a real socket."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import uvicorn

from hub.core import ids
from hub.inbox.arriving import ingest
from hub.organisations import service as organisations
from hub.organisations import sessions
from tests.support import PASSWORD, Connected, HubUnderTest, telegram_text

PAGE = {"accept": "text/html"}
DATA = {"accept": "application/json"}


@dataclass
class Visitor:
    """A member with a signed-in browser."""

    client: httpx2.AsyncClient
    token: str
    member_id: UUID
    session_id: UUID
    base: str

    @property
    def member(self) -> str:
        return ids.show("mem", self.member_id)

    async def page(self, path: str, status: int = 200) -> str:
        """A page as a browser asks for it."""
        response = await self.client.get(self.base + path, headers=PAGE)
        assert response.status_code == status, response.text
        return response.text

    async def data(self, path: str, **query: Any) -> Any:
        """A part of a page as its script asks for it."""
        response = await self.client.get(self.base + path, params=query, headers=DATA)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, *, headers: dict[str, str] | None = None, **form: str | list[str]) -> httpx2.Response:
        """Press a button as the script does, or with `headers=PAGE` as a form without script."""
        sent = {"x-csrf-token": sessions.csrf_token(self.token), **(headers or DATA)}
        return await self.client.post(self.base + path, data=form, headers=sent)


async def visit(hub: HubUnderTest, name: str = "Jonas Keller", *, role: str = "agent", locale: str = "de") -> Visitor:
    """A new member of the main organisation, signed in."""
    email = f"{name.split()[0].lower()}@radwerk.example"
    member_id = await organisations.add_member(
        hub.runtime, hub.organisation_id, email=email, name=name, role=role, password=PASSWORD, locale=locale
    )
    origin = sessions.Origin("127.0.0.1", "tests")
    async with hub.runtime.database.system() as unit:
        person_id = await unit.sql.fetchval("SELECT id FROM person WHERE email = $1", email)
        session_id, token = await sessions.start(unit, hub.runtime.settings, person_id, origin, stay=False)
    client = hub.browser()
    client.cookies.set(sessions.cookie_name(hub.runtime.settings), token)
    return Visitor(client, token, member_id, session_id, f"/o/{hub.slug}")


async def receive(hub: HubUnderTest, channel: Connected, *texts: str, user: int = 5123456789, first: int = 1) -> UUID:
    """A customer writes over Telegram; the conversation's id. `first` is the number of the first update."""
    for number, text in enumerate(texts, first):
        assert await hub.deliver(channel, telegram_text(user + number, text, user=user, message_id=number)) == 200
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
    found: UUID = await hub.value(
        """
        SELECT c.id FROM conversation c JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        WHERE i.provider_user_id = $1 AND i.channel_id = $2
        """,
        str(user),
        channel.id,
    )
    return found


async def counters(hub: HubUnderTest, member_id: UUID, *team_ids: UUID) -> dict[str, int]:
    """What the counters must say: counted row by row, as the pages never do."""
    found = {}
    rows = await hub.rows("SELECT state, turn, due_at, overdue, assignee_id, team_id FROM conversation")
    listed = [row for row in rows if row["state"] == "open"]
    views = {
        "open": listed,
        "mine": [row for row in listed if row["assignee_id"] == member_id],
        "unassigned": [row for row in listed if row["assignee_id"] is None and row["team_id"] is None],
        **{ids.show("team", team_id): [row for row in listed if row["team_id"] == team_id] for team_id in team_ids},
    }
    for view, held in views.items():
        found[view] = len(held)
        found[f"{view}.due"] = sum(row["due_at"] is not None for row in held)
        found[f"{view}.us"] = sum(row["due_at"] is None and row["turn"] == "us" for row in held)
        found[f"{view}.customer"] = sum(row["due_at"] is None and row["turn"] == "customer" for row in held)
        found[f"{view}.late"] = sum(row["overdue"] for row in held)
    return {**found, "snoozed": sum(row["state"] == "snoozed" for row in rows)}


def conv(conversation_id: UUID) -> str:
    return ids.show("conv", conversation_id)


def rows_in(html: str) -> list[str]:
    """The ids of the rows of a list, in order."""
    return re.findall(r'<a class="row[^"]*" id="(conv_\w+)"', html)


@contextlib.asynccontextmanager
async def serve(hub: HubUnderTest) -> AsyncIterator[str]:
    """The hub behind a real socket in this process; its address."""
    async with serving(hub) as (address, _):
        yield address


@contextlib.asynccontextmanager
async def serving(hub: HubUnderTest) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """The same, with the server itself."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(hub.app, lifespan="off", log_level="error", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    try:
        yield address, server
    finally:
        server.should_exit = True
        await running
