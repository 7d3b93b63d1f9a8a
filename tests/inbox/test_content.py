"""What customers send, however it comes: albums in pieces, places that move, answers that are pressed."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import respx

from hub.core.pages import FRONTEND
from hub.inbox.models import MESSAGE_KINDS
from tests.inbox.thread_support import NOW, SEND, customer, picture, told
from tests.support import Connected, HubUnderTest

ALBUM: Sequence[dict[str, Any]] = (
    {"key": "a1", "album": "alb", "sequence": 1, "media": picture("p1"), "text": "Zwei Ansichten"},
    {"key": "a2", "album": "alb", "sequence": 2, "media": picture("p2")},
    {"key": "a3", "album": "alb", "sequence": 3, "media": picture("p3"), "text": "Und die Rechnung"},
)


@pytest.fixture
async def probe(hub: HubUnderTest) -> Connected:
    return await hub.connect("probe")


async def thread(hub: HubUnderTest) -> list[tuple[str, list[str]]]:
    """Every message: its text and the handles of its files in order."""
    rows = await hub.rows(
        """
        SELECT m.text, COALESCE(array_agg(a.ref ORDER BY a.position, a.id) FILTER (WHERE a.id IS NOT NULL), '{}') AS refs
        FROM message m LEFT JOIN attachment a ON a.organisation_id = m.organisation_id AND a.message_id = m.id
        WHERE m.direction = 'in' GROUP BY m.id, m.text, m.at, m.sequence, m.seq ORDER BY m.at, m.sequence, m.seq
        """
    )
    return [(row["text"], row["refs"]) for row in rows]


def copies(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(event) for event in events]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_an_album_is_one_message_in_any_order(hub: HubUnderTest, probe: Connected, order: tuple[int, ...]) -> None:
    """Issue 3.1: each item comes by itself; together they are one message with its files in the sender's order."""
    for number in order:
        await customer(hub, probe, *copies(ALBUM[number]))
    assert await thread(hub) == [("Zwei Ansichten\nUnd die Rechnung", ["p1", "p2", "p3"])]
    row = (await hub.rows("SELECT unread, last_text, last_kind FROM conversation"))[0]
    assert tuple(row) == (1, "Zwei Ansichten\nUnd die Rechnung", "image")


async def test_an_album_in_one_batch_and_again(hub: HubUnderTest, probe: Connected) -> None:
    """I2: duplicates of items, of all of it and of its first, change nothing."""
    body = [{**event, "type": "message", "at": NOW, "from": "anna", "name": "Anna"} for event in (*ALBUM, ALBUM[1])]
    await hub.deliver(probe, body)
    await customer(hub, probe, *copies(*ALBUM, ALBUM[0]))
    assert await thread(hub) == [("Zwei Ansichten\nUnd die Rechnung", ["p1", "p2", "p3"])]
    assert await hub.value("SELECT unread FROM conversation") == 1


async def test_a_straggler_after_another_message(hub: HubUnderTest, probe: Connected) -> None:
    """It joins its album and does not come up as something new; the list keeps the later message."""
    await customer(hub, probe, *copies(ALBUM[0]), {"key": "x", "text": "Sehen Sie?", "at": NOW + 5}, *copies(ALBUM[1]))
    assert await thread(hub) == [("Zwei Ansichten", ["p1", "p2"]), ("Sehen Sie?", [])]
    row = (await hub.rows("SELECT unread, last_text FROM conversation"))[0]
    assert tuple(row) == (2, "Sehen Sie?")


async def test_albums_of_two_people_stay_apart(hub: HubUnderTest, probe: Connected) -> None:
    await customer(hub, probe, *copies(*ALBUM))
    other = {**ALBUM[0], "key": "b1", "album": "alb2", "media": picture("q1"), "type": "message", "at": NOW, "from": "bert"}
    await hub.deliver(probe, [other])
    await customer(hub, probe)
    assert sorted(refs for _, refs in await thread(hub)) == [["p1", "p2", "p3"], ["q1"]]


async def test_the_caption_of_one_item_is_edited(hub: HubUnderTest, probe: Connected) -> None:
    """Only that item's words change, nothing is fetched again; two items edited in the same second both count."""
    await customer(hub, probe, *copies(*ALBUM))
    before = await hub.rows("SELECT id FROM attachment ORDER BY id")
    named = [{**event, "media": {**event["media"], "unique": f"u{number}"}} for number, event in enumerate(ALBUM)]
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("""UPDATE attachment SET "unique" = 'u' || (position - 1), state = 'stored'""")
    for key, target, number, text in (("e1", "a2", 1, "Von hinten"), ("e2", "a3", 2, "")):
        await customer(hub, probe, {**named[number], "key": key, "type": "edit", "target": target, "text": text, "at": NOW + 60})
    assert await thread(hub) == [("Zwei Ansichten\nVon hinten", ["p1", "p2", "p3"])]
    assert await hub.rows("SELECT id FROM attachment ORDER BY id") == before
    assert await hub.value("SELECT count(*) FROM attachment WHERE state = 'waiting'") == 0
    assert await hub.value("SELECT last_text FROM conversation") == "Zwei Ansichten\nVon hinten"


async def test_edits_of_two_items_in_the_wrong_order(hub: HubUnderTest, probe: Connected) -> None:
    """Each item keeps its own newest edit: one that comes late counts for its item, and an older one of the same item does not."""
    await customer(hub, probe, *copies(*ALBUM))
    edits = (
        ("e1", "a2", 60, {"media": picture("p2"), "text": "Von hinten"}),
        ("e2", "a3", 30, {"media": picture("neu"), "text": "Die richtige Rechnung"}),
        ("e3", "a2", 45, {"media": picture("alt"), "text": "Zu alt"}),
    )
    for key, target, at, content in edits:
        await customer(hub, probe, {"key": key, "type": "edit", "target": target, "at": NOW + at, **content})
    assert await thread(hub) == [("Zwei Ansichten\nVon hinten\nDie richtige Rechnung", ["p1", "p2", "neu"])]
    assert await hub.value("SELECT last_text FROM conversation") == "Zwei Ansichten\nVon hinten\nDie richtige Rechnung"
    assert await hub.value("SELECT edited_at FROM message") == datetime.fromtimestamp(NOW + 60, UTC)


async def test_another_file_takes_the_place_of_the_first(hub: HubUnderTest, probe: Connected) -> None:
    await customer(hub, probe, *copies(*ALBUM))
    fresh = {"media": picture("new", unique="other"), "text": "Besseres Bild"}
    await customer(hub, probe, {"key": "e1", "type": "edit", "target": "a2", "at": NOW + 60, **fresh})
    assert await thread(hub) == [("Zwei Ansichten\nBesseres Bild\nUnd die Rechnung", ["p1", "new", "p3"])]


async def test_an_edit_that_overtakes_its_item(hub: HubUnderTest, probe: Connected) -> None:
    """I3: it waits for the item and is applied with it."""
    await customer(hub, probe, *copies(ALBUM[0]))
    await customer(hub, probe, {**ALBUM[1], "key": "e1", "type": "edit", "target": "a2", "text": "Von hinten", "at": NOW + 60})
    await customer(hub, probe, *copies(ALBUM[1]))
    assert await thread(hub) == [("Zwei Ansichten\nVon hinten", ["p1", "p2"])]


async def test_a_place_that_moves(hub: HubUnderTest, probe: Connected) -> None:
    """Each move is an edit; the newest by provider time wins."""
    await customer(hub, probe, {"key": "l1", "place": {"latitude": 47.0, "longitude": 9.0, "is_live": True}})
    for key, at, latitude in (("l2", 60, 47.2), ("l3", 30, 47.1)):
        move = {"latitude": latitude, "longitude": 9.0, "is_live": True}
        await customer(hub, probe, {"key": key, "type": "edit", "target": "l1", "at": NOW + at, "place": move})
    content = await hub.value("SELECT content FROM message")
    assert (content["latitude"], content["is_live"]) == (47.2, True)
    stopped = {"latitude": 47.3, "longitude": 9.0}
    await customer(hub, probe, {"key": "l4", "type": "edit", "target": "l1", "at": NOW + 90, "place": stopped})
    assert (await hub.value("SELECT content FROM message"))["is_live"] is False


@respx.mock
async def test_a_pressed_answer_is_heard_once(hub: HubUnderTest, probe: Connected) -> None:
    """Issue 3.1: the press is a message of its own and is answered to the provider, once, however often it is delivered."""
    route = respx.post(SEND).respond(json={"id": "o1", "at": NOW + 10})
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Wann?"})
    await hub.reply(conversation_id, "Wann passt es?", options=["Heute", "Morgen"])
    await hub.settle()
    press = {"key": "pr1", "option": "2", "text": "Morgen", "press": "q77", "reply_to": "o1", "at": NOW + 20}
    await customer(hub, probe, dict(press), dict(press))
    await hub.settle()
    assert [one for one in told(route.calls) if one.get("do") == "answer"] == [{"to": "anna", "do": "answer", "press": "q77"}]
    assert await hub.value("SELECT count(*) FROM message WHERE kind = 'interactive'") == 1
    assert await hub.value("SELECT last_text FROM conversation") == "Morgen"


@respx.mock
async def test_nobody_is_answered_who_said_stop(hub: HubUnderTest, probe: Connected) -> None:
    """The answer to a press passes the gate like everything else."""
    route = respx.post(SEND)
    await customer(hub, probe, {"key": "k1", "option": "1", "press": "q1"}, {"type": "blocked", "key": "b", "from": "anna"})
    await hub.settle()
    assert not route.called


def test_every_kind_is_known() -> None:
    """What `content.py` keeps is what the thread has a template for."""
    assert {path.stem for path in (FRONTEND / "templates/inbox/message").glob("[a-z]*.html")} == {*MESSAGE_KINDS, "deleted"}
