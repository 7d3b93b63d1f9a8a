"""Signal both ways over the real road: the simulated signal-cli, poll, lane, store, gate, claim and back to the phone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from httpx import AsyncClient
from starlette.types import Receive, Scope, Send

from hub.channels import service
from hub.connectors.http import connector_client
from hub.consent.gate import SendBlocked
from hub.core import ids, lanes
from hub.core.settings import Settings
from hub.inbox.arriving import listening
from hub.inbox.sending import actions
from hub.inbox.stored import uploads
from hub.sandbox.messengers import PhoneDraft, PhoneLine
from hub.sandbox.samples import sample
from hub.sandbox.signal.simulator import SignalSimulator
from hub.sandbox.signal.world import JOERG, SAMPLE_NUMBER
from tests.sandbox.support import Stage
from tests.scenarios.test_telegram_whole import PNG, form
from tests.support import HubUnderTest


class Mounted:
    """The simulator where the sandbox has it."""

    def __init__(self, simulator: SignalSimulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._simulator({**scope, "path": scope["path"].removeprefix("/signal")}, receive, send)


@dataclass
class Whole:
    """A customer with a phone, and the business whose hub they write to."""

    hub: HubUnderTest
    simulator: SignalSimulator
    channel_id: UUID
    address: str

    @property
    def lines(self) -> list[PhoneLine]:
        return list(self.simulator.phone.chat(SAMPLE_NUMBER, JOERG).lines)

    async def settled(self) -> None:
        """Everything that was said has arrived, everything due has happened, and its statuses are in. To ask again is always due:
        the lane is held meanwhile."""
        runtime = self.hub.runtime
        lane = await lanes.take(runtime.database, self.hub.organisation_id, self.channel_id, "listen", ids.new_id())
        assert lane is not None
        async with connector_client(runtime.settings.trusted_hosts) as http:
            for _ in range(2):
                await listening._poll_once(runtime, lane, http)
                await self.hub.settle()
        await lane.let_go()

    async def write(self, text: str = "", **more: Any) -> PhoneLine:
        line = self.simulator.phone.write(SAMPLE_NUMBER, JOERG, PhoneDraft(text=text, **more))
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


@pytest.fixture(params=["daemon", "rest"])
async def whole(
    request: pytest.FixtureRequest, settings: Settings, hub: HubUnderTest, sockets: tuple[Stage, Stage]
) -> AsyncIterator[Whole]:
    """The sample account, connected as the page does it, by each of the two roads."""
    provider, _ = sockets
    simulator = SignalSimulator(quiet=0.01)
    provider.app = Mounted(simulator)
    values = simulator.sample_settings(provider.address) | {"road": request.param}
    channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="signal", title="Radwerk", values=values)
    await service.accept_terms(hub.runtime, hub.owner, "signal")
    await service.switch_on(hub.runtime, hub.owner, channel_id)
    yield Whole(hub, simulator, channel_id, provider.address)


async def test_without_signals_terms_it_is_not_switched_on(
    settings: Settings, hub: HubUnderTest, sockets: tuple[Stage, Stage]
) -> None:
    """R-191."""
    simulator = SignalSimulator(quiet=0.01)
    sockets[0].app = Mounted(simulator)
    values = simulator.sample_settings(sockets[0].address)
    channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="signal", title="Radwerk", values=values)
    with pytest.raises(service.TermsNotAccepted):
        await service.switch_on(hub.runtime, hub.owner, channel_id)
    assert await hub.value("SELECT state FROM channel WHERE id = $1", channel_id) != "on"


async def test_a_conversation_with_files_statuses_and_a_colleague_on_the_phone(whole: Whole) -> None:
    """The main job by Signal: what comes in is shown, what goes out arrives, and receipts say how far."""
    hub, phone = whole.hub, whole.simulator.phone
    question = await whole.write("👋 Grüße, was kostet das?")
    asked = await whole.newest()
    assert asked["text"] == "👋 Grüße, was kostet das?"
    file, content = sample("image")
    await whole.write("Das Rad", file=file, content=content)
    shown = await whole.newest()
    (stored,) = await hub.rows("SELECT * FROM attachment WHERE message_id = $1", shown["id"])
    assert (shown["text"], stored["state"], stored["kind"]) == ("Das Rad", "stored", "image")
    with hub.runtime.storage.open(hub.organisation_id, stored["id"]) as ours:
        assert ours.read() == content
    answer = await whole.reply("12 €", reply_to=asked["id"])
    assert (whole.lines[-1].text, whole.lines[-1].reply_to) == ("12 €", question.id)
    assert await whole.state(answer) == "delivered"
    kind = "multipart/form-data; boundary=grenze"
    conversation = await whole.conversation()
    upload = await uploads.add_upload(hub.runtime, hub.owner, conversation, content_type=kind, body=form("quittung.png", PNG))
    await whole.reply("Die Quittung", files=[upload.id])
    assert (whole.lines[-1].text, whole.lines[-1].files[0].name) == ("Die Quittung", "quittung.png")
    assert phone.file(SAMPLE_NUMBER, whole.lines[-1].files[0].id)[1] == PNG
    phone.read(SAMPLE_NUMBER, JOERG)
    await whole.settled()
    assert await whole.state(answer) == "read"
    phone.extra(SAMPLE_NUMBER, JOERG, "colleague")
    await whole.settled()
    echo = await whole.newest("out")
    assert (echo["text"], echo["conversation_id"]) == ("Ich rufe Sie gleich an.", conversation)
    assert await hub.value("SELECT count(*) FROM conversation") == 1


async def test_reactions_changes_and_deletions_both_ways(whole: Whole) -> None:
    hub, phone = whole.hub, whole.simulator.phone
    question = await whole.write("Was kostet das?")
    asked = (await whole.newest())["id"]
    answer = await whole.reply("12 €")
    ours = whole.lines[-1].id
    await actions.react(hub.runtime, hub.owner, asked, "👍")
    await actions.edit(hub.runtime, hub.owner, answer, "14 €")
    phone.react(SAMPLE_NUMBER, JOERG, ours, "🎉")
    phone.edit(SAMPLE_NUMBER, JOERG, question.id, "Was kostet der Reifen?")
    await whole.settled()
    assert whole.lines[0].reactions == ("👍",)
    assert (whole.lines[-1].text, whole.lines[-1].is_edited) == ("14 €", True)
    edited = (await hub.rows("SELECT text, edited_at FROM message WHERE id = $1", asked))[0]
    assert edited["text"] == "Was kostet der Reifen?" and edited["edited_at"] is not None
    assert "🎉" in str((await hub.rows("SELECT * FROM message WHERE id = $1", answer))[0])
    await actions.delete(hub.runtime, hub.owner, answer)
    phone.delete(SAMPLE_NUMBER, JOERG, question.id)
    await whole.settled()
    assert whole.lines[-1].is_deleted
    assert await hub.value("SELECT count(*) FROM message WHERE deleted_at IS NOT NULL") == 2


async def test_a_stop_ends_what_is_sent(whole: Whole) -> None:
    await whole.write("STOPP")
    with pytest.raises(SendBlocked):
        await whole.reply("Noch etwas")
    [receipt] = [line for line in whole.lines if line.is_theirs]
    assert receipt.text and "Radwerk" in receipt.text


async def test_duplicates_and_what_is_no_message_change_nothing(whole: Whole) -> None:
    whole.simulator.faults.switch_on("duplicate", times=1)
    await whole.write("einmal")
    for extra in ("group", "story"):
        whole.simulator.phone.extra(SAMPLE_NUMBER, JOERG, extra)
    await whole.settled()
    assert [row["text"] for row in await whole.hub.rows("SELECT text FROM message")] == ["einmal"]
    assert await whole.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'ignored' AND why <> ''") == 2
    assert await whole.hub.value("SELECT count(*) FROM delivery_result WHERE state = 'dead'") == 0


async def test_a_captcha_pauses_the_account_and_nothing_is_lost(whole: Whole) -> None:
    """The queue waits for a person, whatever the daily check finds; once it is solved and the channel connected again it goes."""
    hub = whole.hub
    await whole.write("Hallo")
    whole.simulator.faults.switch_on("captcha", times=1)
    message = await whole.reply("Guten Tag")
    row = (await hub.rows("SELECT health, health_cause, health_text FROM channel WHERE id = $1", whole.channel_id))[0]
    assert (row["health"], row["health_cause"]) == ("attention", "captcha_needed")
    assert "challenge token" in row["health_text"]
    assert await whole.state(message) == "queued"
    whole.simulator.world.account.challenge = ""
    await whole.settled()
    assert await whole.state(message) == "queued"
    await service.switch_on(hub.runtime, hub.owner, whole.channel_id)
    await whole.settled()
    assert whole.lines[-1].text == "Guten Tag" and await whole.state(message) == "delivered"


async def test_a_changed_safety_number_stops_this_contact_alone(whole: Whole) -> None:
    hub = whole.hub
    await whole.write("Hallo")
    whole.simulator.phone.extra(SAMPLE_NUMBER, JOERG, "new_phone")
    await whole.settled()
    warned = (await hub.rows("SELECT health, warning_cause, warning_text FROM channel WHERE id = $1", whole.channel_id))[0]
    assert (warned["health"], warned["warning_cause"], warned["warning_text"]) == ("healthy", "untrusted_identity", "Jörg Özdemir")
    message = await whole.reply("Guten Tag")
    failed = (await hub.rows("SELECT state, failure, failure_text FROM message WHERE id = $1", message))[0]
    assert (failed["state"], failed["failure"]) == ("failed", "rejected") and "untrusted" in failed["failure_text"].lower()
    assert await hub.value("SELECT health FROM channel WHERE id = $1", whole.channel_id) == "healthy"
    body = {"trust_all_known_keys": True}
    async with AsyncClient(base_url=whole.address, trust_env=False) as http:
        await http.put(f"/signal/v1/identities/{SAMPLE_NUMBER}/trust/{JOERG}", json=body)
    await service.switch_on(hub.runtime, hub.owner, whole.channel_id)
    await whole.settled()
    assert (await whole.newest())["text"] == "Das ist mein neues Telefon"
    assert await hub.value("SELECT warning_cause FROM channel WHERE id = $1", whole.channel_id) == ""
