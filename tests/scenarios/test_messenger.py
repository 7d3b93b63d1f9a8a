"""Messenger both ways over the real road: the simulator's wire, door, lane, store, gate, claim and back to the phone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from hub.channels import service
from hub.consent.gate import SendBlocked
from hub.core.clock import FakeClock
from hub.core.settings import Settings
from hub.inbox.sending import actions
from hub.inbox.stored import uploads
from hub.sandbox._graph.api import GraphSimulator
from hub.sandbox.instagram import simulator as instagram
from hub.sandbox.messenger import simulator as messenger
from hub.sandbox.messengers import PhoneChat, PhoneDraft, PhoneFile, PhoneLine
from tests.sandbox.support import Stage
from tests.scenarios.test_telegram_whole import PNG, form
from tests.support import HubUnderTest


class Mounted:
    """The simulators where the sandbox has them."""

    def __init__(self, *simulators: GraphSimulator) -> None:
        self._by_name = {one.connector: one for one in simulators}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"][1:].partition("/")[0]
        behind = {**scope, "path": scope["path"].removeprefix(f"/{name}"), "root_path": f"/{name}"}
        await self._by_name[name](behind, receive, send)


@dataclass
class Whole:
    """A customer with a phone, and the business whose hub they write to."""

    hub: HubUnderTest
    simulator: Any
    channel_id: UUID
    clock: FakeClock

    @property
    def account(self) -> str:
        return str(self.simulator.world.flavour.account_id)

    @property
    def person(self) -> str:
        return str(self.simulator.world.flavour.people[0].id)

    @property
    def phone(self) -> PhoneChat:
        chat: PhoneChat = self.simulator.phone.chat(self.account, self.person)
        return chat

    async def settled(self) -> None:
        """Everything that was said has arrived, everything due has happened, and its statuses are in."""
        for _ in range(3):
            await self.simulator.courier.settled()
            await self.hub.settle()

    async def write(self, text: str = "", **more: Any) -> PhoneLine:
        line: PhoneLine = self.simulator.phone.write(self.account, self.person, PhoneDraft(text=text, **more))
        await self.settled()
        return line

    async def extra(self, name: str) -> None:
        self.simulator.phone.extra(self.account, self.person, name)
        await self.settled()

    async def newest(self, direction: str = "in") -> Any:
        rows = await self.hub.rows("SELECT * FROM message WHERE direction = $1 ORDER BY seq DESC LIMIT 1", direction)
        return rows[0]

    async def conversation(self) -> UUID:
        found: UUID = await self.hub.value("SELECT id FROM conversation")
        return found

    async def reply(self, text: str, **options: Any) -> UUID:
        message = await self.hub.reply(await self.conversation(), text, **options)
        await self.settled()
        return message

    async def state(self, message: UUID) -> str:
        return str(await self.hub.value("SELECT state FROM message WHERE id = $1", message))

    async def attach(self, name: str) -> Any:
        kind = "multipart/form-data; boundary=grenze"
        access, conversation = self.hub.owner, await self.conversation()
        return (await uploads.add_upload(self.hub.runtime, access, conversation, content_type=kind, body=form(name, PNG))).id


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    provider, hub = sockets
    return settings.model_copy(update={"public_url": hub.address, "trusted_hosts": frozenset({urlsplit(provider.address).netloc})})


async def connect(hub: HubUnderTest, simulator: Any, origin: str) -> UUID:
    """As the page does it."""
    values = simulator.sample_settings(origin)
    channel_id = await service.connect_channel(
        hub.runtime, hub.owner, connector=simulator.connector, title="Radwerk", values=values
    )
    await service.accept_terms(hub.runtime, hub.owner, simulator.connector)
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    return channel_id


@pytest.fixture(params=[messenger, instagram], ids=["messenger", "instagram"])
async def whole(
    request: pytest.FixtureRequest, settings: Settings, hub: HubUnderTest, sockets: tuple[Stage, Stage]
) -> AsyncIterator[Whole]:
    """The sample account, connected as the page does it."""
    provider, door = sockets
    door.app = hub.app
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = request.param.create(http)
        provider.app = Mounted(simulator)
        channel_id = await connect(hub, simulator, provider.address)
        yield Whole(hub, simulator, channel_id, hub.clock)
        await simulator.stop()


PICTURE = {"file": PhoneFile(id="", kind="image", name="riss.png", mime="image/png", size=len(PNG)), "content": PNG}


async def test_what_a_customer_does_is_in_the_thread(whole: Whole) -> None:
    mine = await whole.write("Guten Tag, ist das Rad fertig? 🙂")
    line = await whole.newest()
    assert (line["kind"], line["text"]) == ("text", "Guten Tag, ist das Rad fertig? 🙂")
    assert await whole.hub.value("SELECT name FROM contact") in ("Jörg Müller", "Katrin Aigner")  # asked for, once
    whole.simulator.phone.edit(whole.account, whole.person, mine.id, "Guten Abend")
    await whole.settled()
    assert (await whole.newest())["text"] == "Guten Abend"
    await whole.write("So sieht es aus", **PICTURE)
    line = await whole.newest()
    (found,) = await whole.hub.rows("SELECT * FROM attachment WHERE message_id = $1", line["id"])
    assert (line["text"], found["kind"], found["state"]) == ("So sieht es aus", "image", "stored")
    with whole.hub.runtime.storage.open(whole.hub.organisation_id, found["id"]) as ours:
        assert ours.read() == PNG
    whole.simulator.faults.switch_on("file_gone")
    await whole.write("Noch eines", **PICTURE)
    line = await whole.newest()
    (found,) = await whole.hub.rows("SELECT state FROM attachment WHERE message_id = $1", line["id"])
    assert (line["text"], found["state"]) == ("Noch eines", "gone")
    whole.simulator.phone.delete(whole.account, whole.person, mine.id)
    await whole.settled()
    gone = (await whole.hub.rows("SELECT text, deleted_at FROM message WHERE direction = 'in' ORDER BY seq LIMIT 1"))[0]
    assert gone["text"] == "" and gone["deleted_at"] is not None  # Meta wants it deleted, not hidden
    assert await whole.hub.value("SELECT count(*) FROM webhook_delivery WHERE position('Guten Abend'::bytea IN body) > 0") == 0
    for name in sorted(whole.simulator.phone.extras):
        if name not in ("inbox", "inbox_release", "policy_block", "policy_unblock", "unsubscribe"):
            await whole.extra(name)
    assert await whole.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_what_an_agent_answers_is_on_the_phone_and_reported(whole: Whole) -> None:
    mine = await whole.write("Was kostet das?")
    asked = (await whole.newest())["id"]
    message = await whole.reply("12 €", reply_to=asked)
    assert (whole.phone.lines[-1].text, whole.phone.lines[-1].reply_to) == ("12 €", mine.id)
    assert await whole.state(message) in ("sent", "delivered")
    whole.clock.advance(seconds=1)
    whole.simulator.phone.read(whole.account, whole.person)
    await whole.settled()
    assert await whole.state(message) == "read"
    await actions.react(whole.hub.runtime, whole.hub.owner, asked, "❤")
    await whole.settled()
    assert whole.phone.lines[0].reactions == ("❤",)
    await whole.reply("Zwei Bilder", files=[await whole.attach("a.png"), await whole.attach("b.png")])
    first, second, words = whole.phone.lines[-3:]
    assert [whole.simulator.phone.file(whole.account, line.files[0].id)[1] for line in (first, second)] == [PNG, PNG]
    assert words.text == "Zwei Bilder"
    assert await whole.hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 2  # and no echo of them
    limit = whole.simulator.world.flavour.longest_text
    await whole.reply("y" * (limit + 10))
    assert [len(line.text) for line in whole.phone.lines[-2:]] == [limit, 10]


async def test_a_question_is_answered_by_a_press(whole: Whole) -> None:
    """Up to three answers are buttons that come back as postbacks, more are quick replies that come back as messages."""
    await whole.write("Hallo")
    for options in (["Ja", "Nein"], ["8 Uhr", "9 Uhr", "10 Uhr", "11 Uhr"]):
        await whole.reply("Passt das?", options=options)
        question = whole.phone.lines[-1]
        assert [button.label for button in question.buttons] == options
        whole.clock.advance(seconds=1)
        whole.simulator.phone.press(whole.account, whole.person, question.id, question.buttons[0].id)
        await whole.settled()
        line = await whole.newest()
        assert (line["kind"], line["text"], line["content"]["option"]) == ("interactive", options[0], "1")


async def test_a_colleague_in_the_inbox_is_one_of_us(whole: Whole) -> None:
    await whole.write("Hallo")
    await whole.extra("inbox")
    line = await whole.newest("out")
    assert line["text"] == "Das übernehme ich hier."
    await whole.write("Danke")
    assert (await whole.newest())["text"] == "Danke"
    assert await whole.state(await whole.reply("Ich auch")) == "failed"


async def test_duplicates_change_nothing(whole: Whole) -> None:
    whole.simulator.faults.switch_on("duplicate")
    await whole.write("Einmal")
    assert await whole.hub.value("SELECT count(*) FROM message WHERE direction = 'in'") == 1
    await whole.reply("Antwort")
    assert await whole.hub.value("SELECT count(*) FROM message") == 2


async def test_after_a_day_a_person_may_answer_and_after_a_week_nobody(whole: Whole) -> None:
    """Provider file, 8: the tag is for what a person writes, and only from 24 hours to 7 days."""
    await whole.write("Hallo")
    whole.clock.advance(hours=25)
    message = await whole.reply("Entschuldigen Sie die späte Antwort.")
    assert await whole.state(message) in ("sent", "delivered")
    assert whole.phone.lines[-1].text == "Entschuldigen Sie die späte Antwort."
    whole.clock.advance(days=6)
    with pytest.raises(SendBlocked):
        await whole.reply("Zu spät")
    assert len(whole.phone.lines) == 2


async def test_what_a_refusal_means_for_the_message(whole: Whole) -> None:
    """Final, unclear, or a pause; never twice by itself. The whole table is in `outbound.table.json`."""
    await whole.write("Hallo")
    faults: list[tuple[str, dict[str, Any], str]] = [
        ("refused", {"code": "551/1545041"}, "failed"),
        ("refused", {"code": "10/2018278"}, "failed"),
        ("lost_answer", {"delay": 0}, "unknown"),
    ]
    for fault, values, state in faults:
        whole.simulator.faults.switch_on(fault, times=1, **values)
        assert await whole.state(await whole.reply("Antwort")) == state, fault
    assert len(whole.phone.lines) == 2  # the one whose answer was lost did arrive
    whole.simulator.faults.switch_on("unauthorised")
    message = await whole.reply("Antwort")
    assert await whole.state(message) == "queued"
    assert await whole.hub.value("SELECT health FROM channel") == "attention"


@pytest.mark.parametrize("whole", [messenger], ids=["messenger"], indirect=True)
async def test_marketing_is_agreed_to_and_stopped(whole: Whole) -> None:
    """R-221: the provider's word is in the ledger. Instagram has no marketing messages."""
    await whole.write("Hallo")
    await whole.extra("optin")
    whole.clock.advance(seconds=1)
    await whole.extra("optin_stop")
    kinds = [row["kind"] for row in await whole.hub.rows("SELECT kind FROM consent_entry ORDER BY at")]
    assert kinds == ["opted_in", "marketing_stopped"]
    await whole.reply("Eine Antwort geht immer")
    assert whole.phone.lines[-1].text == "Eine Antwort geht immer"


async def test_two_pages_of_one_app_share_an_address(settings: Settings, hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> None:
    """One delivery for both: each channel gets its own part, and a page that nobody connected gets none."""
    provider, door = sockets
    door.app = hub.app
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = messenger.create(http)
        provider.app = Mounted(simulator)
        first = await connect(hub, simulator, provider.address)
        token = "EAABtokenOfTheSecondPage0123456789"
        other = simulator.world.add_page("104772930015599", "Radwerk Bregenz", "radwerkbregenz", token)
        values = {**simulator.sample_settings(provider.address), "page_token": token}
        second = await service.connect_channel(hub.runtime, hub.owner, connector="messenger", title="Bregenz", values=values)
        await service.switch_on(hub.runtime, hub.owner, second)
        addresses = [row["callback_url"] for row in await hub.rows("SELECT callback_url FROM channel")]
        assert addresses == [f"{door.address}/hooks/messenger/990017744120055"] * 2
        entries = [
            {
                "id": page,
                "time": 1,
                "messaging": [
                    {
                        "sender": {"id": "7318840026614092"},
                        "recipient": {"id": page},
                        "timestamp": 1790000000000,
                        "message": {"mid": f"m_{page}", "text": f"An {page}"},
                    }
                ],
            }
            for page in ("104772930015588", other.id, "104772930015000")
        ]
        simulator.webhooks.deliver(entries, "both")
        await simulator.courier.settled()
        await hub.settle()
        rows = await hub.rows(
            "SELECT c.channel_id, m.text FROM message m JOIN conversation c ON c.id = m.conversation_id ORDER BY m.text"
        )
        assert [tuple(row) for row in rows] == [(first, "An 104772930015588"), (second, "An 104772930015599")]
        await simulator.stop()
