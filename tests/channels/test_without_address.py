"""A hub that no provider can reach: the channel is connected all the same, and what customers write is asked for."""

import pytest
from httpx import AsyncClient

from hub.core import lanes
from hub.core.settings import Settings
from hub.inbox.arriving import ingest, listening
from tests.channels.support import act, card, connect, form, only_channel, words
from tests.inbox.pages_support import PAGE, visit
from tests.sandbox.support import BOT, Simulated
from tests.support import Connected, HubUnderTest


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": None})


async def listen(hub: HubUnderTest, channel: Connected) -> None:
    """One poll of the lane's holder, as a job makes it, and what came of it."""
    lane = await lanes.take(hub.runtime.database, hub.organisation_id, channel.id, "listen", hub.worker_id)
    assert lane is not None
    async with AsyncClient(trust_env=False) as http:
        await listening._poll_once(hub.runtime, lane, http)
    await lane.let_go()
    await ingest.drain(hub.runtime, hub.organisation_id, channel.id, hub.worker_id)


async def test_the_page_says_how_messages_come_in(hub: HubUnderTest, simulated: Simulated) -> None:
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated))
    page = words((await ada.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "Er fragt deshalb selbst bei Telegram nach neuen Nachrichten" in page
    channel = await only_channel(hub)
    page = words(await card(ada, channel))
    assert "Der Hub fragt den Messenger ab" in page and "Webhook-Adresse" not in page and "Erreichbarkeit prüfen" not in page
    answer = await act(ada, channel, "reach")
    assert answer.status_code == 409 and "Dieser Hub hat keine öffentliche Adresse." in words(answer.text)


async def test_the_webhook_of_another_system_is_taken_away_and_told(hub: HubUnderTest, simulated: Simulated) -> None:
    """One bot has one way: while a webhook is set Telegram answers no poll."""
    await simulated.call("setWebhook", url="http://127.0.0.1:9/elsewhere")
    ada = await visit(hub, "Ada Admin", role="admin")
    answer = await ada.post("/channels", headers=PAGE, **form(simulated))
    page = words((await ada.client.get(answer.headers["location"], headers=PAGE)).text)
    assert "hat er den Webhook entfernt" in page
    assert (await simulated.call("getWebhookInfo")).json()["result"]["url"] == ""


async def test_what_a_customer_writes_is_asked_for_once(hub: HubUnderTest, simulated: Simulated) -> None:
    """The second poll confirms what the first one brought, so it does not come again."""
    channel = await connect(hub, await visit(hub, "Ada Admin", role="admin"), simulated)
    person = await simulated.person()
    await simulated.control("POST", f"/bots/{BOT}/chats/{person}/open", {})
    await simulated.write(person, "Ist meine Brille fertig? 👋")
    await listen(hub, channel)
    await simulated.write(person, "Hallo?")
    await listen(hub, channel)
    rows = await hub.rows("SELECT text FROM message ORDER BY at, sequence")
    assert [row["text"] for row in rows if row["text"] != "/start"] == ["Ist meine Brille fertig? 👋", "Hallo?"]
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == len(rows)
