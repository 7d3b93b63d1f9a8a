"""What the tests of erasing, blocking and answering a person share: one person who writes on three messengers."""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import respx

from hub.inbox.arriving import ingest
from tests.support import TOKEN, Connected, HubUnderTest, telegram_text
from tests.webchat.support import Browser, connect_chat

NOW: Final = 1795510800  # 2026-11-24 09:00 UTC
NAME: Final = "Jörg Özdemir"
USER: Final = 5123456789
PHRASE: Final = "Rahmennummer WK4711"
"""What the person says, on every messenger."""


@dataclass
class Customer:
    """Jörg, with a conversation over Telegram, over the probe (as `joerg`) and in the website chat, all one contact."""

    hub: HubUnderTest
    telegram: Connected
    probe: Connected
    chat: Connected
    contact_id: UUID
    visitor: str

    async def writes(self, text: str, number: int) -> None:
        """Over Telegram."""
        assert await self.hub.deliver(self.telegram, telegram_text(number, text, user=USER, at=NOW + number)) == 200
        await self.hub.settle()

    async def conversation(self, channel: Connected) -> Any:
        rows = await self.hub.rows("SELECT * FROM conversation WHERE channel_id = $1", channel.id)
        return rows[0] if rows else None


async def tell(hub: HubUnderTest, probe: Connected, *events: dict[str, Any]) -> None:
    """The probe's provider delivers these events at once."""
    assert await hub.deliver(probe, [{"at": NOW, **event} for event in events]) == 200
    await ingest.drain(hub.runtime, hub.organisation_id, probe.id, hub.worker_id)


async def meet(hub: HubUnderTest) -> Customer:
    """Jörg writes on all three, and is found to be one person."""
    telegram, probe, chat = await hub.connect(), await hub.connect("probe"), await connect_chat(hub)
    customer = Customer(hub, telegram, probe, chat, UUID(int=0), "")
    await customer.writes(f"Moin, {PHRASE}", 1)
    await tell(hub, probe, {"type": "message", "key": "m1", "from": "joerg", "name": NAME, "text": PHRASE})
    visitor = await Browser(hub, chat, hub.browser()).start(name=NAME, email="joerg@oezdemir.example")
    await visitor.write(f"Im Chat: {PHRASE}")
    await hub.settle()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        customer.contact_id = await unit.sql.fetchval("SELECT id FROM contact ORDER BY created_at, id LIMIT 1")
        customer.visitor = await unit.sql.fetchval("SELECT provider_user_id FROM identity WHERE channel_id = $1", chat.id)
        for table in ("identity", "conversation"):
            await unit.sql.execute(f"UPDATE {table} SET contact_id = $1", customer.contact_id)
        await unit.sql.execute("DELETE FROM contact WHERE id <> $1", customer.contact_id)
    return customer


def telegram_takes_everything() -> respx.Route:
    """Telegram's answer to a text."""
    sent = {"message_id": 990, "date": NOW + 60, "chat": {"id": USER, "type": "private"}, "text": "x"}
    return respx.post(f"https://api.telegram.org/bot{TOKEN}/sendMessage").respond(json={"ok": True, "result": sent})


async def found_anywhere(hub: HubUnderTest, *said: str) -> set[str]:
    """Tables and columns of the organisation in which one of these texts stands; sealed bytes say nothing."""
    found = set()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        columns = await unit.sql.fetch(
            """
            SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
            WHERE c.table_schema = 'public' AND c.data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY')
              AND has_column_privilege('hub_app', format('%I.%I', 'public', c.table_name)::regclass, c.column_name, 'SELECT')
            """
        )
        for table, column, kind in columns:
            for text in said:
                value = text.encode() if kind == "bytea" else text
                within = f'"{column}"' if kind == "bytea" else f'"{column}"::text'
                if await unit.sql.fetchval(f"SELECT true FROM {table} WHERE position($1 IN {within}) > 0 LIMIT 1", value):
                    found.add(f"{table}.{column}")
    return found


def escaped(text: str) -> str:
    """As it stands in raw JSON of ASCII."""
    return json.dumps(text).strip('"')
