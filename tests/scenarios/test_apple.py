"""Apple Messages for Business over the real road: signed and packed posts, the shared address, lane, store, gate, claim, and back
to the phone."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from hub.channels import service
from hub.channels.approval import set_approval
from hub.consent.gate import SendBlocked
from hub.core.settings import Settings
from hub.inbox.stored import uploads
from hub.sandbox.apple.simulator import AppleSimulator, create
from hub.sandbox.apple.world import BUSINESS, Chat
from hub.sandbox.messengers import PhoneDraft, PhoneFile
from tests.sandbox.support import Stage
from tests.scenarios.messengers import FORM, Mounted, form, settings_for
from tests.support import HubUnderTest

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@dataclass
class Story:
    hub: HubUnderTest
    simulator: AppleSimulator
    channel_id: UUID

    @property
    def person(self) -> str:
        return next(iter(self.simulator.world.chats))

    @property
    def chat(self) -> Chat:
        return self.simulator.world.chats[self.person]

    async def settled(self) -> None:
        """Everything that was said has arrived, and everything due has happened."""
        await self.simulator.courier.settled()
        await self.hub.settle()

    async def write(self, text: str, **more: Any) -> Any:
        self.simulator.phone.write(BUSINESS, self.person, PhoneDraft(text=text, **more))
        await self.settled()
        return await self.newest()

    async def extra(self, name: str) -> Any:
        self.simulator.phone.extra(BUSINESS, self.person, name)
        await self.settled()
        return await self.newest()

    async def newest(self) -> Any:
        return (await self.hub.rows("SELECT * FROM message WHERE direction = 'in' ORDER BY seq DESC LIMIT 1"))[0]

    async def files(self, message: UUID) -> list[Any]:
        return await self.hub.rows("SELECT * FROM attachment WHERE message_id = $1 ORDER BY position", message)

    def holds(self, file: UUID) -> bytes:
        with self.hub.runtime.storage.open(self.hub.organisation_id, file) as opened:
            return opened.read()

    async def answer(self, text: str, **more: Any) -> Any:
        """The owner answers; the message as it stands afterwards."""
        message_id = await self.hub.reply(await self.hub.value("SELECT id FROM conversation"), text, **more)
        await self.settled()
        return (await self.hub.rows("SELECT * FROM message WHERE id = $1", message_id))[0]

    async def attach(self, name: str) -> Any:
        conversation = await self.hub.value("SELECT id FROM conversation")
        body = form(name, PNG)
        return (await uploads.add_upload(self.hub.runtime, self.hub.owner, conversation, content_type=FORM, body=body)).id


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    return settings_for(settings, sockets)


async def connect(hub: HubUnderTest, values: dict[str, Any]) -> UUID:
    """As the page does it, with the approval that Apple gave."""
    channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="apple", title="Radwerk", values=values)
    await set_approval(hub.runtime, channel_id, "approved", "Mail vom 23.11.")
    await service.accept_terms(hub.runtime, hub.owner, "apple")
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    return channel_id


@pytest.fixture
async def story(hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> AsyncIterator[Story]:
    """Connected, and the address that the page shows is entered at Apple."""
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        sockets[0].app, sockets[1].app = Mounted("/apple", simulator), hub.app
        channel_id = await connect(hub, simulator.sample_settings(sockets[0].address))
        address = await hub.value("SELECT callback_url FROM channel")
        assert address == f"{sockets[1].address}/hooks/apple/message"
        simulator.point_to(address)
        yield Story(hub, simulator, channel_id)
        await simulator.stop()


async def test_a_talk_and_what_is_known_of_it(story: Story) -> None:
    """There are no receipts: what Apple took is all that is known (provider file, 5)."""
    line = await story.write("Grüße 😊 & <b>")
    assert (line["kind"], line["text"]) == ("text", "Grüße 😊 & <b>")
    assert (await story.answer("Guten Tag!"))["state"] == "accepted"
    assert story.chat.lines[-1].text == "Guten Tag!"
    await story.answer("y" * 3010)
    assert [len(line.text) for line in story.chat.lines[-2:]] == [3000, 10]


async def test_files_both_ways_are_sealed_on_the_way(story: Story) -> None:
    photo = PhoneFile(id="", kind="image", name="Kette.png", mime="image/png", size=0)
    for _ in range(2):  # with the names of today and those of older texts
        line = await story.write("Die Kette", file=photo, content=PNG)
        (file,) = await story.files(line["id"])
        assert (line["text"], file["kind"], file["state"], story.holds(file["id"])) == ("Die Kette", "image", "stored", PNG)
    sent = await story.answer("Zwei Bilder", files=[await story.attach("a.png"), await story.attach("b.png")])
    assert sent["state"] == "accepted"
    shown = story.chat.lines[-1]
    assert [story.simulator.phone.file(BUSINESS, file.id)[1] for file in shown.files] == [PNG, PNG]
    assert shown.text == "Zwei Bilder"
    assert all(PNG not in one.sealed for one in story.simulator.world.storage.values())


async def test_a_question_is_answered_by_pressing(story: Story) -> None:
    """Few short answers are a quick reply, many are a list."""
    await story.write("Hallo")
    for options, kind in ((["Ja", "Nein"], "quick-reply"), ([f"{hour} Uhr" for hour in range(8, 16)], "listPicker")):
        await story.answer("Passt das?", options=options)
        question = story.chat.lines[-1]
        assert kind in story.chat.asked[question.id]["data"]
        story.simulator.phone.press(BUSINESS, story.person, question.id, "1")
        await story.settled()
        line = await story.newest()
        assert (line["kind"], line["text"], line["content"]["option"]) == ("interactive", options[0], "1")
        assert line["content"]["reply_to"] == f"o:{question.id}"


async def test_every_other_kind_is_a_line_in_the_thread(story: Story) -> None:
    await story.write("Hallo")
    await story.answer("Welches Rad?", options=[f"Rad {number}" for number in range(1, 8)])
    found = {name: await story.extra(name) for name in ("pick_two", "form", "tapback", "two_files", "long_answer")}
    assert (found["pick_two"]["kind"], found["pick_two"]["text"]) == ("sheet", "Auswahl: Rad 1, Rad 2")
    assert (found["form"]["kind"], found["form"]["text"]) == ("sheet", "Rückruf")
    assert found["tapback"]["text"] == "Favorisiert: „Welches Rad?“"
    assert found["two_files"]["text"] == "Bild und Beleg"
    assert [file["state"] for file in await story.files(found["two_files"]["id"])] == ["stored", "stored"]
    (answer,) = await story.files(found["long_answer"]["id"])
    assert (answer["state"], answer["name"]) == ("stored", "answer.txt")
    assert story.holds(answer["id"]).decode().startswith("Reklamation\nIhr Anliegen: Die Kette springt.")
    story.simulator.phone.set_typing(BUSINESS, story.person, True)
    await story.settled()
    assert await story.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_who_deletes_the_conversation_is_written_to_no_more_until_they_write(story: Story) -> None:
    await story.write("Hallo")
    await story.extra("close")
    assert [row["kind"] for row in await story.hub.rows("SELECT kind FROM consent_entry")] == ["opt_out"]
    with pytest.raises(SendBlocked):
        await story.answer("Sind Sie noch da?")
    story.hub.clock.advance(seconds=1)
    await story.write("Doch noch eine Frage")
    assert (await story.answer("Gern"))["state"] == "accepted"


async def test_an_answer_that_crosses_the_close_fails_and_bars_nothing(story: Story) -> None:
    """410: what is known of their wish is the close, which ends when they write again."""
    await story.write("Hallo")
    story.chat.is_deleted = True
    assert (await story.answer("Guten Tag!"))["state"] == "failed"
    await story.write("Doch noch da")
    assert (await story.answer("Gern"))["state"] == "accepted"


async def test_duplicates_and_another_order(story: Story) -> None:
    story.simulator.faults.switch_on("duplicate", times=2)
    await story.write("eins")
    await story.write("zwei")
    assert [row["text"] for row in await story.hub.rows("SELECT text FROM message ORDER BY seq")] == ["eins", "zwei"]


async def test_what_a_refusal_means_for_the_message(story: Story) -> None:
    """Final, in doubt, or a pause; never twice by itself. The whole table is in `outbound.table.json`."""
    await story.write("Hallo")
    faults: list[tuple[str, dict[str, Any], str]] = [
        ("refused", {"code": "body is invalid"}, "failed"),
        ("lost_answer", {"delay": 0.01}, "unknown"),
        ("server_error", {"status": 500}, "unknown"),
    ]
    for fault, values, state in faults:
        story.simulator.faults.switch_on(fault, times=1, **values)
        assert (await story.answer("Antwort"))["state"] == state, fault
    assert len(story.chat.lines) == 2  # the one whose answer was lost did arrive
    story.simulator.faults.switch_on("unauthorised")
    assert (await story.answer("Antwort"))["state"] == "queued"
    assert await story.hub.value("SELECT health FROM channel") == "attention"


async def test_a_wrong_token_is_turned_away_and_a_strange_business_reaches_nobody(story: Story) -> None:
    """One address for all: the token says whether it is Apple, `destinationId` for whom."""
    address = f"{story.simulator.base}/message"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(address, content=b"{}", headers={"authorization": "Bearer abc"})
        assert answer.status_code == 401
    strange = {"type": "text", "body": "Für wen?", "destinationId": str(uuid4())}
    story.simulator.tell(story.chat, str(uuid4()), strange)
    await story.settled()
    assert await story.hub.value("SELECT count(*) FROM message") == 0


async def test_another_business_behind_the_address_gets_nothing_of_it(story: Story, sockets: tuple[Stage, Stage]) -> None:
    """Another provider's, with a secret of its own."""
    secret = base64.b64encode(hashlib.sha256(b"another provider").digest()).decode()
    values = {**story.simulator.sample_settings(sockets[0].address), "business_id": str(uuid4()), "secret": secret}
    other = await service.connect_channel(story.hub.runtime, story.hub.owner, connector="apple", title="Bregenz", values=values)
    await story.write("An Lindau")
    rows = await story.hub.rows("SELECT c.channel_id FROM message m JOIN conversation c ON c.id = m.conversation_id")
    assert [row["channel_id"] for row in rows] == [story.channel_id]
    assert await story.hub.value("SELECT count(*) FROM webhook_delivery WHERE channel_id = $1", other) == 0
