"""I4 as a fuzz: whatever happens in whatever order, a request reaches the provider only with an attempt that was permitted when it
was claimed, and never for a person, channel or organisation that forbids it."""

import contextlib
import json
import random
from typing import Any

import httpx
import pytest
import respx

from hub.channels import service as channels
from hub.consent.gate import SendBlocked
from hub.core.errors import Conflict
from hub.inbox.arriving import ingest
from hub.inbox.sending import actions
from tests.campaigns.support import draft, start, try_out, work
from tests.consent.support import define_purpose, grant
from tests.inbox.pages_support import conv, visit
from tests.support import TOKEN, HubUnderTest, telegram_text

API = f"https://api.telegram.org/bot{TOKEN}"
NOW = 1795510800
PEOPLE = (601, 602, 603)
LETTER = "Rundbrief"
RECEIPT = "Sie sind abgemeldet"
"""Who had agreed to something is told once that their stop is heard."""


def member_update(update_id: int, user: int, status: str, at: int) -> dict[str, Any]:
    """telegram.md, 5.12."""
    bot = {"id": 7012345678, "is_bot": True, "first_name": "Muster Optik"}
    old = "member" if status == "kicked" else "kicked"
    return {
        "update_id": update_id,
        "my_chat_member": {
            "chat": {"id": user, "first_name": "Jörg", "type": "private"},
            "from": {"id": user, "is_bot": False, "first_name": "Jörg"},
            "date": at,
            "old_chat_member": {"user": bot, "status": old},
            "new_chat_member": {"user": bot, "status": status},
        },
    }


class World:
    """What the test itself knows: who may be written to, and what arrived at the provider."""

    def __init__(self, hub: HubUnderTest, chance: random.Random) -> None:
        self.hub, self.chance = hub, chance
        self.at, self.update = NOW, 1
        self.stopped: set[int] = set()
        self.agreed = {PEOPLE[0], PEOPLE[1]}
        """To newsletters: a stop takes it back for good, whatever they write later."""
        self.blocked: set[int] = set()
        self.channel_is_on = True
        self.arrived: list[int] = []
        self.wrong: list[str] = []

    def tick(self) -> int:
        self.at += 1
        self.hub.clock.advance(seconds=1)
        return self.at

    def provider(self, request: httpx.Request) -> httpx.Response:
        """Telegram: takes the message, or fails in one of its ways; notes each request that should never have come."""
        body = json.loads(request.content)
        user = body["chat_id"]
        self.arrived.append(user)
        if body["text"].startswith(LETTER) and user not in self.agreed:
            self.wrong.append(f"a newsletter to {user}")
        is_stopped = user in self.stopped and not body["text"].startswith(RECEIPT)
        if is_stopped or user in self.blocked or not self.channel_is_on:
            self.wrong.append(f"{user} after {len(self.arrived)} requests")
        fate = self.chance.random()
        if fate < 0.1:
            raise httpx.ReadTimeout("no answer")
        if fate < 0.2:
            raise httpx.ConnectError("no connection")
        if fate < 0.3:
            return httpx.Response(400, json={"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})
        chat = {"id": user, "type": "private"}
        number = 10_000 + len(self.arrived)
        return httpx.Response(200, json={"ok": True, "result": {"message_id": number, "chat": chat, "date": self.at}})


@respx.mock
@pytest.mark.parametrize("seed", range(6))
async def test_nothing_reaches_the_provider_that_the_gate_did_not_permit(hub: HubUnderTest, seed: int) -> None:
    """R-220, R-221 on the roads that exist: reply by page and by service, newsletter, resend, retry, replay."""
    world = World(hub, random.Random(seed))
    respx.post(f"{API}/sendMessage").mock(side_effect=world.provider)
    jonas, channel = await visit(hub), await hub.connect()

    async def deliver(payload: dict[str, Any]) -> None:
        world.update += 1
        await hub.deliver(channel, payload)
        await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)

    async def customer(text: str, user: int) -> None:
        await deliver(telegram_text(world.update, text, user=user, at=world.tick()))

    for user in PEOPLE:
        await customer("Hallo", user)
    talks = {
        int(row["provider_user_id"]): row["id"]
        for row in await hub.rows("SELECT i.provider_user_id, c.id FROM conversation c JOIN identity i ON i.id = c.identity_id")
    }
    purpose_id = await define_purpose(hub)
    for user in world.agreed:
        await grant(hub, purpose_id, ("telegram", "", str(user)))
    acts = ("page", "page", "reply", "reply", "writes", "stop", "block", "free", "switch", "resend", "send", "letter")
    for step in range(45):
        user = world.chance.choice(PEOPLE)
        act = world.chance.choice(acts)
        if act == "page":
            await jonas.post(f"/conversations/{conv(talks[user])}/messages", text=f"Nr. {step}", client_key=f"k{step}")
        elif act == "reply":
            try:
                await hub.reply(talks[user], f"Nr. {step}")
            except SendBlocked:
                assert user in world.stopped | world.blocked or not world.channel_is_on
        elif act == "writes" and user not in world.blocked:
            await customer("Noch eine Frage", user)
            world.stopped.discard(user)
        elif act == "stop" and user not in world.blocked:
            await customer("STOP", user)
            world.stopped.add(user)
            world.agreed.discard(user)
        elif act == "block":
            await deliver(member_update(world.update, user, "kicked", world.tick()))
            world.blocked.add(user)
        elif act == "free":
            await deliver(member_update(world.update, user, "member", world.tick()))
            world.blocked.discard(user)
        elif act == "switch":
            if world.channel_is_on:
                await channels.block_channel(hub.runtime, hub.owner, channel.id, "law")
            else:
                async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
                    await unit.sql.execute("UPDATE channel SET state = 'on'")
            world.channel_is_on = not world.channel_is_on
        elif act == "letter":
            campaign_id = await draft(hub, channel, purpose_id, LETTER)
            await try_out(hub, campaign_id)
            await start(hub, campaign_id)
            await work(hub)
        elif act == "resend":
            failed = await hub.value("SELECT id FROM message WHERE state IN ('failed', 'unknown') ORDER BY seq DESC LIMIT 1")
            if failed is not None:
                with contextlib.suppress(SendBlocked, Conflict):
                    await actions.resend(hub.runtime, hub.owner, failed)
        else:
            world.tick()
            await hub.settle()
    hub.clock.advance(hours=1)
    await hub.settle()
    assert world.wrong == []
    assert len(world.arrived) == await hub.value("SELECT count(*) FROM attempt")
    assert await hub.value("SELECT count(*) FROM attempt WHERE facts_version = ''") == 0
    undecided = await hub.value(
        """
        SELECT count(*) FROM message m WHERE direction = 'out' AND NOT EXISTS (
            SELECT FROM gate_decision d WHERE d.message_id = m.id AND d.stage = 'submit' AND d.verdict <> 'refuse')
        """
    )
    assert undecided == 0
