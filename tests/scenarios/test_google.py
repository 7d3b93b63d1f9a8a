"""RCS for Business over the real road: the console's handshake, signed envelopes, door, lane, store, gate, claim, links of files,
and back to the phone."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hub.channels import documents
from hub.connectors.events import Location
from hub.consent.gate import SendBlocked
from hub.core.settings import Settings
from hub.sandbox.google.simulator import GoogleSimulator, create
from hub.sandbox.messengers import PhoneDraft
from tests.files import paper
from tests.sandbox.support import Stage
from tests.scenarios.messengers import PNG, Talk, connect, picture, settings_for
from tests.support import HubUnderTest

GESINE, MURAT = "+4915110000021", "+4915110000022"


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    return settings_for(settings, sockets)


@pytest.fixture
async def talk(hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> AsyncIterator[Talk[GoogleSimulator]]:
    """The console saves an address only if it answers the handshake."""
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        await documents.add_document(hub.runtime, hub.owner, "google", "consent", name="Zustimmung.pdf", pieces=paper())
        channel_id = await connect(hub, simulator, sockets, consent="Mail vom 23.11.")
        await simulator.courier.settled()
        assert simulator.webhook_url
        yield Talk(hub, simulator, channel_id, GESINE)
        await simulator.stop()


async def test_a_talk_with_its_statuses(talk: Talk[GoogleSimulator]) -> None:
    """R-189 to the phone: what is typed, what arrived, what was read; what expired on the way is no success."""
    line = await talk.write("Grüße 😊, ist das Rad fertig?")
    assert (line["kind"], line["text"]) == ("text", "Grüße 😊, ist das Rad fertig?")
    answer = await talk.answer("Ja, seit heute.")
    assert (answer["state"], talk.lines[-1].text) == ("delivered", "Ja, seit heute.")
    talk.simulator.phone.read(talk.account, GESINE)
    talk.simulator.phone.set_typing(talk.account, GESINE, True)
    await talk.settled()
    assert (await talk.message(answer["id"]))["state"] == "read"
    await talk.answer("y" * 3080)
    assert [len(line.text) for line in talk.lines[-2:]] == [3072, 8]
    assert await talk.dead() == 0


async def test_files_and_places_both_ways(talk: Talk[GoogleSimulator]) -> None:
    """Out by a signed public address: Google fetches the file from the hub."""
    line = await talk.write(**picture())
    (file,) = await talk.files(line["id"])
    assert (file["kind"], file["state"], file["name"], talk.holds(file["id"])) == ("image", "stored", "Kette.png", PNG)
    place = await talk.write(place=(47.5459, 0.0))
    assert (place["kind"], place["content"]["latitude"], place["content"]["longitude"]) == ("location", 47.5459, 0.0)
    assert (await talk.answer("Die Rechnung", files=[await talk.attach("Rechnung.png")]))["state"] == "delivered"
    address, words = talk.lines[-2:]
    assert words.text == "Die Rechnung"
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(address.text)).content == PNG
    await talk.answer("", location=Location(latitude=47.5, longitude=9.7))
    assert talk.lines[-1].buttons[0].url == "https://maps.google.com/?q=47.5,9.7"


async def test_a_question_is_answered_by_pressing_and_unknown_kinds_are_lines(talk: Talk[GoogleSimulator]) -> None:
    await talk.write("Hallo")
    await talk.answer("Passt Dienstag?", options=["Ja & gern", "Nein"])
    question = talk.lines[-1]
    assert [button.label for button in question.buttons] == ["Ja & gern", "Nein"]
    talk.simulator.phone.press(talk.account, GESINE, question.id, question.buttons[0].id)
    await talk.settled()
    pressed = await talk.newest()
    assert (pressed["kind"], pressed["text"], pressed["content"]["option"]) == ("interactive", "Ja & gern", "1")
    assert (await talk.extra("sticker"))["kind"] == "unsupported"
    assert await talk.dead() == 0


async def test_stop_and_start_are_events_and_words(talk: Talk[GoogleSimulator]) -> None:
    """A tap on them tells both (provider file, 10): whoever stops gets nothing more, whoever starts again is free."""
    await talk.write("Hallo")
    await talk.extra("unsubscribe")
    assert sorted(await talk.consent()) == ["marketing_stopped", "opt_out"]
    with pytest.raises(SendBlocked):
        await talk.answer("Schade")
    talk.hub.clock.advance(seconds=1)
    await talk.extra("subscribe")
    assert (await talk.consent())[-1] == "marketing_resumed"
    assert await talk.hub.value("SELECT marketing FROM consent_state") == "free"


async def test_duplicates_and_another_order_change_nothing(talk: Talk[GoogleSimulator]) -> None:
    talk.simulator.faults.switch_on("duplicate", times=2)
    await talk.write("eins")
    await talk.write("zwei")
    assert await talk.received() == ["eins", "zwei"]
    talk.simulator.faults.switch_on("reorder", times=1)  # this one waits until another person's has passed it
    for person in (GESINE, MURAT):
        talk.simulator.phone.write(talk.account, person, PhoneDraft(text="drei"))
    await talk.settled()
    assert sorted(await talk.received()) == ["drei", "drei", "eins", "zwei"]


async def test_what_a_refusal_means_for_the_message(talk: Talk[GoogleSimulator]) -> None:
    """Final, or kept for later; an id that Google saw is not shown twice; a phone without RCS fails alone."""
    await talk.write("Hallo")
    talk.simulator.faults.switch_on("refused", times=1)
    assert (await talk.answer("Antwort"))["state"] == "failed"
    talk.simulator.world.handset(GESINE).has_rcs = False
    assert (await talk.answer("Antwort"))["state"] == "failed"
    talk.simulator.world.handset(GESINE).has_rcs = True
    talk.simulator.faults.switch_on("lost", times=1)  # the phone is off: nothing tells of an arrival
    late = await talk.answer("Rufen Sie an")
    await talk.extra("expire")
    assert (late["state"], (await talk.message(late["id"]))["state"]) == ("accepted", "failed")
    assert (await talk.health())[0] == "healthy"
    talk.simulator.faults.switch_on("unauthorised")
    assert (await talk.answer("Guten Tag"))["state"] == "queued"
    assert (await talk.health())[0] == "attention"
