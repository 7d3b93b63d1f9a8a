"""Visitors write, go away and come back; what they do goes through the door like everything else (R-297)."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from hub.channels import service as channels
from hub.core import ids
from hub.inbox import service
from hub.inbox.arriving import ingest
from hub.inbox.sending import actions, claiming
from tests.support import HubUnderTest
from tests.webchat.support import SITE, Browser, connect_chat, visit_site


async def test_message_becomes_a_conversation(hub: HubUnderTest) -> None:
    """The first message makes contact, conversation and delivery, with the page it was written on."""
    visitor = await (await visit_site(hub)).start(name="Anna Huber", email="anna@muster.example", language="de")
    await visitor.write("Guten Tag <b>👋</b>", page={"url": f"{SITE}/shop", "title": "Shop"})
    conversation = await visitor.conversation()
    assert await hub.value("SELECT text FROM message WHERE conversation_id = $1", conversation) == "Guten Tag <b>👋</b>"
    who = await hub.rows("SELECT display_name, username, language FROM identity")
    assert [tuple(row) for row in who] == [("Anna Huber", "anna@muster.example", "de")]
    assert await hub.value("SELECT state FROM webhook_delivery") == "applied"
    assert await hub.value("SELECT body LIKE '%Shop%'::bytea FROM webhook_delivery")


async def test_visitor_without_name_can_be_told_apart(hub: HubUnderTest) -> None:
    one = await (await visit_site(hub)).start()
    await one.write("Hallo")
    await one.conversation()
    name: str = await hub.value("SELECT name FROM contact")
    assert name.startswith("Besucher ") and len(name) == len("Besucher 4F2K")


async def test_answer_waits_in_the_box_of_who_is_away(hub: HubUnderTest) -> None:
    """A visitor who is away keeps messages: they come back with their token and find them, once, in order."""
    visitor = await (await visit_site(hub)).start()
    first = await visitor.write("Haben Sie das Rad in 52?")
    await hub.reply(await visitor.conversation(), "Ja, es steht *hier*.")
    assert [one["id"] for one in await visitor.messages()] == [first]  # no permit was used yet
    await hub.settle()
    hub.clock.advance(days=20)
    back = Browser(hub, visitor.channel, hub.browser(), token=visitor.token)
    asked, answered = await back.messages()
    assert (asked["id"], asked["mine"], asked["text"]) == (first, True, "Haben Sie das Rad in 52?")
    assert (answered["mine"], answered["text"], answered["state"]) == (False, "Ja, es steht hier.", "sent")
    assert answered["spans"] == [[13, 17, "bold", ""]]


async def test_delivered_is_shown_and_read_is_read(hub: HubUnderTest) -> None:
    """`delivered` = shown in the widget. Status only moves forward, and nobody marks another one's messages."""
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    message = await hub.reply(await visitor.conversation(), "Guten Tag")
    await hub.settle()
    shown = ids.show("msg", message)
    stranger = await (await visit_site(hub, visitor.channel)).start()
    await stranger.mark("read", shown)
    states = []
    for status in ("delivered", "read", "delivered"):
        await visitor.mark(status, shown)
        await hub.settle()
        states.append(await hub.value("SELECT state FROM message WHERE id = $1", message))
    assert states == ["delivered", "read", "read"]
    assert await hub.value("SELECT count(*) FROM webhook_delivery WHERE body LIKE '%marks%'::bytea") == 3


async def test_our_read_mark(hub: HubUnderTest) -> None:
    """The visitor sees that somebody has opened what they wrote."""
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    before = await visitor.messages()
    await service.mark_read(hub.runtime, hub.owner, conversation)
    await visitor.write("Noch etwas")
    await visitor.conversation()
    assert [one["state"] for one in before] == ["sent"]
    assert [one["state"] for one in await visitor.messages()] == ["read", "sent"]


async def test_same_message_twice_is_there_once(hub: HubUnderTest) -> None:
    """A widget that heard no answer sends again with the same id (I2)."""
    visitor = await (await visit_site(hub)).start()
    for _ in range(3):
        await visitor.write("Hallo", "0123456789abcdef")
    await visitor.conversation()
    assert await hub.value("SELECT count(*) FROM webhook_delivery") == 3
    assert [one["text"] for one in await visitor.messages()] == ["Hallo"]


async def test_edit_and_deletion_arrive(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    first, second = [await hub.reply(conversation, text) for text in ("Um 9 Uhr", "Vertippt")]
    await hub.settle()
    await actions.edit(hub.runtime, hub.owner, first, "Um 10 Uhr")
    await actions.delete(hub.runtime, hub.owner, second)
    await hub.settle()
    _, edited, deleted = await visitor.messages()
    assert (edited["text"], edited["edited"]) == ("Um 10 Uhr", True)
    assert deleted["deleted"] and "text" not in deleted


async def test_question_is_answered_by_pressing(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Wann?")
    await hub.reply(await visitor.conversation(), "Passt Dienstag?", options=["Ja", "Nein"])
    await hub.settle()
    options = (await visitor.messages())[-1]["options"]
    assert [label for _, label in options] == ["Ja", "Nein"]
    answer = await visitor.post("presses", {"id": "press-0001", "option": options[0][0], "label": "Ja"})
    assert answer.status_code == 204
    await visitor.conversation()
    assert await hub.value("SELECT text FROM message WHERE kind = 'interactive'") == "Ja"


async def test_two_visitors_see_only_their_own(hub: HubUnderTest) -> None:
    anna = await (await visit_site(hub)).start()
    boris = await (await visit_site(hub, anna.channel)).start()
    await anna.write("Von Anna")
    await boris.write("Von Boris")
    await anna.conversation()
    assert [one["text"] for one in await anna.messages()] == ["Von Anna"]
    assert [one["text"] for one in await boris.messages()] == ["Von Boris"]


async def test_internal_lines_never_leave(hub: HubUnderTest) -> None:
    """Notes, events and what has failed are in no box."""
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    await service.add_note(hub.runtime, hub.owner, conversation, "nur intern")
    await service.set_done(hub.runtime, hub.owner, conversation)
    await hub.reply(conversation, "wird gesperrt")
    await channels.block_channel(hub.runtime, hub.owner, visitor.channel.id, "Missbrauch")
    await hub.settle()
    assert [one["text"] for one in await visitor.messages()] == ["Hallo"]


@pytest.mark.parametrize("token", ["", "x", "ä" * 43])
async def test_unknown_token_is_refused(hub: HubUnderTest, token: str) -> None:
    visitor = await visit_site(hub)
    headers = {b"origin": SITE.encode(), b"authorization": f"Bearer {token}".encode()}
    for act in ("box", "stream"):
        assert (await visitor.client.get(f"{visitor.base}/{act}", headers=headers)).status_code == 401
    for act in ("messages", "presses", "files", "marks", "typing", "end"):
        assert (await visitor.client.post(f"{visitor.base}/{act}", json={}, headers=headers)).status_code in (401, 422)


async def test_token_is_for_one_chat_only(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    other = await visit_site(hub, await connect_chat(hub))
    other.token = visitor.token
    assert (await other.get("box")).status_code == 401


async def test_token_is_not_stored(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    rows: list[Any] = await hub.rows("SELECT * FROM webchat_visitor")
    assert visitor.token.encode() not in rows[0]["token_hash"] and visitor.token not in str(rows)


async def test_ended_conversation_is_forgotten_by_this_browser(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    assert (await visitor.post("end", {})).status_code == 204
    assert (await visitor.get("box")).status_code == 401
    await visitor.conversation()
    assert await hub.value("SELECT count(*) FROM message") == 1


async def test_token_ends_after_half_a_year(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    for days, status in ((179, 200), (179, 200), (181, 401)):
        hub.clock.advance(days=days)
        assert (await visitor.get("box")).status_code == status


async def test_closed_chat_takes_no_new_visitors_and_loses_nothing(hub: HubUnderTest) -> None:
    """R-110, I9: after the end the loader answers 410 and no new session starts; what an open session delivers is stored."""
    visitor = await (await visit_site(hub)).start()
    await channels.switch_off(hub.runtime, hub.owner, visitor.channel.id)
    newcomer = await visit_site(hub, visitor.channel)
    assert (await newcomer.client.get(f"{newcomer.base}.js", headers={"origin": SITE})).status_code == 410
    assert (await newcomer.client.get(newcomer.base)).status_code == 410
    assert (await newcomer.post("start", {})).status_code == 410
    await visitor.write("Noch da?")
    await visitor.conversation()
    assert await hub.value("SELECT text FROM message") == "Noch da?"


async def test_ended_contract_closes_the_chat(hub: HubUnderTest) -> None:
    visitor = await visit_site(hub)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE organisation SET state = 'ended' WHERE id = $1", hub.organisation_id)
    assert (await visitor.client.get(f"{visitor.base}.js")).status_code == 410
    assert (await visitor.post("start", {})).status_code == 410


async def test_store_that_is_away_takes_nothing_on(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, so the widget keeps the message and sends it again (I1)."""
    visitor = await (await visit_site(hub)).start()

    async def away(*_: object) -> None:
        raise asyncpg.PostgresConnectionError

    monkeypatch.setattr("hub.inbox.arriving.door.append", away)
    answer = await visitor.post("messages", {"id": "0123456789", "text": "Hallo"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


async def test_typing_is_a_delivery(hub: HubUnderTest) -> None:
    """What a visitor does comes through the door, also what is worth nothing a moment later."""
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    assert (await visitor.post("typing", {"is_typing": True})).status_code == 204
    await visitor.conversation()
    rows = await hub.rows("SELECT state FROM webhook_delivery WHERE body LIKE '%typing%'::bytea")
    assert [row["state"] for row in rows] == ["applied"]


async def test_interrupted_attempt_shows_nothing(hub: HubUnderTest) -> None:
    """I5: what nobody knows to be sent is not in the box; sent again by a person it is there once."""
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    message = await hub.reply(conversation, "Guten Tag")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        claims = await claiming.claim(hub.runtime, unit, visitor.channel.id, 1, any_=5, bulk=0)
    assert len(claims) == 1  # and here the worker dies
    hub.clock.advance(seconds=60)
    await hub.settle()
    assert [one["text"] for one in await visitor.messages()] == ["Hallo"]
    await actions.resend(hub.runtime, hub.owner, message)
    await hub.settle()
    assert [one["text"] for one in await visitor.messages()] == ["Hallo", "Guten Tag"]


async def test_replayed_delivery_changes_nothing(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    await visitor.conversation()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE webhook_delivery SET state = 'dead' WHERE organisation_id = $1", hub.organisation_id)
    assert await ingest.replay(hub.runtime, hub.organisation_id, since=hub.clock() - timedelta(days=1)) == 1
    await visitor.conversation()
    assert [one["text"] for one in await visitor.messages()] == ["Hallo"]
