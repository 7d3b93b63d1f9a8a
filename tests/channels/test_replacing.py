"""A number or bot moves: the channel stands for another account and keeps its conversations."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from hub.channels import replacing, service
from hub.core import ids
from hub.core.lanes import take
from hub.inbox.arriving import ingest
from tests.channels.support import act, card, connect, field, words
from tests.inbox.pages_support import PAGE, Visitor, receive, visit
from tests.sandbox.support import BOT, TOKEN, Simulated
from tests.support import Connected, HubUnderTest, telegram_text

CUSTOMER = 5123456789
OTHER = "7099999999:AAE-the_bot_that_takes_the_place"
OTHER_BOT = 7099999999


@pytest.fixture
async def moved(simulated: Simulated) -> AsyncIterator[Simulated]:
    """Two bots, both of which may write to the customer."""
    await simulated.person(CUSTOMER)
    await simulated.control("POST", "/bots", {"token": OTHER, "name": "Neu", "username": "neuer_bot"})
    for bot in (BOT, OTHER_BOT):
        await simulated.control("POST", f"/bots/{bot}/chats/{CUSTOMER}/open", {})
    yield simulated


async def replace(who: Visitor, channel: Connected, simulated: Simulated, **fields: str) -> httpx2.Response:
    return await act(who, channel, "account", **{"set_base_url": simulated.address, "set_bot_token": OTHER} | fields)


async def test_conversations_stay_and_go_on(hub: HubUnderTest, moved: Simulated) -> None:
    """The history stays in the same conversation, the customer goes on in it under message ids that the former bot used too, and
    answers leave from the new bot; the former one delivers nothing any more."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, moved)
    talk = await receive(hub, channel, "Ist mein Rad fertig?", "Hallo?", user=CUSTOMER)
    await hub.reply(talk, "Ja.", reply_to=await hub.value("SELECT id FROM message WHERE text = 'Hallo?'"))
    await hub.settle()
    form = await card(ada, channel, "?form=account")
    assert " required" in field(form, "set_bot_token") and "Wer bei Telegram schon geschrieben hat" in words(form)

    answer = await replace(ada, channel, moved)
    assert answer.status_code == 303, words(answer.text)
    page = words((await ada.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "„Werkstatt“ steht jetzt für das neue Konto. Alle Gespräche sind geblieben." in page
    assert "Konto gewechselt: @muster_optik_bot → @neuer_bot" in page and "Telegram · @neuer_bot" in page
    info = (await moved.call("getWebhookInfo", token=OTHER)).json()["result"]
    assert info["url"] == f"{hub.runtime.settings.base_url}{channel.path}"
    assert (await moved.call("getWebhookInfo")).json()["result"]["url"] == ""
    assert (await hub.rows("SELECT own_id, address, state FROM channel"))[0]["own_id"] == str(OTHER_BOT)

    # the same keys as at the former bot, another text: nothing is taken for something seen before
    again = await receive(hub, channel, "Ich hole es ab.", "Bis gleich.", user=CUSTOMER)
    assert again == talk and await hub.value("SELECT count(*) FROM conversation") == 1
    texts = {row["text"] for row in await hub.rows("SELECT text FROM message WHERE direction <> 'event'")}
    assert texts == {"Ist mein Rad fertig?", "Hallo?", "Ja.", "Ich hole es ab.", "Bis gleich."}
    await hub.reply(talk, "Gern.")
    await hub.settle()
    shown = (await moved.control("GET", f"/bots/{OTHER_BOT}/chats/{CUSTOMER}"))["entries"]
    assert [entry["message"]["text"] for entry in shown if entry["from"] == "bot"] == ["Gern."]


async def test_an_answer_still_shows_what_it_answered(hub: HubUnderTest, moved: Simulated) -> None:
    """A quote of the time before the move is not taken for a message of the new account with the same id."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, moved)
    talk = await receive(hub, channel, "Frage vor dem Umzug", user=CUSTOMER)
    await hub.reply(talk, "Antwort", reply_to=await hub.value("SELECT id FROM message WHERE direction = 'in'"))
    await hub.settle()
    assert (await replace(ada, channel, moved)).status_code == 303
    await receive(hub, channel, "Frage nach dem Umzug", user=CUSTOMER)
    page = await ada.page(f"/inbox/open/{ids.show('conv', talk)}")
    assert words(page).count("Frage vor dem Umzug") >= 2, "the message and the quote of it"
    first = await hub.value("SELECT id FROM message WHERE text = 'Frage vor dem Umzug'")
    answer = await ada.post(
        f"/conversations/{ids.show('conv', talk)}/messages", text="x", client_key="late", reply_to=ids.show("msg", first)
    )
    assert answer.status_code == 409, "the new account does not know that message"


async def test_the_same_account_is_only_renewed(hub: HubUnderTest, moved: Simulated) -> None:
    """Another road to the same number: its keys go on, and its webhook stays."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, moved)
    await receive(hub, channel, "Hallo", user=CUSTOMER)
    answer = await replace(ada, channel, moved, set_bot_token=TOKEN)
    page = words((await ada.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "Es ist dasselbe Konto wie bisher." in page
    await receive(hub, channel, "Hallo", user=CUSTOMER)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'in'") == 1, "delivered twice, there once"
    assert (await moved.call("getWebhookInfo")).json()["result"]["url"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"set_bot_token": ""}, "Hier fehlt noch etwas."),
        ({"set_bot_token": "7012345678:AAE-nobody_ever_gave_this_token_out"}, "Der Messenger nimmt das nicht an."),
    ],
)
async def test_a_refusal_changes_nothing(hub: HubUnderTest, moved: Simulated, typed: dict[str, str], said: str) -> None:
    """A secret left empty is none of another account; until the provider takes the new one everything stays, also the lane."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, moved)
    answer = await replace(ada, channel, moved, **typed)
    assert answer.status_code == 422
    assert said in words(answer.text) and "Der Kanal steht weiter für das bisherige Konto." in words(answer.text)
    assert TOKEN.partition(":")[2] not in answer.text
    assert await hub.value("SELECT own_id FROM channel") == str(BOT)
    talk = await receive(hub, channel, "Geht noch", user=CUSTOMER)
    assert await hub.value("SELECT count(*) FROM message WHERE conversation_id = $1", talk) >= 1


async def test_what_arrives_meanwhile_waits(hub: HubUnderTest, moved: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new bot may deliver before the former keys are out of the way: it is stored and applied afterwards, not dropped."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, moved)
    await receive(hub, channel, "Vor dem Umzug", user=CUSTOMER)
    asked = service.check_with_provider

    async def delivers_at_once(*arguments: Any) -> Any:
        result = await asked(*arguments)
        assert await hub.deliver(channel, telegram_text(CUSTOMER + 1, "Schon vom neuen Bot", user=CUSTOMER, message_id=1)) == 200
        await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)
        assert await take(hub.runtime.database, hub.organisation_id, channel.id, "in", hub.worker_id) is None
        return result

    monkeypatch.setattr(replacing, "check_with_provider", delivers_at_once)
    assert (await replace(ada, channel, moved)).status_code == 303
    await hub.settle()
    texts = {row["text"] for row in await hub.rows("SELECT text FROM message WHERE direction = 'in'")}
    assert texts == {"Vor dem Umzug", "Schon vom neuen Bot"}


async def test_who_may_move_a_channel(hub: HubUnderTest, moved: Simulated) -> None:
    """R-040, I6: an agent is refused; somebody else's channel does not exist."""
    ada, jonas = await visit(hub, "Ada Admin", role="admin"), await visit(hub)
    channel = await connect(hub, ada, moved)
    assert (await replace(jonas, channel, moved)).status_code == 403
    other = await hub.found("fremd", "Fremde GmbH")
    foreign = await hub.connect(access=other)
    await service.accept_terms(hub.runtime, other, "telegram")
    assert (await replace(ada, foreign, moved)).status_code == 404


@pytest.mark.parametrize(("sister", "is_kept"), [("12345", True), ("other", False)])
async def test_a_subscription_that_another_channel_needs_stays(
    hub: HubUnderTest, moved: Simulated, monkeypatch: pytest.MonkeyPatch, sister: str, is_kept: bool
) -> None:
    """The page of a Messenger channel is replaced while its Instagram account is connected here: that one goes on hearing."""

    async def needed_by(*_: Any) -> list[tuple[str, str]]:
        return [("telegram", "12345")]

    monkeypatch.setattr(type(hub.runtime.connectors.get("telegram")), "needed_by", needed_by, raising=False)
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, moved)
    other = await hub.connect()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE channel SET own_id = $2 WHERE id = $1", other.id, sister)
    assert (await replace(ada, channel, moved)).status_code == 303
    info = (await moved.call("getWebhookInfo")).json()["result"]
    assert bool(info["url"]) is is_kept
