"""What a person does to a message that exists goes the whole road: gate, part, claim, attempt, result, thread (I4, I5)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from hub.connectors.events import Location
from hub.consent.gate import SendBlocked
from hub.core.clock import FakeClock
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.sending import actions
from tests.inbox.pages_support import visit
from tests.inbox.thread_support import NOW, SEND, customer, told, uploaded
from tests.support import Connected, HubUnderTest


@pytest.fixture
async def probe(hub: HubUnderTest) -> Connected:
    return await hub.connect("probe")


@pytest.fixture
async def conversation(hub: HubUnderTest, probe: Connected) -> UUID:
    return await customer(hub, probe, {"key": "k1", "text": "Hallo"})


def accepts(key: str = "o1") -> respx.Route:
    return respx.post(SEND).respond(json={"id": key, "at": NOW + 60})


async def sent(hub: HubUnderTest, conversation: UUID, text: str = "Guten Tag") -> UUID:
    """A reply of ours that the provider took, with the key o1."""
    message_id = await hub.reply(conversation, text)
    await hub.settle()
    return message_id


async def row(hub: HubUnderTest, message_id: UUID) -> Any:
    return (await hub.rows("SELECT * FROM message WHERE id = $1", message_id))[0]


async def inbound(hub: HubUnderTest) -> UUID:
    return UUID(str(await hub.value("SELECT id FROM message WHERE direction = 'in' ORDER BY seq LIMIT 1")))


@respx.mock
async def test_an_edit_reaches_the_provider_and_then_the_thread(hub: HubUnderTest, conversation: UUID, clock: FakeClock) -> None:
    route = accepts()
    message_id = await sent(hub, conversation)
    before = await row(hub, message_id)
    clock.advance(minutes=5)
    await actions.edit(hub.runtime, hub.owner, message_id, "Guten *Abend*")
    assert (await row(hub, message_id))["text"] == "Guten Tag"  # not before the provider has taken it
    await hub.settle()
    assert told(route.calls)[1] == {"to": "anna", "do": "edit", "target": "o1", "text": "Guten Abend", "spans": [[6, 11, "bold"]]}
    after = await row(hub, message_id)
    assert (after["text"], after["content"]["spans"], after["edited_at"]) == ("Guten Abend", [[6, 11, "bold", ""]], clock())
    assert (after["at"], after["state"]) == (before["at"], before["state"])
    assert await hub.value("SELECT last_text FROM conversation") == "Guten Abend"
    decisions = await hub.rows("SELECT stage, rule, message_id, member_id FROM gate_decision ORDER BY at, id")
    assert [tuple(one) for one in decisions][-1] == ("submit", "reply", message_id, hub.owner.member_id)
    assert await hub.value("SELECT author_id FROM message_part WHERE action = 'edit'") == hub.owner.member_id


@respx.mock
async def test_a_deleted_message_leaves_its_trace(hub: HubUnderTest, conversation: UUID, clock: FakeClock) -> None:
    """The row stays for the record; the list does not repeat what was taken back."""
    route = respx.post(SEND)
    route.side_effect = [httpx.Response(200, json={"id": "o1 o2", "at": NOW + 60}), httpx.Response(200, json={})]
    message_id = await sent(hub, conversation)
    await actions.delete(hub.runtime, hub.owner, message_id)
    await hub.settle()
    assert told(route.calls)[1] == {"to": "anna", "do": "delete", "targets": ["o1", "o2"]}
    after = await row(hub, message_id)
    assert (after["deleted_at"], after["text"]) == (clock(), "Guten Tag")
    assert tuple((await hub.rows("SELECT last_kind, last_text, last_direction FROM conversation"))[0]) == ("deleted", "", "out")
    for act in (actions.delete(hub.runtime, hub.owner, message_id), actions.edit(hub.runtime, hub.owner, message_id, "Doch")):
        with pytest.raises(actions.NotPossible) as refused:
            await act
        assert refused.value.values == {"reason": "deleted"}


@respx.mock
async def test_a_reaction_is_set_changed_and_taken_back(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND).respond(json={})
    message_id = await inbound(hub)
    before = await row(hub, message_id)
    for emoji in ("👍", "❤", ""):
        await actions.react(hub.runtime, hub.owner, message_id, emoji)
        await hub.settle()
        assert (await row(hub, message_id))["content"].get("reaction", "") == emoji
    assert [(one["target"], one["emoji"]) for one in told(route.calls)] == [("k1", "👍"), ("k1", "❤"), ("k1", "")]
    after = await row(hub, message_id)
    assert (after["at"], after["text"], after["edited_at"]) == (before["at"], before["text"], None)


async def test_only_what_the_messenger_knows_is_a_reaction(hub: HubUnderTest, conversation: UUID) -> None:
    with pytest.raises(InvalidInput):
        await actions.react(hub.runtime, hub.owner, await inbound(hub), "🦖")
    assert await hub.value("SELECT count(*) FROM message_part") == 0


async def reason(act: Any) -> object:
    with pytest.raises(actions.NotPossible) as refused:
        await act
    return refused.value.values["reason"]


@respx.mock
async def test_what_cannot_be_changed_says_why(hub: HubUnderTest, probe: Connected, conversation: UUID, clock: FakeClock) -> None:
    """Somebody else's message, one that has not arrived, one in several parts, a place, an old one."""
    keys = iter(range(1, 20))
    respx.post(SEND).mock(side_effect=lambda request: httpx.Response(200, json={"id": f"o{next(keys)}", "at": NOW + 60}))
    assert await reason(actions.edit(hub.runtime, hub.owner, await inbound(hub), "Anders")) == "not_here"
    short = await hub.reply(conversation, "Noch nicht fort")
    assert await reason(actions.delete(hub.runtime, hub.owner, short)) == "not_arrived"
    assert await reason(actions.react(hub.runtime, hub.owner, short, "👍")) == "no_reactions"
    long = await sent(hub, conversation, "lang " * 300)
    assert await reason(actions.edit(hub.runtime, hub.owner, long, "kurz")) == "several_parts"
    place = await hub.reply(conversation, "", location=Location(latitude=47.5, longitude=9.7))
    await hub.settle()
    assert await reason(actions.edit(hub.runtime, hub.owner, place, "Woanders")) == "no_text"
    clock.advance(hours=49)
    await customer(hub, probe, {"key": "k2", "text": "Noch da?", "at": NOW + 49 * 3600})
    assert await reason(actions.edit(hub.runtime, hub.owner, short, "Zu spät")) == "too_old"
    with pytest.raises(NotFound):
        await actions.edit(hub.runtime, hub.owner, conversation, "Gibt es nicht")


@respx.mock
async def test_an_edit_must_fit_into_one_message(hub: HubUnderTest, conversation: UUID) -> None:
    accepts()
    message_id = await sent(hub, conversation)
    for text in ("lang " * 300, "  \n"):
        with pytest.raises(InvalidInput):
            await actions.edit(hub.runtime, hub.owner, message_id, text)


@respx.mock
async def test_whom_the_gate_stops(hub: HubUnderTest, probe: Connected, conversation: UUID) -> None:
    """I4: an act is asked at submit and again at the claim; a refusal keeps only the decision."""
    route = accepts()
    message_id = await sent(hub, conversation)
    await actions.edit(hub.runtime, hub.owner, message_id, "Neu")
    await hub.deliver(probe, [{"type": "blocked", "key": "b1", "at": NOW + 90, "from": "anna"}])
    await hub.settle()
    assert route.call_count == 1
    assert tuple((await hub.rows("SELECT state, failure FROM message_part WHERE action = 'edit'"))[0]) == (
        "failed",
        "person_blocked",
    )
    assert (await row(hub, message_id))["state"] == "accepted"  # the message itself is as it was
    with pytest.raises(SendBlocked):
        await actions.delete(hub.runtime, hub.owner, message_id)
    assert await hub.value("SELECT count(*) FROM message_part WHERE action = 'delete'") == 0


@respx.mock
async def test_a_refused_edit_says_why_and_changes_nothing(hub: HubUnderTest, conversation: UUID) -> None:
    route = respx.post(SEND)
    route.side_effect = [httpx.Response(200, json={"id": "o1", "at": NOW + 60}), httpx.Response(400)]
    message_id = await sent(hub, conversation)
    await actions.edit(hub.runtime, hub.owner, message_id, "Neu")
    await hub.settle()
    assert tuple((await hub.rows("SELECT state, failure FROM message_part WHERE action = 'edit'"))[0]) == ("failed", "rejected")
    after = await row(hub, message_id)
    assert (after["text"], after["edited_at"], after["state"], after["failure"]) == ("Guten Tag", None, "accepted", "")


@respx.mock
async def test_an_unclear_act_is_done_again(hub: HubUnderTest, probe: Connected, conversation: UUID, clock: FakeClock) -> None:
    """I5: unlike a message, an edit that may have arrived is repeated: twice is the same as once. It has 24 hours of its own,
    however old its message is."""
    route = accepts()
    message_id = await sent(hub, conversation)
    clock.advance(hours=30)
    await customer(hub, probe, {"key": "k2", "text": "Noch da?", "at": NOW + 30 * 3600})
    await actions.edit(hub.runtime, hub.owner, message_id, "Neu")
    route.side_effect = [httpx.ReadTimeout("silence"), httpx.Response(200, json={})]
    await hub.settle()
    part = (await hub.rows("SELECT state, tries, due_at FROM message_part WHERE action = 'edit'"))[0]
    assert (part["state"], part["tries"]) == ("queued", 1)
    clock.set(part["due_at"] + timedelta(seconds=1))
    await hub.settle()
    assert (await row(hub, message_id))["text"] == "Neu"
    assert route.call_count == 3


@respx.mock
async def test_acts_of_one_message_keep_their_order_and_hold_nobody_up(hub: HubUnderTest, conversation: UUID) -> None:
    """Two edits leave one after the other; a chat message does not wait for them."""
    route = accepts()
    message_id = await sent(hub, conversation)
    await actions.edit(hub.runtime, hub.owner, message_id, "Erst so")
    await actions.edit(hub.runtime, hub.owner, message_id, "Dann so")
    await hub.reply(conversation, "Und noch etwas")
    await hub.settle()
    bodies = [one["text"] for one in told(route.calls)]
    assert bodies.index("Erst so") < bodies.index("Dann so")
    assert bodies.index("Und noch etwas") == 1
    assert (await row(hub, message_id))["text"] == "Dann so"


@respx.mock
async def test_files_leave_as_an_album_with_one_caption(hub: HubUnderTest, conversation: UUID) -> None:
    """Issue 3.2: several files are one message; its caption can be changed, and deleting takes all of it."""
    route = respx.post(SEND)
    route.side_effect = [httpx.Response(200, json={"id": "a1 a2", "at": NOW + 60}), *[httpx.Response(200, json={})] * 2]
    files = [
        await uploaded(hub, conversation, hub.owner.member_id, data, kind="image", mime="image/png", name=f"{data.decode()}.png")
        for data in (b"eins", b"zwei")
    ]
    message_id = await hub.reply(conversation, "Zwei Bilder", files=files)
    await hub.settle()
    await actions.edit(hub.runtime, hub.owner, message_id, "Beide Bilder")
    await hub.settle()
    await actions.delete(hub.runtime, hub.owner, message_id)
    await hub.settle()
    first, second = (file.hex for file in files)
    album = [["image", first], ["image", second]]
    assert told(route.calls) == [
        {"to": "anna", "media": album, "text": "Zwei Bilder", "files": {first: ["eins.png", "eins"], second: ["zwei.png", "zwei"]}},
        {"to": "anna", "do": "edit", "target": "a1", "media": album, "text": "Beide Bilder"},
        {"to": "anna", "do": "delete", "targets": ["a1", "a2"]},
    ]


async def test_files_of_others_and_files_twice(hub: HubUnderTest, conversation: UUID) -> None:
    """An upload belongs to who made it and to one message."""
    mine = await uploaded(hub, conversation, hub.owner.member_id)
    await hub.reply(conversation, "", files=[mine])
    jonas = await visit(hub)
    for files in ([mine], [await uploaded(hub, conversation, jonas.member_id)]):
        with pytest.raises(InvalidInput):
            await hub.reply(conversation, "Noch einmal", files=files)
