"""Threema over the real road: sealed callbacks, door, keys, lane, store, gate, claim, and back to the app."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from hub.channels import service
from hub.consent.books import ledger
from hub.consent.books.chain import Change
from hub.consent.gate import SendBlocked
from hub.core import clock, ids
from hub.core.settings import Settings
from hub.inbox.arriving.starting import NotStarted, start
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from hub.sandbox.threema.containers import callback_form, pack
from hub.sandbox.threema.simulator import ThreemaSimulator, create
from hub.sandbox.threema.world import SAMPLE_ID
from tests.sandbox.support import Stage
from tests.scenarios.messengers import Mounted, settings_for
from tests.support import HubUnderTest

JOERG = "JOERG2EZ"


@dataclass
class Story:
    hub: HubUnderTest
    simulator: ThreemaSimulator
    channel_id: UUID

    async def settled(self) -> None:
        """Everything that was said has arrived, and everything due has happened; receipts come on the way."""
        for _ in range(3):
            await self.simulator.courier.settled()
            await self.hub.settle()

    async def write(self, text: str, **more: Any) -> Any:
        self.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text=text, **more))
        await self.settled()
        return await self.newest()

    async def newest(self) -> Any:
        return (await self.hub.rows("SELECT * FROM message WHERE direction = 'in' ORDER BY seq DESC LIMIT 1"))[0]

    async def conversation(self) -> UUID:
        found: UUID = await self.hub.value("SELECT id FROM conversation")
        return found

    async def answer(self, text: str) -> str:
        """The owner answers; how far the answer got."""
        message_id = await self.hub.reply(await self.conversation(), text)
        await self.settled()
        return str(await self.hub.value("SELECT state FROM message WHERE id = $1", message_id))


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    return settings_for(settings, sockets)


@pytest.fixture
async def story(hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> AsyncIterator[Story]:
    """Connected as the page does it, and the address entered in the Gateway's console."""
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        sockets[0].app, sockets[1].app = Mounted("/threema", simulator), hub.app
        values = simulator.sample_settings(sockets[0].address)
        seat = {"seat": "DE"}
        channel_id = await service.connect_channel(
            hub.runtime, hub.owner, connector="threema", title="Radwerk", values=values, answers=seat
        )
        await service.accept_terms(hub.runtime, hub.owner, "threema")
        await service.switch_on(hub.runtime, hub.owner, channel_id)
        simulator.point_to(f"{sockets[1].address}/hooks/threema/{ids.show('chn', channel_id)}")
        yield Story(hub, simulator, channel_id)
        await simulator.stop()


async def test_a_talk_with_its_statuses(story: Story) -> None:
    """R-194: somebody with a Threema ID alone, no number and no mail."""
    line = await story.write("Grüße 😊, ist das Rad fertig?")
    assert (line["kind"], line["text"]) == ("text", "Grüße 😊, ist das Rad fertig?")
    person = (await story.hub.rows("SELECT provider_user_id, display_name FROM identity"))[0]
    assert (person["provider_user_id"], person["display_name"]) == (JOERG, "Jörg Özdemir")
    assert await story.hub.value("SELECT count(*) FROM peer_key") == 1
    assert await story.answer("Ja, seit heute.") == "delivered"
    assert [one.text for one in story.simulator.phone.chat(SAMPLE_ID, JOERG).lines][-1] == "Ja, seit heute."
    story.simulator.phone.read(SAMPLE_ID, JOERG)
    await story.settled()
    assert await story.hub.value("SELECT state FROM message WHERE direction = 'out'") == "read"


async def test_the_business_writes_first_to_whom_it_found(story: Story) -> None:
    """R-194, R-221: found by a number, which leaves as a hash; the first word waits for the person's agreement."""
    runtime, owner = story.hub.runtime, story.hub.owner
    with pytest.raises(NotStarted, match="nobody"):
        await start(runtime, owner, story.channel_id, "+49 30 123456")
    conversation = await start(runtime, owner, story.channel_id, "+49 (0)170 1234567", "Herr Özdemir")
    with pytest.raises(SendBlocked):
        await story.hub.reply(conversation, "Ihr Rad ist fertig.")
    agreed = Change("threema", "", JOERG, "opted_in", clock.now(), {"source": "test"})
    async with runtime.database.unit_of_work(story.hub.organisation_id) as unit:
        await ledger.record(unit, runtime.vault, runtime.hooks, [agreed])
    assert await story.answer("Ihr Rad ist fertig.") == "delivered"
    assert [one.text for one in story.simulator.phone.chat(SAMPLE_ID, JOERG).lines] == ["Ihr Rad ist fertig."]
    answer = await story.write("Danke")
    assert answer["conversation_id"] == conversation
    assert await story.hub.value("SELECT name FROM contact") == "Herr Özdemir"


async def test_a_reply_is_linked_and_stop_below_a_quotation_opts_out(story: Story) -> None:
    await story.write("Hallo")
    await story.answer("Passt Dienstag?")
    question = story.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1].id
    line = await story.write("STOP", reply_to=question)
    assert line["text"] == "STOP" and line["content"]["reply_to"] == f"m:{JOERG}:{question}"
    assert await story.hub.value("SELECT count(*) FROM consent_entry WHERE kind = 'opt_out'") == 1


async def test_a_file_comes_in_open(story: Story) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
    photo = PhoneFile(id="", kind="image", name="Kette März.png", mime="image/png", size=0)
    line = await story.write("So sieht es aus", file=photo, content=png)
    (file,) = await story.hub.rows("SELECT * FROM attachment WHERE message_id = $1", line["id"])
    assert (line["text"], file["kind"], file["state"], file["mime"]) == ("So sieht es aus", "image", "stored", "image/png")
    with story.hub.runtime.storage.open(story.hub.organisation_id, file["id"]) as ours:
        assert ours.read() == png
    phone = story.simulator.phone
    phone.edit(SAMPLE_ID, JOERG, phone.chat(SAMPLE_ID, JOERG).lines[0].id, "So sieht sie aus")
    await story.settled()
    changed = await story.newest()  # a change says the new words alone: of a file they are its caption
    assert (changed["kind"], changed["text"], changed["content"]["media"]) == ("media", "So sieht sie aus", "image")
    assert await story.hub.value("SELECT caption FROM attachment WHERE message_id = $1", line["id"]) == "So sieht sie aus"


async def test_changes_deletions_and_every_other_kind(story: Story) -> None:
    phone = story.simulator.phone
    await story.write("Montag?")
    first = phone.chat(SAMPLE_ID, JOERG).lines[0].id
    phone.edit(SAMPLE_ID, JOERG, first, "Dienstag?")
    await story.settled()
    assert (await story.newest())["text"] == "Dienstag?"
    phone.delete(SAMPLE_ID, JOERG, first)
    phone.set_typing(SAMPLE_ID, JOERG, True)
    await story.settled()
    assert (await story.newest())["deleted_at"] is not None
    before = await story.hub.value("SELECT count(*) FROM message WHERE direction = 'in'")
    for name in phone.extras:
        phone.extra(SAMPLE_ID, JOERG, name)
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(place=(47.5, 9.7)))
    await story.settled()
    rows = await story.hub.rows("SELECT kind FROM message WHERE direction = 'in'")
    assert len(rows) == before + 6  # all but the group's
    assert {"unsupported", "sheet", "media", "location"} <= {row["kind"] for row in rows}
    assert await story.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_duplicates_replays_and_another_order(story: Story) -> None:
    """Each thing once; a sealed message under another id is dropped."""
    story.simulator.faults.switch_on("duplicate", times=2)
    await story.write("eins")
    await story.write("zwei")
    gateway, person = story.simulator.world.gateway(SAMPLE_ID), story.simulator.world.person(JOERG)
    nonce, box = pack(1, b"drei", person.private_key, gateway.public_key)
    async with httpx.AsyncClient(trust_env=False) as http:
        for message in ("0000000000000001", "0000000000000002"):
            fields = {
                "from": JOERG,
                "to": SAMPLE_ID,
                "messageId": message,
                "date": "1795510800",
                "nonce": nonce.hex(),
                "box": box.hex(),
            }
            body = callback_form(gateway.secret, fields, "Jörg")
            headers = {"content-type": "application/x-www-form-urlencoded"}
            assert (await http.post(gateway.callback_url, content=body, headers=headers)).status_code == 200
    await story.settled()
    rows = await story.hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY text")
    assert [row["text"] for row in rows] == ["drei", "eins", "zwei"]


async def test_without_credits_the_queue_waits(story: Story) -> None:
    """402 pauses the account; nothing fails (provider file, 8)."""
    await story.write("Hallo")
    story.simulator.world.gateway(SAMPLE_ID).credits = 0
    assert await story.answer("Guten Tag!") == "queued"
    row = (await story.hub.rows("SELECT health, health_cause FROM channel"))[0]
    assert (row["health"], row["health_cause"]) == ("attention", "no_credits")
