"""The routes behind the thread's buttons and the composer's tools: what is done, what is refused, and in which words."""

from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from hub.core import ids
from hub.core.clock import FakeClock
from tests.inbox.pages_support import PAGE, Visitor, conv, visit
from tests.inbox.thread_support import NOW, SEND, customer, told, uploaded
from tests.support import Connected, HubUnderTest


@pytest.fixture
async def probe(hub: HubUnderTest) -> Connected:
    return await hub.connect("probe")


@pytest.fixture
async def jonas(hub: HubUnderTest) -> Visitor:
    return await visit(hub)


@pytest.fixture
async def conversation(hub: HubUnderTest, probe: Connected) -> UUID:
    return await customer(hub, probe, {"key": "k1", "text": "Hallo"})


def msg(message_id: UUID) -> str:
    return ids.show("msg", message_id)


async def theirs(hub: HubUnderTest) -> UUID:
    return UUID(str(await hub.value("SELECT id FROM message WHERE direction = 'in'")))


async def ours(hub: HubUnderTest, conversation: UUID) -> UUID:
    message_id = await hub.reply(conversation, "Guten Tag")
    await hub.settle()
    return message_id


def takes(*keys: str) -> respx.Route:
    route = respx.post(SEND)
    route.side_effect = [httpx.Response(200, json={"id": key, "at": NOW + 60}) for key in keys]
    return route


@respx.mock
async def test_edit_react_delete_by_their_buttons(hub: HubUnderTest, conversation: UUID, jonas: Visitor) -> None:
    """Issue 3.2: each answers with what the page has to draw anew, and the record names who did it."""
    route = takes("o1", "", "", "")
    message_id = await ours(hub, conversation)
    edited = await jonas.post(f"/messages/{msg(message_id)}/edit", text="Guten Abend")
    assert (edited.status_code, edited.json()) == (200, {"conversation": conv(conversation), "message": msg(message_id)})
    assert (await jonas.post(f"/messages/{msg(await theirs(hub))}/react", emoji="👍")).status_code == 200
    await hub.settle()
    deleted = await jonas.post(f"/messages/{msg(message_id)}/delete", headers=PAGE, view="mine")
    assert (deleted.status_code, deleted.headers["location"]) == (303, f"/o/{hub.slug}/inbox/mine/{conv(conversation)}")
    await hub.settle()
    assert sorted(one.get("do", "message") for one in told(route.calls)) == ["delete", "edit", "message", "react"]
    authors = await hub.rows("SELECT DISTINCT author_id FROM message_part WHERE action <> 'message'")
    assert [row["author_id"] for row in authors] == [jonas.member_id]


@respx.mock
async def test_what_is_not_possible_says_why(hub: HubUnderTest, conversation: UUID, jonas: Visitor) -> None:
    """409 with the reason in words, as JSON and as a page; nothing is queued."""
    takes("o1")
    message_id = await hub.reply(conversation, "Guten Tag")
    answer = await jonas.post(f"/messages/{msg(message_id)}/edit", text="Neu")
    assert (answer.status_code, answer.json()["error"]) == (409, "not_possible")
    assert answer.json()["text"].startswith("Die Nachricht ist noch nicht beim Messenger angekommen.")
    page = await jonas.post(f"/messages/{msg(await theirs(hub))}/delete", headers=PAGE)
    assert page.status_code == 409 and "Bei diesem Messenger geht das nicht." in page.text
    await hub.settle()
    answer = await jonas.post(f"/messages/{msg(message_id)}/edit", text=" ")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_input")
    assert await hub.value("SELECT count(*) FROM message_part WHERE action <> 'message'") == 0


async def test_what_the_messenger_cannot_is_refused_on_the_server(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    """Capabilities decide on the server too, whatever a page sends."""
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    answer = await jonas.post(f"/messages/{msg(await theirs(hub))}/react", emoji="🦖")
    assert answer.status_code == 422 and answer.json()["text"].startswith("Diese Reaktion kennt der Messenger nicht.")
    too_many = {"text": "Wann?", "options": ["a", "b", "c", "d"], "client_key": "k"}
    answer = await send(jonas, conversation_id, **too_many)
    assert answer.status_code == 422 and "jede Antwort muss anders und kurz sein" in answer.json()["text"]


async def test_after_a_block_nothing_is_done(hub: HubUnderTest, probe: Connected, conversation: UUID, jonas: Visitor) -> None:
    """I4: the gate refuses acts as it refuses messages."""
    await customer(hub, probe, {"type": "blocked", "key": "b1", "from": "anna"})
    answer = await jonas.post(f"/messages/{msg(await theirs(hub))}/react", emoji="👍")
    assert (answer.status_code, answer.json()["error"]) == (409, "send_blocked")
    assert await hub.value("SELECT count(*) FROM message_part") == 0
    assert await hub.value("SELECT verdict FROM gate_decision") == "refuse"


async def send(jonas: Visitor, conversation_id: UUID, **form: Any) -> Any:
    return await jonas.post(f"/conversations/{conv(conversation_id)}/messages", **form)


@respx.mock
async def test_a_reply_with_everything_it_can_have(hub: HubUnderTest, conversation: UUID, jonas: Visitor) -> None:
    """Issue 3.2: files with a caption that answer a message, a question with answers, a place."""
    route = takes("o1", "o2", "o3")
    files = [await uploaded(hub, conversation, jonas.member_id, data, name=f"{data.decode()}.pdf") for data in (b"eins", b"zwei")]
    shown = [ids.show("file", file) for file in files]
    answered = msg(await theirs(hub))
    assert (await send(jonas, conversation, text="Anbei", client_key="a", files=shown, reply_to=answered)).status_code == 200
    assert (await send(jonas, conversation, text="Wann?", client_key="b", options=["Heute", "Morgen"])).status_code == 200
    place = {"latitude": "47,546", "longitude": "9.684", "title": "Werkstatt", "address": "Hafenplatz 3"}
    assert (await send(jonas, conversation, client_key="c", **place)).status_code == 200
    await hub.settle()
    first, second, third = told(route.calls)
    assert (first["text"], first["reply_to"]) == ("Anbei", "k1")
    assert [name for name, _ in first["files"].values()] == ["eins.pdf", "zwei.pdf"]
    assert second["options"] == [["1", "Heute"], ["2", "Morgen"]]
    assert third["place"] == [47.546, 9.684, "Werkstatt"]
    html = await jonas.page(f"/inbox/open/{conv(conversation)}")
    assert "eins.pdf" in html and "47,54600 N, 9,68400 O" in html


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"latitude": "91", "longitude": "9"}, 422, "Die Breite ist eine Zahl zwischen -90 und 90."),
        ({"latitude": "47", "longitude": ""}, 422, "Die Länge ist eine Zahl zwischen -180 und 180."),
        ({"latitude": "nan", "longitude": "9"}, 422, "Die Breite ist eine Zahl zwischen -90 und 90."),
        ({"latitude": "47", "longitude": "9", "text": "Hier"}, 422, "Einen Standort nimmt dieser Messenger nur allein"),
        ({"text": ""}, 422, "Es fehlt ein Text"),
        ({"text": "Wann?", "options": ["Heute", "Heute"]}, 422, "jede Antwort muss anders und kurz sein"),
        ({"text": "x", "files": ["file_00000000000000000000000000"]}, 422, "oder eine ist nicht mehr da"),
        ({"text": "x", "files": ["nonsense"]}, 404, ""),
        ({"text": "x", "reply_to": "msg_00000000000000000000000000"}, 404, ""),
    ],
)
async def test_what_cannot_be_sent_says_what_to_mend(
    conversation: UUID, jonas: Visitor, form: dict[str, Any], status: int, words: str
) -> None:
    answer = await send(jonas, conversation, client_key="k", **form)
    assert answer.status_code == status
    assert words in answer.json()["text"]


@respx.mock
async def test_answering_what_has_not_arrived(hub: HubUnderTest, conversation: UUID, jonas: Visitor) -> None:
    waiting = await hub.reply(conversation, "Noch nicht fort")
    answer = await send(jonas, conversation, text="x", client_key="k", reply_to=msg(waiting))
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_typing_is_passed_on_and_stores_nothing(hub: HubUnderTest, conversation: UUID, jonas: Visitor) -> None:
    """The customer sees it at most every few seconds, however often the page says so."""
    await hub.runtime.queue.redis.flushdb()
    for _ in range(3):
        answer = await jonas.post(f"/conversations/{conv(conversation)}/typing")
        assert (answer.status_code, answer.json()) == (200, {})
    keys = [key.decode() for key in await hub.runtime.queue.redis.keys("*")]
    assert sum(key.startswith("arq:job:") for key in keys) == 1
    assert await hub.value("SELECT count(*) FROM message_part") == 0


async def test_composer_states(hub: HubUnderTest, probe: Connected, conversation: UUID, jonas: Visitor, clock: FakeClock) -> None:
    """Look 6: one state at a time. When the window is closed the composer says so, what would be needed, and what is possible."""
    path = f"/inbox/open/{conv(conversation)}"
    html = await jonas.page(path)
    assert '<textarea id="text"' in html and 'id="send"' in html
    clock.advance(hours=25)
    html = await (await visit(hub, "Sara Lang")).page(path)
    assert '<textarea id="text"' not in html and "data-tool" not in html
    for words in (
        "Das Antwortfenster dieses Messengers ist zu.",
        "Sobald die Person wieder schreibt, können Sie antworten.",
        "Interne Notiz",
    ):
        assert words in html
    readonly = await visit(hub, "Rita Liest", role="readonly")
    html = await readonly.page(path)
    assert "Sie dürfen hier lesen, nicht schreiben." in html and '<form class="composer' not in html
