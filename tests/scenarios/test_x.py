"""Direct messages of X over the real road: the app's webhook and its challenge, signed deliveries at the shared address, echoes,
lane, store, gate, claim, and back to the phone."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hub.channels import service
from hub.connectors.sharing import Budget
from hub.connectors.x.connector import X
from hub.consent.gate import SendBlocked
from hub.core.errors import InvalidInput
from hub.core.settings import Settings
from hub.sandbox.messengers import PhoneDraft
from hub.sandbox.x.simulator import XSimulator, create
from tests.sandbox.support import Stage
from tests.scenarios.messengers import PNG, Mounted, Talk, connect, picture, settings_for
from tests.support import HubUnderTest

FRITZI, DENIZ = "1700000000000000201", "1700000000000000202"


@pytest.fixture
def settings(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    return settings_for(settings, sockets)


@pytest.fixture
async def talk(hub: HubUnderTest, sockets: tuple[Stage, Stage], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Talk[XSimulator]]:
    """Connected: X has tested the hub's address. Its pace, a message a minute, is that of the machine's clock: not for stories."""
    monkeypatch.setattr(X, "budget", lambda *_: Budget(name="x:stories", most=10_000, seconds=1))
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        channel_id = await connect(hub, simulator, sockets)
        await hub.value("UPDATE channel SET per_second = 50 WHERE id = $1 RETURNING true", channel_id)
        yield Talk(hub, simulator, channel_id, FRITZI)
        await simulator.stop()


async def test_without_xs_terms_it_is_not_switched_on(hub: HubUnderTest, sockets: tuple[Stage, Stage]) -> None:
    """R-195 (as R-191): given no acceptance, when enabled, then refused, and X was told of nothing."""
    async with httpx.AsyncClient(trust_env=False) as http:
        simulator = create(http)
        sockets[0].app = Mounted("/x", simulator)
        values = simulator.sample_settings(sockets[0].address)
        channel_id = await service.connect_channel(hub.runtime, hub.owner, connector="x", title="Radwerk", values=values)
        with pytest.raises(service.TermsNotAccepted):
            await service.switch_on(hub.runtime, hub.owner, channel_id)
    assert await hub.value("SELECT state FROM channel WHERE id = $1", channel_id) != "on"
    assert not simulator.webhooks and not simulator.subscriptions


async def test_a_talk_with_what_is_read(talk: Talk[XSimulator]) -> None:
    """A name and an @name; the echo of our own answer is no second message; X tells of reading, not of arriving."""
    line = await talk.write("Grüße & <b> 😊")
    assert (line["kind"], line["text"]) == ("text", "Grüße & <b> 😊")
    person = (await talk.hub.rows("SELECT provider_user_id, display_name, username FROM identity"))[0]
    assert tuple(person) == (FRITZI, "Friederike Lang", "fritzi_lang")
    answers = [await talk.answer(text) for text in ("Guten Tag!", "Noch etwas & mehr")]
    assert [line.text for line in talk.lines] == ["Grüße & <b> 😊", "Guten Tag!", "Noch etwas & mehr"]
    assert [one["state"] for one in answers] == ["sent", "sent"]
    assert await talk.hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 2
    talk.simulator.phone.read(talk.account, FRITZI)
    talk.simulator.phone.set_typing(talk.account, FRITZI, True)
    await talk.settled()
    assert [(await talk.message(one["id"]))["state"] for one in answers] == ["read", "read"]
    assert await talk.dead() == 0


async def test_files_both_ways(talk: Talk[XSimulator]) -> None:
    """In by a signed download, out by an upload that is good for one message; the link that stands for the file is cut off."""
    for sent, kind in ((picture(), "image"), (picture("Fahrt.mp4", kind="video", mime="video/mp4"), "video")):
        line = await talk.write("So sieht es aus", **sent)
        (file,) = await talk.files(line["id"])
        assert (line["text"], file["kind"], file["state"]) == ("So sieht es aus", kind, "stored")
        assert talk.holds(file["id"]) == PNG
    await talk.answer("Schön", files=[await talk.attach("Größe.png")])
    shown = talk.lines[-1]
    assert (shown.text, talk.simulator.phone.file(talk.account, shown.files[0].id)[1]) == ("Schön", PNG)
    talk.simulator.faults.switch_on("file_gone")
    (file,) = await talk.files((await talk.write("Noch eines", **picture()))["id"])
    assert file["state"] == "gone"


async def test_every_other_kind_and_what_a_colleague_wrote_elsewhere(talk: Talk[XSimulator]) -> None:
    """Older buttons' answers; an encrypted chat is an honest card; X's own app is ours."""
    await talk.write("Hallo")
    pressed = await talk.extra("quick_reply")
    assert (pressed["kind"], pressed["text"], pressed["content"]["option"]) == ("interactive", "Bestellstatus", "hub:status")
    assert (await talk.extra("encrypted"))["kind"] == "unsupported"
    await talk.extra("elsewhere")
    assert (await talk.newest("out"))["text"] == "Das habe ich unterwegs geschrieben."
    assert await talk.hub.value("SELECT count(*) FROM conversation") == 1
    assert await talk.dead() == 0
    with pytest.raises(InvalidInput):  # nothing can be pressed
        await talk.answer("Passt das?", options=["Ja", "Nein"])


async def test_a_stop_ends_what_is_sent(talk: Talk[XSimulator]) -> None:
    """X has no event for it; the word counts everywhere, and that it is heard is all that is said."""
    await talk.write("STOP")
    assert await talk.consent() == ["opt_out"]
    with pytest.raises(SendBlocked):
        await talk.answer("Schade")
    assert len([line for line in talk.lines if line.is_theirs]) <= 1  # the confirmation, as soon as X's pace lets it go


async def test_duplicates_and_another_order_change_nothing(talk: Talk[XSimulator]) -> None:
    talk.simulator.faults.switch_on("duplicate", times=2)
    await talk.write("eins")
    await talk.write("zwei")
    assert await talk.received() == ["eins", "zwei"]
    talk.simulator.faults.switch_on("reorder", times=1)  # the message waits until the encrypted chat's queue has passed it
    talk.simulator.phone.write(talk.account, FRITZI, PhoneDraft(text="drei"))
    talk.simulator.phone.extra(talk.account, DENIZ, "encrypted")
    await talk.settled()
    assert (await talk.received())[-1] == "drei"
    assert await talk.hub.value("SELECT count(*) FROM conversation") == 2


async def test_what_a_refusal_means_for_the_message(talk: Talk[XSimulator]) -> None:
    """Who takes no messages fails alone and opted out of nothing; a limit waits; access taken away stops the account."""
    await talk.write("Hallo")
    talk.simulator.phone.set_blocked(talk.account, FRITZI, True)
    assert (await talk.answer("Guten Tag"))["state"] == "failed"
    assert await talk.consent() == [] and (await talk.health())[0] == "healthy"
    talk.simulator.phone.set_blocked(talk.account, FRITZI, False)
    talk.simulator.faults.switch_on("rate_limited", times=1, retry_after=5)
    assert (await talk.answer("Später"))["state"] == "queued"
    talk.hub.clock.advance(seconds=10)
    await talk.settled()
    assert talk.lines[-1].text == "Später"
    await talk.extra("revoke")
    assert await talk.health() == ("attention", "access_revoked")
    assert (await talk.answer("Wartet"))["state"] == "queued"
