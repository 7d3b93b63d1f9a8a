"""Viber over the real road: signed callbacks, door, lane, store, gate, claim, links of files, and back to the app."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from hub.channels import service
from hub.channels.approval import set_approval
from hub.connectors.events import Location
from hub.core.settings import Settings
from hub.inbox.stored import uploads
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from hub.sandbox.viber.simulator import ViberSimulator, create
from hub.sandbox.viber.world import SAMPLE_ID
from tests.sandbox.support import Stage
from tests.scenarios.messengers import FORM, Mounted, form, settings_for
from tests.support import HubUnderTest

JOERG = "Qm9+x/Lk2Aa0vYyZz1Ww3A=="
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@dataclass
class Story:
    hub: HubUnderTest
    simulator: ViberSimulator
    channel_id: UUID

    async def settled(self) -> None:
        """Everything that was said has arrived, and everything due has happened; statuses come on the way."""
        for _ in range(3):
            await self.simulator.phone.settled()
            await self.hub.settle()

    async def write(self, text: str, **more: Any) -> Any:
        self.simulator.phone.write(SAMPLE_ID, JOERG, PhoneDraft(text=text, **more))
        await self.settled()
        return await self.newest()

    async def newest(self) -> Any:
        return (await self.hub.rows("SELECT * FROM message WHERE direction = 'in' ORDER BY seq DESC LIMIT 1"))[0]

    async def answer(self, text: str, **more: Any) -> Any:
        """The owner answers; the message as it stands afterwards."""
        message_id = await self.hub.reply(await self.hub.value("SELECT id FROM conversation"), text, **more)
        await self.settled()
        return (await self.hub.rows("SELECT * FROM message WHERE id = $1", message_id))[0]


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    return settings_for(settings, sockets)


@pytest.fixture
async def story(hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> AsyncIterator[Story]:
    """Connected as the page does it: Viber tests the hub's address while the hub waits for its answer."""
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        sockets[0].app, sockets[1].app = Mounted("/viber", simulator), hub.app
        values = simulator.sample_settings(sockets[0].address)
        answers = {"industry": "none"}
        channel_id = await service.connect_channel(
            hub.runtime, hub.owner, connector="viber", title="Radwerk", values=values, answers=answers
        )
        await set_approval(hub.runtime, channel_id, "approved", "Mail vom 23.11.")
        await service.accept_terms(hub.runtime, hub.owner, "viber")
        await service.switch_on(hub.runtime, hub.owner, channel_id)
        yield Story(hub, simulator, channel_id)
        await simulator.stop()


async def test_a_talk_with_its_statuses_and_exact_tokens(story: Story) -> None:
    """The first message subscribes without a word, and that is kept as evidence (R-221)."""
    line = await story.write("Grüße 😊 & <b>")
    assert line["text"] == "Grüße 😊 & <b>"
    assert line["provider_key"] == f"m:{JOERG}:{story.simulator.phone.chat(SAMPLE_ID, JOERG).lines[0].id}"
    assert await story.hub.value("SELECT count(*) FROM consent_entry WHERE kind = 'opted_in'") == 1
    assert (await story.answer("Guten Tag!"))["state"] == "delivered"
    assert (await story.answer("Noch etwas"))["state"] == "delivered"
    story.simulator.phone.read(SAMPLE_ID, JOERG)
    await story.settled()
    assert [row["state"] for row in await story.hub.rows("SELECT state FROM message WHERE direction = 'out'")] == ["read", "read"]
    await story.write("noch eine")
    assert await story.hub.value("SELECT count(*) FROM consent_entry WHERE kind = 'opted_in'") == 1


async def test_files_both_ways(story: Story) -> None:
    """Out by a signed public address that ends as the file does; the app fetches it from the hub."""
    photo = PhoneFile(id="", kind="image", name="Kette.png", mime="image/png", size=0)
    line = await story.write("Slomljene", file=photo, content=PNG)
    (file,) = await story.hub.rows("SELECT * FROM attachment WHERE message_id = $1", line["id"])
    assert (line["text"], file["kind"], file["state"]) == ("Slomljene", "image", "stored")
    conversation = await story.hub.value("SELECT id FROM conversation")
    body = form("Größe.PNG", PNG)
    upload = await uploads.add_upload(story.hub.runtime, story.hub.owner, conversation, content_type=FORM, body=body)
    sent = await story.answer("Schön", files=[upload.id])
    assert sent["state"] == "delivered"
    line = story.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1]
    shown, content = story.simulator.phone.file(SAMPLE_ID, line.files[0].id)
    assert (line.text, shown.kind, content) == ("Schön", "image", PNG)


async def test_places_contacts_and_every_other_kind(story: Story) -> None:
    phone = story.simulator.phone
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(place=(44.8125, 20.4612)))
    phone.write(SAMPLE_ID, JOERG, PhoneDraft(contact=("Ана", "381601234567")))
    for name in ("open", "link", "media_missing", "future"):
        phone.extra(SAMPLE_ID, JOERG, name)
    await story.settled()
    kinds = [row["kind"] for row in await story.hub.rows("SELECT kind FROM message WHERE direction = 'in' ORDER BY at, seq")]
    assert sorted(kinds) == ["contact", "location", "sheet", "unsupported", "unsupported"]
    assert await story.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0
    await story.answer("", location=Location(latitude=47.5, longitude=9.7))
    assert phone.chat(SAMPLE_ID, JOERG).lines[-1].place == (47.5, 9.7)


async def test_who_leaves_is_written_to_no_more(story: Story) -> None:
    await story.write("Hallo")
    story.simulator.phone.set_blocked(SAMPLE_ID, JOERG, True)
    await story.settled()
    assert await story.hub.value("SELECT count(*) FROM consent_entry WHERE kind = 'opt_out'") == 1


async def test_who_opens_the_chat_is_welcomed_only_with_an_opt_in_on_record(story: Story) -> None:
    """R-221: the welcome too. It rides in the answer to Viber and is sent by no other way."""
    await story.hub.value("UPDATE channel SET welcome = 'Willkommen!' WHERE id = $1 RETURNING true", story.channel_id)
    phone = story.simulator.phone
    phone.extra(SAMPLE_ID, JOERG, "open")
    await story.settled()
    assert phone.chat(SAMPLE_ID, JOERG).lines == ()
    phone.extra(SAMPLE_ID, JOERG, "subscribe")
    await story.settled()
    phone.extra(SAMPLE_ID, JOERG, "open")
    await story.settled()
    assert [line.text for line in phone.chat(SAMPLE_ID, JOERG).lines] == ["Willkommen!"]
    assert await story.hub.value("SELECT count(*) FROM message WHERE direction = 'out' AND text = 'Willkommen!'") == 1


async def test_a_question_and_its_answer(story: Story) -> None:
    await story.write("Hallo")
    await story.answer("Passt Dienstag?", options=["Ja & gern", "Nein"])
    line = story.simulator.phone.chat(SAMPLE_ID, JOERG).lines[-1]
    assert [button.label for button in line.buttons] == ["Ja & gern", "Nein"]
    story.simulator.phone.press(SAMPLE_ID, JOERG, line.id, "Ja & gern")
    await story.settled()
    pressed = await story.newest()
    assert (pressed["kind"], pressed["text"]) == ("interactive", "Ja & gern")


async def test_duplicates_and_another_order(story: Story) -> None:
    story.simulator.faults.switch_on("duplicate", times=2)
    await story.write("eins")
    await story.write("zwei")
    rows = await story.hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY seq")
    assert [row["text"] for row in rows] == ["eins", "zwei"]


async def test_a_refusal_is_final(story: Story) -> None:
    """Status 3 in an answer of 200."""
    await story.write("Hallo")
    story.simulator.faults.switch_on("refused", times=1, code=3)
    assert (await story.answer("Guten Tag!"))["state"] == "failed"


async def test_a_blocked_bot_pauses_its_queue(story: Story) -> None:
    await story.write("Hallo")
    story.simulator.faults.switch_on("refused", code=7)
    assert (await story.answer("Guten Tag!"))["state"] == "queued"
    row = (await story.hub.rows("SELECT health, health_cause FROM channel"))[0]
    assert (row["health"], row["health_cause"]) == ("attention", "blocked")
