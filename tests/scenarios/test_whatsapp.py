"""WhatsApp both ways over the real road: the simulator's wire, door, lane, store, gate, claim and back to the phone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from hub.channels import service, templates
from hub.connectors.events import Location
from hub.consent.gate import SendBlocked
from hub.core import clock, ids
from hub.core.clock import FakeClock
from hub.core.settings import Settings
from hub.inbox.arriving.ingest import load_channel
from hub.inbox.sending import actions
from hub.inbox.sending.compose import Filled
from hub.inbox.stored import uploads
from hub.sandbox.messengers import PhoneChat, PhoneDraft, PhoneFile, PhoneLine
from hub.sandbox.whatsapp.simulator import WhatsAppSimulator, create
from hub.sandbox.whatsapp.templates import SAMPLES
from tests.channels.support import words
from tests.inbox.pages_support import visit
from tests.sandbox.support import Stage
from tests.scenarios.test_telegram_whole import PNG, form
from tests.support import HubUnderTest

KARIN = "4915228817386"


class Mounted:
    """The simulator where the sandbox has it."""

    def __init__(self, simulator: WhatsAppSimulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        behind = {**scope, "path": scope["path"].removeprefix("/whatsapp"), "root_path": "/whatsapp"}
        await self._simulator(behind, receive, send)


@dataclass
class Whole:
    """A customer with a phone, and the business whose hub they write to."""

    hub: HubUnderTest
    simulator: WhatsAppSimulator
    channel_id: UUID
    clock: FakeClock

    @property
    def account(self) -> str:
        return self.simulator.number.id

    @property
    def phone(self) -> PhoneChat:
        return self.simulator.phone.chat(self.account, KARIN)

    async def settled(self) -> None:
        """Everything that was said has arrived, everything due has happened, and its statuses are in."""
        for _ in range(3):
            await self.simulator.courier.settled()
            await self.hub.settle()

    async def write(self, text: str = "", **more: Any) -> PhoneLine:
        line = self.simulator.phone.write(self.account, KARIN, PhoneDraft(text=text, **more))
        await self.settled()
        return line

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


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    provider, hub = sockets
    return settings.model_copy(update={"public_url": hub.address, "trusted_hosts": frozenset({urlsplit(provider.address).netloc})})


async def connect(hub: HubUnderTest, values: dict[str, Any]) -> UUID:
    return await service.connect_channel(hub.runtime, hub.owner, connector="whatsapp", title="Radwerk", values=values)


@pytest.fixture
async def whole(settings: Settings, hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> AsyncIterator[Whole]:
    """The sample account, connected as the page does it."""
    provider, door = sockets
    door.app = hub.app
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        provider.app = Mounted(simulator)
        values = simulator.sample_settings(provider.address)
        channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="whatsapp", title="Radwerk", values=values)
        await service.accept_terms(hub.runtime, hub.owner, "whatsapp")
        await service.switch_on(hub.runtime, hub.owner, channel_id)
        yield Whole(hub, simulator, channel_id, hub.clock)
        await simulator.stop()


def file(kind: Any, name: str, mime: str, content: bytes) -> dict[str, Any]:
    return {"file": PhoneFile(id="", kind=kind, name=name, mime=mime, size=len(content)), "content": content}


async def test_the_terms_come_before_the_channel(settings: Settings, hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> None:
    """R-204, R-206: refused without the acceptance; with it, what is handed on to 360dialog is shown and in the log."""
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        sockets[0].app = Mounted(simulator)
        values = simulator.sample_settings(sockets[0].address)
        channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="whatsapp", title="Radwerk", values=values)
        with pytest.raises(service.TermsNotAccepted):
            await service.switch_on(hub.runtime, hub.owner, channel_id)
        assert simulator.number.at_360dialog.url == ""
        ada = await visit(hub, "Ada Admin", role="admin")
        assert "Telefonnummern oder Kennungen der Empfänger" in await ada.page("/channels?connect=whatsapp")
        await service.accept_terms(hub.runtime, hub.owner, "whatsapp")
        agreed = await hub.value("SELECT detail FROM audit_entry WHERE action = 'terms.accepted'")
        assert agreed["forwards"] == ["recipients", "messages", "files", "templates", "address"]


async def test_what_a_customer_writes_is_in_the_thread(whole: Whole) -> None:
    mine = await whole.write("Guten Tag, ist die Brille fertig? 🙂")
    line = await whole.newest()
    assert (line["kind"], line["text"]) == ("text", "Guten Tag, ist die Brille fertig? 🙂")
    person = (await whole.hub.rows("SELECT display_name, provider_user_id FROM identity"))[0]
    assert tuple(person) == ("Karin Bilgeri", KARIN)
    whole.simulator.phone.edit(whole.account, KARIN, mine.id, "Guten Abend")
    await whole.settled()
    assert (await whole.newest())["text"] == "Guten Abend"
    await whole.write("", place=(47.5459, 9.6831))
    line = await whole.newest()
    assert (line["kind"], line["content"]["latitude"]) == ("location", 47.5459)
    await whole.write("", contact=("Jonas Brandt", "+49 174 9464308"))
    line = await whole.newest()
    assert (line["kind"], line["text"]) == ("contact", "Jonas Brandt")
    for name, kind in (("order", "sheet"), ("form", "sheet"), ("ad", "text"), ("poll", "unsupported")):
        whole.simulator.phone.extra(whole.account, KARIN, name)
        await whole.settled()
        assert (await whole.newest())["kind"] == kind
    assert await whole.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_what_others_of_ours_wrote_and_what_became_of_the_person(whole: Whole) -> None:
    """5.11, 5.14, 5.16: the phone app's and the agent's messages are ours, and whoever hides or changes their number stays the same
    person."""
    mine = await whole.write("Hallo")
    for name, by in (("colleague", "WhatsApp Business"), ("agent", "Meta Business Agent")):
        whole.simulator.phone.extra(whole.account, KARIN, name)
        await whole.settled()
        line = await whole.newest("out")
        assert (line["text"], line["content"]["by"]) == (whole.phone.lines[-1].text, by)
    question = whole.phone.lines[1]
    whole.simulator.phone.react(whole.account, KARIN, question.id, "👍")
    whole.simulator.phone.delete(whole.account, KARIN, mine.id)
    whole.simulator.phone.extra(whole.account, KARIN, "username")
    await whole.settled()
    whole.simulator.phone.extra(whole.account, KARIN, "new_number")
    await whole.settled()
    deleted = await whole.hub.value("SELECT deleted_at IS NOT NULL FROM message WHERE direction = 'in' ORDER BY seq LIMIT 1")
    assert deleted
    assert await whole.hub.value("SELECT count(*) FROM conversation") == 1
    assert await whole.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_files_come_in_with_their_bytes_and_a_lost_one_keeps_its_message(whole: Whole) -> None:
    """9: resolved, and fetched over the swapped host with the key."""
    files = [("image", "riss.png", "image/png", PNG), ("document", "notiz.txt", "text/plain", b"Rezept: links -1,25")]
    for kind, name, mime, content in files:
        await whole.write("So sieht es aus", **file(kind, name, mime, content))
        line = await whole.newest()
        (found,) = await whole.hub.rows("SELECT * FROM attachment WHERE message_id = $1", line["id"])
        assert (line["text"], found["kind"], found["state"]) == ("So sieht es aus", kind, "stored")
        with whole.hub.runtime.storage.open(whole.hub.organisation_id, found["id"]) as ours:
            assert ours.read() == content
    whole.simulator.faults.switch_on("file_gone")
    await whole.write("Noch eines", **file("image", "riss.png", "image/png", PNG))
    line = await whole.newest()
    (found,) = await whole.hub.rows("SELECT state FROM attachment WHERE message_id = $1", line["id"])
    assert (line["text"], found["state"]) == ("Noch eines", "gone")


async def test_what_an_agent_answers_is_on_the_phone_and_reported(whole: Whole) -> None:
    mine = await whole.write("Was kostet das?")
    asked = (await whole.newest())["id"]
    message = await whole.reply("12 €", reply_to=asked)
    assert (whole.phone.lines[-1].text, whole.phone.lines[-1].reply_to) == ("12 €", mine.id)
    assert await whole.state(message) == "delivered"
    whole.simulator.phone.read(whole.account, KARIN)
    await whole.settled()
    assert await whole.state(message) == "read"
    await whole.reply("", location=Location(latitude=47.5, longitude=9.7))
    assert whole.phone.lines[-1].place == (47.5, 9.7)
    await actions.react(whole.hub.runtime, whole.hub.owner, asked, "👍")
    await whole.settled()
    assert whole.phone.lines[0].reactions == ("👍",)
    conversation = await whole.conversation()

    async def attach(name: str) -> Any:
        kind = "multipart/form-data; boundary=grenze"
        access, runtime = whole.hub.owner, whole.hub.runtime
        return (await uploads.add_upload(runtime, access, conversation, content_type=kind, body=form(name, PNG))).id

    await whole.reply("Zwei Bilder", files=[await attach("a.png"), await attach("b.png")])
    first, second = whole.phone.lines[-2:]
    assert (first.text, second.text) == ("Zwei Bilder", "")
    assert whole.simulator.phone.file(whole.account, first.files[0].id)[1] == PNG
    await whole.reply("y" * 5000)
    assert [len(line.text) for line in whole.phone.lines[-2:]] == [4096, 904]


async def test_a_question_is_answered_by_a_press(whole: Whole) -> None:
    """Buttons and a list come back in different shapes."""
    await whole.write("Hallo")
    for options in (["Ja", "Nein"], ["8 Uhr", "9 Uhr", "10 Uhr", "11 Uhr"]):
        await whole.reply("Passt das?", options=options)
        question = whole.phone.lines[-1]
        assert [button.label for button in question.buttons] == options
        whole.simulator.phone.press(whole.account, KARIN, question.id, question.buttons[0].id)
        await whole.settled()
        line = await whole.newest()
        assert (line["kind"], line["text"], line["content"]["option"]) == ("interactive", options[0], "1")
        assert line["content"]["reply_to"]


async def test_after_the_window_a_template_goes_with_its_cards(whole: Whole) -> None:
    """Issue 4.1: cards with pictures of ours, uploaded and sent by their ids, filled part by part."""
    hub = whole.hub
    await whole.write("Hallo")
    whole.simulator.number.templates.kept["summer_cards", "de"].category = "UTILITY"  # advertising would need an opt-in
    await templates.sync(hub.runtime, await load_channel(hub.runtime, hub.organisation_id, whole.channel_id))
    whole.clock.advance(hours=25)
    kept = await hub.value("SELECT id FROM template WHERE name = 'summer_cards' AND channel_id = $1", whole.channel_id)
    conversation, kind = await whole.conversation(), "multipart/form-data; boundary=grenze"
    files = [
        (await uploads.add_upload(hub.runtime, hub.owner, conversation, content_type=kind, body=form(name, PNG))).id
        for name in ("a.png", "b.png")
    ]
    filled = Filled(kept, ["Karin", "a", "3", "b"], ZoneInfo("Europe/Berlin"))
    message = await whole.reply("", template=filled, files=files)
    line = whole.phone.lines[-1]
    assert line.text == "Hallo Karin, das ist neu bei uns.\n\nLastenräder ab 3.490 Euro\n\nInspektion in 3 Tagen"
    assert len(line.files) == 2 and await whole.state(message) == "delivered"


async def test_the_phones_earlier_messages_come_in_at_their_time_and_are_no_news(whole: Whole) -> None:
    """5.17, checklist 27: no unread, no open window, nothing to do; what is there already is not doubled."""
    hub, phone = whole.hub, whole.simulator.phone
    phone.extra(whole.account, KARIN, "history")
    await whole.settled()
    row = (await hub.rows("SELECT state, turn, unread, last_text, last_inbound_at, sort_at, done_at FROM conversation"))[0]
    assert (row["state"], row["turn"], row["unread"], row["last_text"]) == ("done", "customer", 0, "Ja, von 9 bis 13 Uhr.")
    assert row["sort_at"] == row["done_at"] < clock.now() - timedelta(days=39)
    assert await hub.value("SELECT name FROM contact") == whole.simulator.number.chats[KARIN].person.name
    with pytest.raises(SendBlocked) as refusal:
        await whole.reply("Zu spät")
    assert refusal.value.decision.rule == "template_needed"
    await whole.write("Und sonntags?")
    phone.extra(whole.account, KARIN, "history")
    await whole.settled()
    texts = [row["text"] for row in await hub.rows("SELECT text FROM message WHERE direction IN ('in', 'out') ORDER BY at, seq")]
    assert texts.count("Und sonntags?") == 1 and texts[-1] == "Und sonntags?" and len(texts) == 5
    row = (await hub.rows("SELECT state, turn, unread, last_text FROM conversation"))[0]
    assert tuple(row) == ("open", "us", 1, "Und sonntags?")
    assert {row["state"] for row in await hub.rows("SELECT state FROM message WHERE direction = 'out'")} == {"read"}


async def test_duplicates_and_reordering_change_nothing(whole: Whole) -> None:
    """Test checklist, 1 and 4."""
    whole.simulator.faults.switch_on("duplicate")
    await whole.write("Einmal")
    assert await whole.hub.value("SELECT count(*) FROM message WHERE direction = 'in'") == 1
    message = await whole.reply("Antwort")
    assert await whole.state(message) == "delivered"
    assert await whole.hub.value("SELECT count(*) FROM message") == 2


async def test_a_stop_of_marketing_leaves_answers_free_until_the_window_closes(whole: Whole) -> None:
    """13, R-221, R-223: the provider's word is in the ledger, and an answer still goes out. 11: the gate knows the 24 hours
    itself, so that the provider need not say no."""
    await whole.write("Hallo")
    whole.simulator.phone.extra(whole.account, KARIN, "stop")
    await whole.settled()
    kinds = [row["kind"] for row in await whole.hub.rows("SELECT kind FROM consent_entry")]
    assert "marketing_stopped" in kinds
    await whole.reply("Ihre Brille ist fertig")
    assert whole.phone.lines[-1].text == "Ihre Brille ist fertig"
    whole.clock.advance(hours=25)
    with pytest.raises(SendBlocked) as refusal:
        await whole.reply("Zu spät")
    assert refusal.value.decision.rule == "template_needed"
    assert whole.phone.lines[-1].text == "Ihre Brille ist fertig"


async def test_what_a_refusal_means_for_the_message(whole: Whole) -> None:
    """15: final, unclear, or a pause; never twice by itself. The whole table is in `outbound.table.json`."""
    await whole.write("Hallo")
    faults: list[tuple[str, dict[str, Any], str]] = [
        ("refused", {"code": 131026}, "failed"),
        ("refused", {"code": 131047}, "failed"),
        ("refused", {"code": 131050}, "failed"),
        ("server_error", {"status": 502}, "unknown"),
        ("refused", {"code": 131042}, "queued"),
    ]
    for fault, values, state in faults:
        whole.simulator.faults.switch_on(fault, **values)
        assert await whole.state(await whole.reply("Antwort")) == state
        whole.simulator.faults.switch_off(fault)
    assert len(whole.phone.lines) == 1
    assert await whole.hub.value("SELECT health FROM channel") == "attention"
    kinds = [row["kind"] for row in await whole.hub.rows("SELECT kind FROM consent_entry")]
    assert kinds.count("marketing_stopped") == 1 and "blocked" not in kinds


async def test_through_meta_everything_comes_in_at_the_apps_address(whole: Whole, sockets: tuple[Stage, Stage]) -> None:
    """1.2, 1.3: the address is tested during the set-up; messages, statuses and the account's affairs reach the channel."""
    hub, simulator = whole.hub, whole.simulator
    simulator.number.at_360dialog.url = ""
    channel_id = await connect(hub, simulator.meta_settings(sockets[0].address))
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    assert simulator.number.at_meta.url.endswith(f"/hooks/whatsapp/{simulator.number.app_id}")
    await whole.write("Über Meta")
    message = await whole.reply("Antwort")
    assert (whole.phone.lines[-1].text, await whole.state(message)) == ("Antwort", "delivered")
    await templates.sync(hub.runtime, await load_channel(hub.runtime, hub.organisation_id, channel_id))
    whole.clock.advance(seconds=2)
    simulator.decide("order_ready", "de", "PAUSED")
    simulator.phone.extra(whole.account, KARIN, "restricted")
    await whole.settled()
    assert {row["state"] for row in await hub.rows("SELECT state FROM delivery_result")} == {"applied"}
    kept = await hub.rows("SELECT name, status FROM template WHERE channel_id = $1", channel_id)
    assert {row["name"] for row in kept if row["status"] == "paused"} == {"order_ready"} and len(kept) == len(SAMPLES)
    assert await hub.value("SELECT warning_cause FROM channel WHERE id = $1", channel_id) in ("restricted", "limited")
    # given a status webhook, when received, then the account page shows it with time
    ada = await visit(hub, "Ada Admin", role="admin")
    page = words(await ada.page(f"/channels/{ids.show('chn', channel_id)}"))
    number = (await hub.rows("SELECT address, account_name, warning_since FROM channel WHERE id = $1", channel_id))[0]
    assert number["address"] in page and f"Anzeigename {number['account_name']}" in page and number["account_name"]
    since, changed = (
        f"{at.astimezone(ZoneInfo('Europe/Berlin')):%d.%m.%Y, %H:%M}"
        for at in (number["warning_since"], await hub.value("SELECT updated_at FROM template WHERE name = 'order_ready'"))
    )
    assert f"{since} Zuletzt herein" in page, "the quality with its time"
    assert f"Vorlagen {len(SAMPLES)}" in page and "order_ready de" in page and f"paused {changed}" in page
