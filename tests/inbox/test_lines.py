"""How the thread shows each kind of content, each state of a file, and what is being done to a message."""

import re
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from hub.core import ids
from hub.inbox.page import queries
from hub.inbox.page.lines import File
from hub.inbox.sending import actions
from tests.inbox.pages_support import Visitor, conv, visit
from tests.inbox.thread_support import EVERYTHING, NOW, SEND, customer, receive_everything, set_files
from tests.support import Connected, HubUnderTest


@pytest.fixture
async def probe(hub: HubUnderTest) -> Connected:
    return await hub.connect("probe")


@pytest.fixture
async def jonas(hub: HubUnderTest) -> Visitor:
    return await visit(hub)


async def bubbles(jonas: Visitor, conversation_id: UUID) -> dict[str, str]:
    """The HTML of each message of an open conversation by its id."""
    html = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
    return {found[1]: found[0] for found in re.finditer(r'<article class="msg[^>]* id="(msg_\w+)".*?</article>', html, re.DOTALL)}


async def bubble(hub: HubUnderTest, jonas: Visitor, key: str) -> str:
    """The one of the customer's message with this key."""
    row = (await hub.rows("SELECT message_id FROM provider_key WHERE key = $1", key))[0]
    conversation_id = await hub.value("SELECT conversation_id FROM message WHERE id = $1", row["message_id"])
    return (await bubbles(jonas, conversation_id))[ids.show("msg", row["message_id"])]


async def file_of(hub: HubUnderTest, ref: str) -> str:
    return ids.show("file", await hub.value("SELECT id FROM attachment WHERE ref = $1", ref))


async def test_everything_is_shown_for_what_it_is(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.1: one of each kind; nothing is empty, nothing of a file is loaded from elsewhere."""
    conversation_id = await receive_everything(hub, probe)
    shown = await bubbles(jonas, conversation_id)
    assert len(shown) == len(EVERYTHING) - 2  # three pictures are one album
    assert all(re.sub(r"<[^>]+>|\s", "", html) or "<img" in html for html in shown.values())
    html = "".join(shown.values())
    base = f"/o/{hub.slug}/files/{await file_of(hub, 'p1')}"
    assert f'<img src="{base}/thumb" width="248" height="186" alt="Foto" loading="lazy"' in html
    assert f'data-look="picture" data-kind="image" data-file="{base}"' in html
    assert 'class="album n3"' in html
    assert f'data-voice="/o/{hub.slug}/files/{await file_of(hub, "v1")}?inline=1"' in html
    assert f'<a class="btn bare s sq" href="/o/{hub.slug}/files/{await file_of(hub, "d1")}" download' in html
    sources = re.findall(r'(?:src|data-voice|data-file)="([^"]+)"', html)
    assert sources and all(source.startswith(f"/o/{hub.slug}/files/file_") for source in sources)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("e2", ["<b>Wichtig</b>", "<i>Freitag</i>", 'class="spoiler"', "3.900 €"]),
        ("e7", ['max="23"', ">0:23<", "Sprachnachricht abspielen, 0:23"]),
        ("e8", [">1:15<", 'data-look="video"']),
        ("e10", ['alt="🚲"', "sticker"]),
        ("e11", ["Liste der zwölf Diensträder für die Inspektion.pdf", "PDF · 1,2 MB", "Anbei die Liste"]),
        ("e12", ["Kapelle Lindau: Hafenlied", ">3:21<"]),
        ("e13", ["Werkstatt", "Hafenplatz 3, 88131 Lindau", "47,54600 N, 9,68400 O", "#map=16/47.546/9.684"]),
        ("e14", ["Live-Standort", "auf 12 m genau"]),
        ("e15", ["Anna Huber", 'href="tel:+436605550172"', "eigene Nummer, vom Messenger bestätigt"]),
        ("e16", ["<b dir=\"auto\">Anna Huber</b>", "das Lastenrad", 'data-jump="msg_']),
        ("e17", ["Weitergeleitet von Velo Bregenz"]),
        ("e18", ["Umfrage", "Welche Farbe? (2 Antworten)", "Hub kann diese Art noch nicht zeigen. Nichts ging verloren."]),
        ("e19", ["Foto wird geholt · 148 kB", 'class="blank" width="248" height="186"']),
        ("e20", ["Rufen Sie sie erneut ab.", "Erneut abrufen", "/fetch"]),
        ("e21", ["Der Messenger hat die Datei nicht mehr."]),
        ("e22", ["Dateien dieser Art können beim Öffnen Programme starten"]),
        ("e23", ["Der Hub hat Schadsoftware gefunden"]),
        ("e24", ["Nicht auf Schadsoftware geprüft", "XLSX · 51 kB"]),
    ],
)  # fmt: skip
async def test_each_kind_says_what_it_is(hub: HubUnderTest, probe: Connected, jonas: Visitor, key: str, words: list[str]) -> None:
    await receive_everything(hub, probe)
    html = await bubble(hub, jonas, key)
    for word in words:
        assert word in html


@pytest.mark.parametrize("state", ["failed", "gone", "refused", "quarantined"])
async def test_no_file_is_offered_that_cannot_be_had(hub: HubUnderTest, probe: Connected, jonas: Visitor, state: str) -> None:
    """A file that is not here has a reason and no link; only what may help is offered."""
    await customer(hub, probe, {"key": "k", "media": {"kind": "image", "ref": "r", "mime": "image/png"}})
    await set_files(hub, state, "r", reason="whatever")
    html = await bubble(hub, jonas, "k")
    assert "<img" not in html and "download" not in html
    assert ("Erneut abrufen" in html) == (state == "failed")
    readonly = await visit(hub, "Rita Liest", role="readonly") if state == "failed" else None
    if readonly:
        assert "Erneut abrufen" not in await readonly.page(f"/inbox/open/{conv(await hub.value('SELECT id FROM conversation'))}")


def file(**values: Any) -> File:
    known = {"id": ids.new_id(), "kind": "document", "name": "", "mime": "", "size": None, "label": "", "duration": None}
    known |= {"width": None, "height": None, "state": "stored", "reason": "", "scanned": "", "has_thumbnail": False}
    return File(**{**known, **values})


@pytest.mark.parametrize(
    ("values", "look"),
    [
        ({"kind": "image", "mime": "image/png"}, "picture"),
        ({"kind": "image", "mime": "image/heic"}, "card"),
        ({"kind": "image", "mime": "image/svg+xml"}, "card"),
        ({"kind": "document", "mime": "image/png"}, "card"),
        ({"kind": "animation", "mime": "image/gif"}, "picture"),
        ({"kind": "animation", "mime": "video/mp4"}, "video"),
        ({"kind": "sticker", "mime": "application/gzip"}, "card"),
        ({"kind": "voice", "mime": "audio/ogg"}, "sound"),
        ({"kind": "audio", "mime": "audio/flac"}, "card"),
        ({"kind": "video", "state": "waiting"}, "video"),
        ({"kind": "video", "state": "gone", "mime": "video/mp4"}, "card"),
    ],
)
def test_only_what_browsers_show_is_shown_in_place(values: dict[str, Any], look: str) -> None:
    assert file(**values).look == look


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((1280, 960), (248, 186)),
        ((900, 1600), (180, 320)),
        ((100, 80), (100, 80)),
        ((4000, 20), (248, 48)),
        ((None, None), (248, 186)),
    ],
)
def test_a_picture_has_its_size_before_it_comes(size: tuple[int | None, int | None], box: tuple[int, int]) -> None:
    """Look 7: nothing jumps."""
    assert file(kind="image", width=size[0], height=size[1]).box == box


@respx.mock
async def test_a_pressed_answer_names_its_question(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    """What came back is looked up in what was asked; an answer that was not offered is shown as it came."""
    respx.post(SEND).respond(json={"id": "o1", "at": NOW + 10})
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Wann?"})
    await hub.reply(conversation_id, "Wann passt es *Ihnen*?", options=["Heute", "Morgen"])
    await hub.settle()
    await customer(hub, probe, {"key": "p1", "option": "2", "reply_to": "o1", "at": NOW + 20})
    await customer(hub, probe, {"key": "p2", "option": "9", "text": "Nie", "reply_to": "o1", "at": NOW + 21})
    asked = next(html for html in (await bubbles(jonas, conversation_id)).values() if "Wann passt es <b>Ihnen</b>?" in html)
    assert re.findall(r'<li class="chip[^>]*>(\w+)</li>', asked) == ["Heute", "Morgen"]
    pressed = await bubble(hub, jonas, "p1")
    assert "Auf unsere Frage" in pressed and "Wann passt es Ihnen?" in pressed and '<span dir="auto">Morgen</span>' in pressed
    assert '<span dir="auto">Nie</span>' in await bubble(hub, jonas, "p2")


@respx.mock
async def test_what_is_answered_stands_above(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.1: a reply to ours, to theirs, to something we never had."""
    route = respx.post(SEND).respond(json={"id": "o1", "at": NOW + 10})
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Welche Farbe?"})
    theirs = await hub.value("SELECT id FROM message")
    await hub.reply(conversation_id, "Blau", reply_to=theirs)
    await hub.settle()
    assert route.calls[0].request.content and b'"reply_to":"k1"' in route.calls[0].request.content.replace(b" ", b"")
    await customer(hub, probe, {"key": "k2", "text": "Gut", "reply_to": "o1"}, {"key": "k3", "text": "Hm", "reply_to": "never"})
    ours = next(html for html in (await bubbles(jonas, conversation_id)).values() if "msg out" in html)
    assert f'data-jump="{ids.show("msg", theirs)}"' in ours and "Anna Huber" in ours and "Welche Farbe?" in ours
    assert "Olga Inhaber" in (back := await bubble(hub, jonas, "k2")) and "Blau" in back
    assert "Antwort auf eine Nachricht, die hier nicht bekannt ist" in await bubble(hub, jonas, "k3")


@respx.mock
async def test_an_act_says_that_it_is_under_way_and_how_it_ended(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.2: waiting, failed with cause and next step, done with who and when."""
    route = respx.post(SEND)
    route.side_effect = [
        httpx.Response(200, json={"id": "o1", "at": NOW + 10}), httpx.Response(400), *[httpx.Response(200, json={})] * 3,
    ]  # fmt: skip
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    message_id = await hub.reply(conversation_id, "Guten Tag")
    await hub.settle()
    shown = ids.show("msg", message_id)

    async def now() -> str:
        return (await bubbles(jonas, conversation_id))[shown]

    assert 'data-acts="copy delete edit reply"' in await now()
    await actions.edit(hub.runtime, hub.owner, message_id, "Guten Abend")
    html = await now()
    assert "Änderung wird gesendet" in html and ">Guten Tag<" in html
    assert 'data-acts="copy reply"' in html  # one change at a time
    await hub.settle()
    html = await now()
    assert "Nicht geändert" in html and "Der Kunde sieht weiter den bisherigen Text." in html
    await actions.edit(hub.runtime, hub.owner, message_id, "Guten Abend")
    await hub.settle()
    html = await now()
    assert "Nicht geändert" not in html and ">Guten Abend<" in html and "bearbeitet 10:00" in html
    await actions.delete(hub.runtime, hub.owner, message_id)
    assert "Wird beim Messenger gelöscht" in await now()
    await hub.settle()
    html = await now()
    assert "Von Olga Inhaber gelöscht, 10:00" in html and "Guten Abend" not in html and "data-acts" not in html
    assert "Gelöschte Nachricht" in await jonas.page("/inbox/open")


@respx.mock
async def test_our_reaction_stands_at_their_message(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    respx.post(SEND).respond(json={})
    await customer(hub, probe, {"key": "k1", "text": "Danke"})
    await actions.react(hub.runtime, hub.owner, await hub.value("SELECT id FROM message"), "👍")
    assert "Reaktion 👍 wird gesendet" in await bubble(hub, jonas, "k1")
    await hub.settle()
    html = await bubble(hub, jonas, "k1")
    assert 'aria-label="Unsere Reaktion: 👍">👍</span>' in html and 'data-reaction="👍"' in html


async def test_only_what_the_messenger_can_is_offered(hub: HubUnderTest, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.2: capabilities decide, and so do the right to write and the gate."""
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    html = await jonas.page(f"/inbox/open/{conv(conversation_id)}")
    assert 'data-acts="copy react reply"' in html
    for tool in ('data-tool="attach"', 'data-tool="place"', 'data-tool="choice"', 'data-mark="*"', 'data-mark="_"'):
        assert tool in html
    assert 'data-mark="~"' not in html  # the probe has no struck out text
    readonly = await visit(hub, "Rita Liest", role="readonly")
    assert 'data-acts="copy"' in await readonly.page(f"/inbox/open/{conv(conversation_id)}")
    await customer(hub, probe, {"type": "blocked", "key": "b1", "from": "anna"})
    assert 'data-acts="copy"' in await jonas.page(f"/inbox/open/{conv(conversation_id)}")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"media": {"kind": "image", "ref": "r"}, "text": "Der Schaden"}, "Foto: Der Schaden"),
        ({"media": {"kind": "voice", "ref": "r"}}, "Sprachnachricht"),
        ({"media": {"kind": "video_note", "ref": "r"}}, "Videonachricht"),
        ({"media": {"kind": "document", "ref": "r"}, "text": "Anbei"}, "Datei: Anbei"),
        ({"place": {"latitude": 1.0, "longitude": 2.0, "title": "Werkstatt"}}, "Standort: Werkstatt"),
        ({"card": {"name": "Bert", "phone": "1"}}, "Kontakt: Bert"),
        ({"option": "1", "text": "Heute"}, "Heute"),
        ({"unsupported": "poll", "text": "?"}, "Umfrage"),
    ],
)
async def test_the_list_names_the_kind(
    hub: HubUnderTest, probe: Connected, jonas: Visitor, event: dict[str, Any], said: str
) -> None:
    """Issue 3.1: a row says what came, with its words."""
    await customer(hub, probe, {"key": "k1", **event})
    assert f'dir="auto">{said}</span>' in (await jonas.page("/inbox/open")).partition("data-rows")[2]


async def test_every_kind_has_its_word_in_both_languages(hub: HubUnderTest, probe: Connected) -> None:
    conversation_id = await receive_everything(hub, probe)
    for locale, words in (("de", "Sprachnachricht abspielen"), ("en", "Play Voice message")):
        visitor = await visit(hub, f"{locale.title()} Person", locale=locale)
        html = await visitor.page(f"/inbox/open/{conv(conversation_id)}")
        assert words in html
        assert "Inhalt der Art" not in html and "Content of kind" not in html


async def test_a_page_of_lines_costs_the_same_however_long(hub: HubUnderTest, probe: Connected) -> None:
    """A fixed number of queries for one line and for forty."""
    conversation_id = await customer(hub, probe, {"key": "k0", "media": {"kind": "image", "ref": "r0"}, "reply_to": "k0"})

    async def count() -> int:
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            asked: list[str] = []
            unit.sql.add_query_logger(lambda record: asked.append(record.query))
            await queries.lines_before(unit, conversation_id, None)
        return len(asked)

    one = await count()
    events = [{"key": f"k{n}", "media": {"kind": "image", "ref": f"r{n}"}, "reply_to": "k0", "at": NOW + n} for n in range(1, 40)]
    await customer(hub, probe, *events)
    assert await count() == one
