"""What tests do with a hub: found an organisation, connect a channel, be the customer, be the agent, let everything due happen."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
from typer.testing import CliRunner, Result

from hub import cli
from hub.app import Hub
from hub.channels import care
from hub.channels import service as channels
from hub.core import ids
from hub.core.clock import FakeClock
from hub.inbox import alarm, sweeper
from hub.inbox.arriving import ingest, naming
from hub.inbox.sending import dispatch, notices, outbound
from hub.inbox.stored import media
from hub.organisations import service as organisations
from hub.organisations import sessions
from hub.organisations.actor import Access
from hub.runtime import Runtime

PASSWORD = "ein langes Passwort 42"
TOKEN = "7012345678:AAE-test_token_of_thirty_five_chars"
ROUNDS = 50


async def command(*arguments: str) -> Result:
    """`hub …` as an operator types it, in a thread: it has an event loop of its own. See the fixture `environment`."""
    return await asyncio.to_thread(CliRunner().invoke, cli.app, list(arguments))


@dataclass
class Connected:
    """A channel of a test, with its webhook's secret."""

    id: UUID
    connector: str
    secret: str

    @property
    def path(self) -> str:
        return f"/hooks/{self.connector}/{ids.show('chn', self.id)}"


@dataclass
class HubUnderTest:
    app: Hub
    runtime: Runtime
    clock: FakeClock
    organisation_id: UUID = field(init=False)
    slug: str = field(init=False)
    owner: Access = field(init=False)
    worker_id: UUID = field(default_factory=ids.new_id)
    _clients: dispatch.Clients | None = None
    _browsers: list[httpx2.AsyncClient] = field(default_factory=list)

    async def found(self, slug: str, name: str) -> Access:
        """An organisation with its owner `owner@<slug>.example`; the first one is the hub's main organisation."""
        founded = await organisations.found_organisation(
            self.runtime,
            name=name,
            slug=slug,
            owner_email=f"owner@{slug}.example",
            owner_name="Olga Inhaber",
            owner_password=PASSWORD,
        )
        access = await self.sign_in(founded.organisation_id, founded.member_id)
        if not hasattr(self, "organisation_id"):
            self.organisation_id, self.slug, self.owner = access.organisation_id, slug, access
        return access

    async def sign_in(self, organisation_id: UUID, member_id: UUID) -> Access:
        """A member with a fresh session, as a route gets them."""
        async with self.runtime.database.system() as unit:
            row = await unit.sql.fetchrow(
                """
                SELECT p.id AS person_id, p.name AS person_name, p.email, p.locale, o.id AS organisation_id, o.slug,
                       o.name AS organisation_name, o.zone, m.id AS member_id, m.role
                FROM member m JOIN person p ON p.id = m.person_id JOIN organisation o ON o.id = m.organisation_id
                WHERE m.organisation_id = $1 AND m.id = $2
                """,
                organisation_id,
                member_id,
            )
            origin = sessions.Origin("127.0.0.1", "tests")
            session_id, token = await sessions.start(unit, self.runtime.settings, row["person_id"], origin, stay=False)
        return Access(session_id=session_id, csrf_token=sessions.csrf_token(token), **row)

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.aclose()
        if self._clients is not None:
            await self._clients.close()

    def browser(self) -> httpx2.AsyncClient:
        """A client without cookies that speaks to the application in this process."""
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://hub.test")
        self._browsers.append(client)
        return client

    async def connect(self, connector: str = "telegram", access: Access | None = None, **values: Any) -> Connected:
        """A connected channel that is on, as if its set-up had succeeded."""
        access = access or self.owner
        given = values or ({"bot_token": TOKEN} if connector == "telegram" else {"token": "probe"})
        channel_id = await channels.connect_channel(
            self.runtime, access, connector=connector, title=connector.title(), values=given
        )
        async with self.runtime.database.unit_of_work(access.organisation_id) as unit:
            await unit.sql.execute(
                "UPDATE channel SET state = 'on', own_id = '7012345678', callback_url = $2 WHERE id = $1",
                channel_id,
                channels.callback_url(self.runtime, connector, channel_id),
            )
        channel = await ingest.load_channel(self.runtime, access.organisation_id, channel_id)
        return Connected(channel_id, connector, channel.account.webhook_secrets[0])

    async def deliver(self, channel: Connected, payload: Any, *, secret: str | None = None) -> int:
        """Post a provider's webhook to the door; the status of the answer. Bytes are sent as they are."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        name = "x-telegram-bot-api-secret-token" if channel.connector == "telegram" else "x-probe-secret"
        headers = {name: channel.secret if secret is None else secret, "content-type": "application/json"}
        response = await self.browser().post(channel.path, content=body, headers=headers)
        return response.status_code

    async def settle(self) -> None:
        """Let everything that is due now happen, in and out, without a worker process."""
        if self._clients is None:
            self._clients = dispatch.Clients(self.runtime.settings.trusted_hosts, at_once=8)
        await alarm.ring(self.runtime)
        for _ in range(ROUNDS):
            await notices.send_due(self.runtime)
            if not await sweeper.look(self.runtime):
                return
            async with self.runtime.database.system() as unit:
                lanes = await unit.sql.fetch("SELECT organisation_id, channel_id FROM channel_lane WHERE direction = 'in'")
            for lane in lanes:
                await ingest.drain(self.runtime, lane["organisation_id"], lane["channel_id"], self.worker_id)
                await media.drain(self.runtime, lane["organisation_id"], lane["channel_id"], self.worker_id)
                await dispatch.drain(self.runtime, self._clients, lane["organisation_id"], lane["channel_id"], self.worker_id)
                await care.drain(self.runtime, lane["organisation_id"], lane["channel_id"], self.worker_id)
                await naming.drain(self.runtime, lane["organisation_id"], lane["channel_id"], self.worker_id)
        raise AssertionError("the hub does not come to rest")

    async def rows(self, statement: str, *values: Any, organisation_id: UUID | None = None) -> list[Any]:
        """Read as hub_app of the organisation."""
        async with self.runtime.database.unit_of_work(organisation_id or self.organisation_id) as unit:
            found: list[Any] = await unit.sql.fetch(statement, *values)
        return found

    async def value(self, statement: str, *values: Any, organisation_id: UUID | None = None) -> Any:
        rows = await self.rows(statement, *values, organisation_id=organisation_id)
        return rows[0][0] if rows else None

    async def reply(self, conversation_id: UUID, text: str, **options: Any) -> UUID:
        """The owner answers."""
        key = options.pop("client_key", ids.new_id().hex)
        return await outbound.submit(self.runtime, self.owner, conversation_id, text=text, client_key=key, **options)


def telegram_text(
    update_id: int, text: str, *, user: int = 5123456789, message_id: int | None = None, at: int = 1795510800
) -> dict[str, Any]:
    """A text update as the provider file shows it (telegram.md, 5.1). `at` is 2026-11-24 09:00 UTC."""
    person = {"id": user, "is_bot": False, "first_name": "Jörg", "last_name": "Özdemir", "language_code": "de"}
    chat = {"id": user, "first_name": "Jörg", "last_name": "Özdemir", "type": "private"}
    number = message_id if message_id is not None else update_id
    message: dict[str, Any] = {"message_id": number, "from": person, "chat": chat, "date": at, "text": text}
    if text.startswith("/"):
        message["entities"] = [{"offset": 0, "length": len(text.split()[0]), "type": "bot_command"}]
    return {"update_id": update_id, "message": message}
