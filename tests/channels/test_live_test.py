"""A channel is connected once a message came in and an answer went out; until then its page says that nobody has tested it."""

import re

from hub.core import ids
from tests.channels.support import act, card, connect, field, form, only_channel, words
from tests.inbox.pages_support import PAGE, receive, visit
from tests.sandbox.support import BOT, Simulated
from tests.support import HubUnderTest

CUSTOMER = 5123456789


async def test_connected_only_after_both_ways_worked(hub: HubUnderTest, simulated: Simulated) -> None:
    """The set-up leads to the test; it shows how to write, waits, offers to answer, and says „Verbunden“ once the answer left."""
    ada = await visit(hub, "Ada Admin", role="admin")
    await simulated.person(CUSTOMER)
    await simulated.control("POST", f"/bots/{BOT}/chats/{CUSTOMER}/open", {})
    answer = await ada.post("/channels", headers=PAGE, **form(simulated))
    channel = await only_channel(hub)
    at = f"/channels/{ids.show('chn', channel.id)}/test"
    assert answer.headers["location"] == ada.base + at
    page = await ada.page(at)
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in page and 'href="https://t.me/muster_optik_bot"' in page
    assert "@muster_optik_bot" in words(page) and "Warten auf Ihre Nachricht" in words(page) and "Verbunden." not in words(page)
    assert 'hx-trigger="every 2s"' in page and f'href="/o/radwerk{at}"' in page, "without script the link does"
    answer = await act(ada, channel, "test", text="Test", client_key="k")
    assert answer.status_code == 409, "nobody to answer yet"

    await receive(hub, channel, "Hallo", user=CUSTOMER)
    part = await ada.page(f"{at}?part=true")
    assert "<html" not in part and "von Jörg Özdemir, 10:00" in words(part)
    assert 'hx-trigger="every 2s"' not in part, "what is typed into the answer must not be drawn anew"
    assert "Der Test hat geklappt." in field(part, "text")
    assert "Noch nicht getestet" in words(await card(ada, channel))

    key = re.search(r'name="client_key" value="(\w+)"', part)
    assert key
    for _ in range(2):
        answer = await act(ada, channel, "test", text="Der Test hat geklappt.", client_key=key[1])
        assert answer.headers["location"] == ada.base + at
    assert "Antwort ist unterwegs" in words(await ada.page(at)) and "Verbunden." not in words(await ada.page(at))
    await hub.settle()
    assert "Verbunden. Beide Richtungen arbeiten." in words(await ada.page(at))
    assert [entry["message"]["text"] for entry in (await simulated.phone(CUSTOMER))["entries"] if entry["from"] == "bot"] == [
        "Der Test hat geklappt."
    ]
    page = words(await card(ada, channel))
    assert "Läuft" in page and "Live-Test bestanden am 24.11.2026" in page
    assert await hub.value("SELECT count(*) FROM channel_event WHERE cause = 'tested'") == 1


async def test_a_failed_answer_is_told_and_can_be_sent_again(hub: HubUnderTest, simulated: Simulated) -> None:
    """The provider refuses: its words are shown, the form is back, and nothing says „Verbunden“."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await receive(hub, channel, "Hallo", user=CUSTOMER)  # not open at the simulator: the bot may not write
    await act(ada, channel, "test", text="Test", client_key="k")
    await hub.settle()
    page = await ada.page(f"/channels/{ids.show('chn', channel.id)}/test")
    assert "Die Antwort ging nicht hinaus" in words(page) and "Der Messenger schreibt:" in words(page)
    assert 'name="text"' in page and "Verbunden." not in words(page)


async def test_a_stopped_channel_says_why_it_does_not_answer(hub: HubUnderTest, simulated: Simulated) -> None:
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await receive(hub, channel, "Hallo")
    await act(ada, channel, "off")
    answer = await act(ada, channel, "test", text="Test", client_key="k")
    page = await ada.client.get(answer.headers["location"], headers=PAGE)
    assert "Der Kanal darf gerade nicht senden." in words(page.text)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 0


async def test_what_works_anyway_needs_no_test(hub: HubUnderTest, simulated: Simulated) -> None:
    """A customer and an agent are as good as a test: the list of channels notices it by itself."""
    ada = await visit(hub, "Ada Admin", role="admin")
    channel = await connect(hub, ada, simulated)
    await simulated.person(CUSTOMER)
    await simulated.control("POST", f"/bots/{BOT}/chats/{CUSTOMER}/open", {})
    assert "Noch nicht getestet" in words(await ada.page("/channels"))
    await hub.reply(await receive(hub, channel, "Hallo", user=CUSTOMER), "Guten Tag")
    await hub.settle()
    assert "Noch nicht getestet" not in words(await ada.page("/channels"))
