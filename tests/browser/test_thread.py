"""What an agent does with messages in a real browser: looks, listens, attaches, answers, changes, takes back, reacts."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from hub.core import ids
from tests.browser.conftest import Site
from tests.browser.files import serve_files
from tests.files import image
from tests.inbox.pages_support import Visitor, conv, visit
from tests.inbox.thread_support import NOW, SEND, customer, picture, receive_everything, set_files, told, uploaded
from tests.support import Connected, HubUnderTest


@pytest.fixture
async def probe(hub: HubUnderTest) -> Connected:
    return await hub.connect("probe")


@pytest.fixture
async def jonas(hub: HubUnderTest) -> Visitor:
    return await visit(hub)


@pytest.fixture
async def provider() -> AsyncIterator[respx.Route]:
    """The probe's provider takes everything."""
    numbers = iter(range(1, 100))
    with respx.mock(assert_all_called=False) as router:
        route = router.post(SEND)
        route.side_effect = lambda request: httpx.Response(200, json={"id": f"o{next(numbers)}", "at": NOW + 60})
        yield route


async def opened(site: Site, who: Visitor, conversation_id: UUID, **options: Any) -> Page:
    page = await (await site.context(who, **options)).new_page()
    await serve_files(page)
    await page.goto(f"{who.base}/inbox/open/{conv(conversation_id)}")
    await page.wait_for_selector("[data-connection=live]", state="attached")
    return page


def bubble(page: Page, text: str) -> Locator:
    return page.locator(".talk .msg[id]", has=page.locator(".bub", has_text=text))


async def width_of(locator: Locator) -> float:
    box = await locator.bounding_box()
    assert box
    return box["width"]


async def test_viewer(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.1: a picture opens over the page with the others of the thread beside it; keys turn, zoom and close, and the focus
    comes back to where it was."""
    page = await opened(site, jonas, await receive_everything(hub, probe))
    second = page.locator("[data-look]").nth(1)
    await second.focus()
    await page.keyboard.press("Enter")
    viewer = page.locator("#viewer")
    await expect(viewer).to_be_visible()
    await expect(viewer.locator("[data-place]")).to_have_text("2 von 7")
    address = await second.get_attribute("data-file")
    await expect(viewer.locator("[data-get]")).to_have_attribute("href", address or "")
    image = viewer.locator("img")
    await expect(image).to_have_js_property("complete", True)
    width = await width_of(image)
    await page.keyboard.press("+")
    assert await width_of(image) > width
    await page.keyboard.press("0")
    assert await width_of(image) == width
    await page.keyboard.press("ArrowLeft")
    await expect(viewer.locator("[data-place]")).to_have_text("1 von 7")
    await expect(viewer.locator("[data-turn='-1']")).to_be_disabled()
    for _ in range(12):  # the focus stays inside
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('#viewer') !== null || document.activeElement === document.body")
    for _ in range(4):
        await page.keyboard.press("ArrowRight")
    await expect(viewer.locator("video")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    assert await page.evaluate("document.activeElement.dataset.look") == "video"


async def test_voice_player(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.1: play and pause, the place by keyboard, a speed that is remembered, one at a time."""
    page = await opened(site, jonas, await receive_everything(hub, probe))
    voice, song = page.locator("[data-voice]").nth(0), page.locator("[data-voice]").nth(1)
    await voice.locator("[data-play]").click()
    await expect(voice).to_have_class("voice plays")
    await expect(voice.locator("[data-play]")).to_have_attribute("aria-label", "Anhalten")
    await song.locator("[data-play]").click()
    await expect(song).to_have_class("voice plays")
    await expect(voice).to_have_class("voice")
    await song.locator("[data-play]").click()
    await expect(song).to_have_class("voice")
    await song.locator(".seek").focus()
    await page.keyboard.press("End")
    await expect(song.locator("[data-time]")).to_have_text("0:02")
    for speed in ("1,5×", "2×"):
        await voice.locator("[data-speed]").click()
        await expect(song.locator("[data-speed]")).to_have_text(speed)
    await page.reload()
    await expect(page.locator("[data-speed]").first).to_have_text("2×")


async def test_spoiler_is_shown_when_asked_for(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    event = {"key": "k1", "text": "Preis 3.900 €", "spans": [[6, 13, "spoiler", ""]]}
    page = await opened(site, jonas, await customer(hub, probe, event))
    hidden = page.locator(".spoiler > span")
    await expect(hidden).to_have_css("opacity", "0")
    await page.locator(".spoiler input").focus()
    await page.keyboard.press("Space")
    await expect(hidden).to_have_css("opacity", "1")


async def test_reply_names_what_it_answers(
    hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor, provider: respx.Route
) -> None:
    """Issue 3.2: by keyboard alone: to the message, R, the text, send. The quote leads back to it, also when it is not loaded."""
    first = {"key": "k0", "text": "Die allererste Frage"}
    lines = [{"key": f"k{number}", "text": f"Zeile {number}", "at": NOW + number} for number in range(1, 120)]
    conversation_id = await customer(hub, probe, first, *lines)
    hub.clock.advance(minutes=5)
    page = await opened(site, jonas, conversation_id)
    await page.locator(".talk .msg").last.focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("r")
    await expect(page.locator("#answering")).to_contain_text("Zeile 118")
    await page.keyboard.press("Escape")
    await expect(page.locator("#answering")).to_be_hidden()
    await page.locator(".talk .msg").last.focus()
    await page.keyboard.press("R")
    await page.keyboard.type("Gern")
    await page.keyboard.press("Control+Enter")
    await expect(bubble(page, "Gern").locator(".quote")).to_contain_text("Zeile 119")
    await hub.settle()
    assert told(provider.calls)[0]["reply_to"] == "k119"
    await customer(hub, probe, {"key": "late", "text": "Und nun?", "reply_to": "k0", "at": NOW + 600})
    await bubble(page, "Und nun?").locator(".quote").click()
    await expect(bubble(page, "Die allererste Frage").first).to_be_in_viewport()
    await expect(page.locator(".msg.flash")).to_contain_text("Die allererste Frage")


async def test_edit_and_delete(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor, provider: respx.Route) -> None:
    """Issue 3.2: the text comes back with its marks, a begun reply stays, and deleting asks first because there is no way back."""
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    await hub.reply(conversation_id, "Das ist *wichtig*")
    await hub.settle()
    page = await opened(site, jonas, conversation_id)
    await page.fill("#text", "Angefangene Antwort")
    mine = bubble(page, "Das ist wichtig")
    await mine.hover()
    await mine.locator("[data-do=menu]").click()
    await page.click("#acts [data-do=edit]")
    await expect(page.locator("#change-text")).to_have_value("Das ist *wichtig*")
    await expect(page.locator("#change-text")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#text")).to_have_value("Angefangene Antwort")
    await mine.hover()
    await mine.locator("[data-do=menu]").click()
    await page.click("#acts [data-do=edit]")
    await page.fill("#change-text", "Das ist _dringend_")
    await page.keyboard.press("Control+Enter")
    await expect(mine.locator(".doing")).to_contain_text("Änderung wird gesendet")
    await expect(page.locator("#text")).to_have_value("Angefangene Antwort")
    await hub.settle()
    changed = bubble(page, "Das ist dringend")
    await expect(changed.locator("i")).to_have_text("dringend")
    await expect(changed.locator(".meta")).to_contain_text("bearbeitet")
    await changed.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    question = page.locator("#take-back")
    await expect(question).to_contain_text("Diese Nachricht löschen?")
    await page.keyboard.press("Escape")
    assert await hub.value("SELECT count(*) FROM message_part WHERE action = 'delete'") == 0
    await changed.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await question.locator(".btn.stop").click()
    await expect(changed.locator(".doing")).to_contain_text("Wird beim Messenger gelöscht")
    await hub.settle()
    await expect(page.locator(".bub.ghost")).to_contain_text("Von Jonas Keller gelöscht")
    assert [one["do"] for one in told(provider.calls)[1:]] == ["edit", "delete"]


async def test_react(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor, provider: respx.Route) -> None:
    """Issue 3.2: eight at hand, the rest behind one click; the same menu takes it back."""
    page = await opened(site, jonas, await customer(hub, probe, {"key": "k1", "text": "Danke"}))
    theirs = bubble(page, "Danke")
    await theirs.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#acts .emojis").first.locator(".emo")).to_have_count(8)
    await expect(page.locator("#acts [data-unreact]")).to_be_hidden()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(theirs.locator(".doing")).to_contain_text("👎")
    await hub.settle()
    await expect(theirs.locator(".react")).to_have_text("👎")
    await theirs.hover()
    await theirs.locator("[data-do=menu]").click()
    await page.click("#acts summary")
    await page.click("#acts .emo[value='🤔']")
    await expect(theirs.locator(".doing")).to_contain_text("🤔")
    await hub.settle()
    await expect(theirs.locator(".react")).to_have_text("🤔")
    await theirs.hover()
    await theirs.locator("[data-do=menu]").click()
    await page.click("#acts [data-unreact]")
    await expect(theirs.locator(".doing")).to_contain_text("zurückgenommen")
    await hub.settle()
    await expect(theirs.locator(".react")).to_have_count(0)


async def take_uploads(page: Page, hub: HubUnderTest, conversation_id: UUID, member_id: UUID) -> list[str]:
    """Answer the page's uploads as the hub does; the ids that were removed again."""
    removed: list[str] = []

    async def upload(route: Route) -> None:
        if route.request.method != "POST":
            await route.fallback()
            return
        name = (route.request.post_data_buffer or b"").split(b'filename="')[1].split(b'"')[0].decode()
        kind, mime = ("image", "image/png") if name.endswith("png") else ("document", "application/pdf")
        file_id = await uploaded(hub, conversation_id, member_id, b"data", name=name, kind=kind, mime=mime)
        shown = ids.show("file", file_id)
        body = {"id": shown, "name": name, "size": 4, "kind": kind, "mime": mime}
        thumb = {"thumb": f"/o/{hub.slug}/files/{shown}/thumb"} if kind == "image" else {}
        await route.fulfill(status=201, body=json.dumps(body | thumb), content_type="application/json")

    async def remove(route: Route) -> None:
        removed.append(route.request.url.split("/")[-2])
        await route.fulfill(status=204)

    await page.route("**/conversations/*/files", upload)
    await page.route("**/files/*/remove", remove)
    return removed


def file(name: str, mime: str, data: bytes = b"data") -> Any:
    return {"name": name, "mimeType": mime, "buffer": data}


async def test_attach_and_send(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor, provider: respx.Route) -> None:
    """Issue 3.2: files are checked before they are uploaded, stand as chips that can be removed, and leave as one message."""
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    page = await opened(site, jonas, conversation_id)
    removed = await take_uploads(page, hub, conversation_id, jonas.member_id)
    await page.set_input_files(
        "#pick", [file("leer.pdf", "application/pdf", b""), file("riesig.pdf", "application/pdf", b"x" * 2_100_000)]
    )
    await expect(page.locator("#wrong")).to_contain_text(
        "leer.pdf ist leer. riesig.pdf ist zu groß: Höchstens 2 MB gehen über Probe."
    )
    await expect(page.locator("#files")).to_be_hidden()
    names = ("vorn.png", "hinten.png", "Angebot.pdf")
    await page.set_input_files("#pick", [file(name, "image/png" if name.endswith("png") else "application/pdf") for name in names])
    await expect(page.locator("#files > li")).to_have_count(3)
    await expect(page.locator("#files img")).to_have_count(2)
    await expect(page.locator("#wrong")).to_be_empty()
    await page.locator("#files > li", has_text="Angebot").locator("button").click()
    await expect(page.locator("#files > li")).to_have_count(2)
    assert len(removed) == 1
    await page.fill("#text", "Beide Seiten")
    await page.click("#send")
    sent = bubble(page, "Beide Seiten")
    await expect(sent.locator(".album .seen")).to_have_count(2)
    await expect(page.locator("#files")).to_be_hidden()
    await hub.settle()
    (told_,) = told(provider.calls)
    assert ([kind for kind, _ in told_["media"]], told_["text"]) == (["image", "image"], "Beide Seiten")


async def test_paste_and_drop(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.2: a picture from the clipboard and files from the desk."""
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    page = await opened(site, jonas, conversation_id)
    await take_uploads(page, hub, conversation_id, jonas.member_id)
    give = """(name, type) => {
        const data = new DataTransfer();
        data.items.add(new File(['data'], name, { type }));
        return data;
    }"""
    await page.evaluate(
        f"""() => {{ const data = ({give})('bild.png', 'image/png');
        document.getElementById('text').dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: data, bubbles: true }})); }}"""
    )
    await expect(page.locator("#files > li")).to_have_count(1)
    await page.evaluate(
        f"""() => {{ const data = ({give})('liste.pdf', 'application/pdf'); const area = document.querySelector('[data-talk]');
        for (const kind of ['dragover', 'drop']) area.dispatchEvent(
            new DragEvent(kind, {{ dataTransfer: data, bubbles: true, cancelable: true }})); }}"""
    )
    await expect(page.locator("#files > li")).to_have_count(2)
    await expect(page.locator("[data-drop-here]")).to_be_hidden()


async def test_a_refused_reply_comes_back_whole(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    """Nothing that was composed is lost: text, files and what is answered stand there again, with the reason."""
    conversation_id = await customer(hub, probe, {"key": "k1", "text": "Hallo"})
    page = await opened(site, jonas, conversation_id)
    await take_uploads(page, hub, conversation_id, jonas.member_id)
    await page.locator(".talk .msg").last.focus()
    await page.keyboard.press("r")
    await page.set_input_files("#pick", [file("Angebot.pdf", "application/pdf")])
    await page.fill("#text", "Anbei")
    await expect(page.locator("#files progress")).to_have_count(0)
    await page.route("**/messages", lambda route: route.fulfill(status=422, json={"error": "invalid_input", "text": "Geht nicht."}))
    await page.click("#send")
    await expect(page.locator("#wrong")).to_contain_text("Geht nicht.")
    await expect(page.locator("#text")).to_have_value("Anbei")
    await expect(page.locator("#files > li")).to_have_count(1)
    await expect(page.locator("#answering")).to_contain_text("Hallo")


async def test_marks_by_keys(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    """Issue 3.2: Ctrl B and I put the signs around whole words and take them away again."""
    page = await opened(site, jonas, await customer(hub, probe, {"key": "k1", "text": "Hallo"}))
    await page.fill("#text", "Das ist sehr wichtig heute")
    await page.evaluate("document.getElementById('text').setSelectionRange(9, 19)")  # inside of two words
    await page.press("#text", "Control+b")
    await expect(page.locator("#text")).to_have_value("Das ist *sehr wichtig* heute")
    await page.press("#text", "Control+b")
    await expect(page.locator("#text")).to_have_value("Das ist sehr wichtig heute")
    await page.press("#text", "End")
    await page.click("[data-tool=emoji]")
    await page.click("#emoji [data-emoji='🚲']")
    await expect(page.locator("#text")).to_have_value("Das ist sehr wichtig heute🚲")


async def test_choice_and_place(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor, provider: respx.Route) -> None:
    """Issue 3.2: a question with answers, at most as many as the messenger takes; a place from the address of a map."""
    page = await opened(site, jonas, await customer(hub, probe, {"key": "k1", "text": "Hallo"}))
    await page.click(".pop.up > summary")
    await page.click("[data-tool=choice]")
    await page.fill("#text", "Wann passt es?")
    options = page.locator("#choice input")
    await options.nth(0).fill("Heute")
    await options.nth(0).press("Enter")
    await page.keyboard.type("Morgen")
    await options.nth(2).fill("Nie")
    await expect(page.locator("#choice [data-more]")).to_be_disabled()
    await page.click("#send")
    await expect(bubble(page, "Wann passt es?").locator(".choices li")).to_have_text(["Heute", "Morgen", "Nie"])
    await expect(page.locator("#choice")).to_be_hidden()
    await page.click(".pop.up > summary")
    await page.click("[data-tool=place]")
    await page.fill("#place-paste", "https://maps.app.goo.gl/abc")
    await expect(page.locator("#place .err")).to_contain_text("Darin stehen keine Koordinaten.")
    await page.fill("#place-paste", "https://www.openstreetmap.org/#map=16/47.54600/9.68400")
    await expect(page.locator("#place-lat")).to_have_value("47,546")
    await page.fill("#place-name", "Werkstatt")
    await page.click("#place [type=submit]")
    await expect(page.locator("#place")).to_be_hidden()
    await expect(bubble(page, "Werkstatt")).to_contain_text("47,54600 N, 9,68400 O")
    await hub.settle()
    question, place = told(provider.calls)
    assert question["options"] == [["1", "Heute"], ["2", "Morgen"], ["3", "Nie"]]
    assert place["place"] == [47.546, 9.684, "Werkstatt"]


async def test_times_and_cards(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor, provider: respx.Route) -> None:
    """By keyboard: the next time begins where the one before ends, and a frame that was refused comes back as it was. A card with
    its picture goes behind the words."""
    page = await opened(site, jonas, await customer(hub, probe, {"key": "k1", "text": "Hallo"}))
    await page.click(".pop.up > summary")
    await page.click("[data-tool=times]")
    await page.fill("#text", "Wann passt es?")
    slots = page.locator("#times [name=slot]")
    await slots.nth(0).fill("2020-05-01T10:00")  # over
    await slots.nth(0).press("Enter")
    await expect(slots.nth(1)).to_have_value("2020-05-01T10:30")
    await expect(slots.nth(1)).to_be_focused()
    await expect(page.locator("#times [data-shown] li").nth(1)).to_have_text("Fr., 1. Mai um 10:30 · 30 Minuten")
    await page.click("#send")
    await expect(page.locator("#wrong")).to_contain_text("schon vorbei")
    await expect(slots.nth(1)).to_have_value("2020-05-01T10:30")
    await slots.nth(0).fill("2050-05-02T10:00")
    await slots.nth(1).fill("2050-05-01T10:00")
    await page.select_option("#times-minutes", "45")
    await page.click("#send")
    chips = bubble(page, "Wann passt es?").locator(".choices li")
    await expect(chips).to_have_text(["01.05.2050, 10:00 · 45 Minuten", "02.05.2050, 10:00 · 45 Minuten"])
    await expect(page.locator("#times")).to_be_hidden()
    await page.click(".pop.up > summary")
    await page.click("[data-tool=cards]")
    await page.fill("[name=card_title]", "Stadtrad")
    await page.click("#send")
    await expect(page.locator("#wrong")).to_contain_text("Eine Überschrift allein ist keine Karte")
    await page.locator("[name=card_option]").nth(0).fill("Reservieren")
    picked: FilePayload = {"name": "rad.png", "mimeType": "image/png", "buffer": image("PNG", (40, 30))}
    await page.set_input_files("[name=card_picture]", files=[picked])
    await expect(page.locator("#cards .small img")).to_be_visible()
    await page.fill("#text", "Im Angebot:")
    await page.press("#text", "Control+Enter")
    card = bubble(page, "Stadtrad")
    await expect(card).to_contain_text("Reservieren")
    await expect(card.locator(".fi img")).to_be_visible()
    await hub.settle()
    times, words, cards = told(provider.calls)
    assert times["slots"][0] == ["1", "2050-05-01T10:00:00+02:00", 45]
    assert words["text"] == "Im Angebot:" and cards["cards"] == [["Stadtrad", "", ["Reservieren"]]]


async def test_a_fetched_picture_takes_its_place_without_a_jump(
    hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor
) -> None:
    """Look 7: the place is kept free while a file is fetched; what stands below does not move when it comes."""
    conversation_id = await customer(
        hub, probe, {"key": "k1", "media": picture("p1")}, {"key": "k2", "text": "Sehen Sie?", "at": NOW + 9}
    )
    page = await opened(site, jonas, conversation_id)
    before = await bubble(page, "Sehen Sie?").bounding_box()
    await set_files(hub, "stored", "p1", has_thumbnail=True)
    await page.reload()
    await expect(page.locator(".talk img")).to_have_js_property("complete", True)
    assert await bubble(page, "Sehen Sie?").bounding_box() == before


async def test_typing_is_told_while_a_reply_is_written(hub: HubUnderTest, site: Site, probe: Connected, jonas: Visitor) -> None:
    """At most every four seconds, and never for a note."""
    page = await opened(site, jonas, await customer(hub, probe, {"key": "k1", "text": "Hallo"}))
    told_: list[str] = []
    page.on("request", lambda request: told_.append(request.url) if request.url.endswith("/typing") else None)
    await page.click("#reply [data-mode=note]")
    await page.locator("#note-text").press_sequentially("intern")
    assert told_ == []
    await page.click("#note [data-mode=reply]")
    await page.locator("#text").press_sequentially("Guten Tag")
    await expect(page.locator("#text")).to_have_value("Guten Tag")
    assert len(told_) == 1
