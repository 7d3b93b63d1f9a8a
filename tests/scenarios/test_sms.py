"""SMS over the real road: signed webhooks of the gateway, door, lane, store, gate, claim, and back to the phone."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hub.consent.gate import SendBlocked
from hub.core.errors import InvalidInput
from hub.core.settings import Settings
from hub.inbox.stored.uploads import FileRefused
from hub.sandbox.messengers import PhoneDraft
from hub.sandbox.sms.simulator import SmsSimulator, create
from tests.sandbox.support import Stage
from tests.scenarios.messengers import Talk, connect, settings_for
from tests.support import HubUnderTest

ANNELIESE, TAREK = "+4915110000001", "+4915110000002"


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    return settings_for(settings, sockets)


@pytest.fixture
async def talk(hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> AsyncIterator[Talk[SmsSimulator]]:
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        yield Talk(hub, simulator, await connect(hub, simulator, sockets), ANNELIESE)
        await simulator.stop()


async def test_a_talk_with_its_reports(talk: Talk[SmsSimulator]) -> None:
    """A number is all that is known of somebody; a long answer is cut where the gateway's limit is; nobody tells who read."""
    line = await talk.write("Grüße 😊, ist das Rad fertig?")
    assert (line["kind"], line["text"]) == ("text", "Grüße 😊, ist das Rad fertig?")
    assert await talk.hub.value("SELECT provider_user_id FROM identity") == ANNELIESE
    assert (await talk.answer("Ja, seit heute."))["state"] == "delivered"
    assert talk.lines[-1].text == "Ja, seit heute."
    long = await talk.answer("Öffnungszeiten. " * 120)
    assert long["state"] == "delivered"
    assert "".join(one.text for one in talk.lines[2:]).split() == ["Öffnungszeiten."] * 120


async def test_what_sms_cannot_say_is_refused_before_it_leaves(talk: Talk[SmsSimulator]) -> None:
    await talk.write("Hallo")
    with pytest.raises(FileRefused):
        await talk.attach("Rechnung.png")
    with pytest.raises(InvalidInput):
        await talk.answer("Passt das?", options=["Ja", "Nein"])
    assert len(talk.lines) == 1


async def test_who_says_stop_is_written_to_no_more(talk: Talk[SmsSimulator]) -> None:
    """The word, and the gateway's own list, which takes no confirmation from us either: what it refuses for that reason is a STOP
    too."""
    await talk.write("STOP")
    assert await talk.consent() == ["opt_out", "blocked"]
    with pytest.raises(SendBlocked):
        await talk.answer("Schade")
    other = Talk(talk.hub, talk.simulator, talk.channel_id, TAREK)
    await other.write("Hallo")
    other.simulator.world.handset(TAREK).has_stopped = True
    conversation = await talk.hub.value(
        "SELECT c.id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE i.provider_user_id = $1", TAREK
    )
    message = await talk.hub.reply(conversation, "Guten Tag")
    await other.settled()
    assert (await other.message(message))["state"] == "failed"
    assert await talk.consent() == ["opt_out", "blocked", "blocked"]
    assert len(other.lines) == 1


async def test_duplicates_and_another_order_change_nothing(talk: Talk[SmsSimulator]) -> None:
    talk.simulator.faults.switch_on("duplicate", times=2)
    await talk.write("eins")
    await talk.write("zwei")
    assert await talk.received() == ["eins", "zwei"]
    talk.simulator.faults.switch_on("reorder", times=1)  # this one waits for the next queue's
    talk.simulator.phone.write(talk.account, ANNELIESE, PhoneDraft(text="drei"))
    talk.simulator.phone.write(talk.account, TAREK, PhoneDraft(text="von Tarek"))
    await talk.settled()
    assert sorted(await talk.received()) == ["drei", "eins", "von Tarek", "zwei"]


async def test_what_a_refusal_means_for_the_message(talk: Talk[SmsSimulator]) -> None:
    """Final, in doubt, or a pause; never twice by itself. The whole table is in `outbound.table.json`."""
    await talk.write("Hallo")
    for fault, values, state in (("refused", {}, "failed"), ("server_error", {"status": 500}, "unknown")):
        talk.simulator.faults.switch_on(fault, times=1, **values)
        assert (await talk.answer("Antwort"))["state"] == state, fault
    talk.simulator.world.balance = 0
    assert (await talk.answer("Guten Tag"))["state"] == "queued"
    assert await talk.health() == ("attention", "no_credits")
