"""The phone page of the sandbox in a real browser: to be a customer on any messenger, and to see the business answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from playwright.async_api import Page, async_playwright, expect
from starlette.responses import Response

from hub.sandbox.app import create_sandbox_app
from hub.sandbox.messengers import PhoneButton, PhoneSpan
from hub.sandbox.telegram import simulator as telegram
from hub.sandbox.telegram.updates import UPDATE_KINDS
from hub.sandbox.telegram.webhook import Options
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.sandbox.fake import AYLIN, FakeSimulator
from tests.sandbox.support import BOT, PATIENCE_SECONDS, SECRET, TOKEN, Hook, Simulated, serve_app

HERE = f"/?connector=telegram&account={BOT}&person=501"


@dataclass
class Phone:
    """The page, the simulators behind it, and the bot's webhook."""

    page: Page
    simulated: Simulated
    hook: Hook
    fake: FakeSimulator
    heard: list[dict[str, Any]]
    """What the business on the other messenger got to know."""
    errors: list[str] = field(default_factory=list)

    def bubble(self, text: str) -> Any:
        return self.page.locator(".talk .msg", has_text=text)

    @property
    def text(self) -> Any:
        return self.page.get_by_label("Nachricht", exact=True)

    async def write(self, text: str) -> None:
        await self.text.fill(text)
        await self.text.press("Enter")

    async def attach(self, label: str) -> None:
        """Send what the attach menu offers under this name."""
        await self.page.get_by_label("Anhängen").click()
        await self.page.locator(".attach-menu").get_by_role("button", name=label, exact=True).click()

    async def extra(self, label: str) -> None:
        """Send what only this messenger has."""
        drawer = self.page.locator("#of-extras")
        if not await drawer.evaluate("node => node.open"):
            await drawer.locator("summary").click()
        await drawer.get_by_role("button", name=label, exact=True).click()

    async def becomes(self, script: str) -> None:
        """Ask the page again and again until it says yes: its policy lets no function of ours wait inside it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.page.evaluate(script):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def choose_fake(self) -> None:
        await self.page.get_by_role("radio", name="Fake").check(force=True)
        await expect(self.page.locator("#address")).to_have_text("Fake · @radwerk")


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    options = Options(set_webhook_interval=0, retry_delay=lambda *_: 60)
    hook = Hook()
    heard: list[dict[str, Any]] = []

    def hear(request: httpx.Request) -> httpx.Response:
        heard.append(orjson.loads(request.content))
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(hear)) as to_hub:
        fake = FakeSimulator(to_hub, "http://hub.example/hooks/fake")
        sandbox = create_sandbox_app(create=lambda http: [fake, telegram.create(http, options)])
        async with (
            serve_app(sandbox) as address,
            serve_app(hook) as hook.address,
            httpx.AsyncClient(trust_env=False) as http,
            async_playwright() as playwright,
        ):
            simulated = Simulated(sandbox, address, http)
            await simulated.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
            await simulated.person(501, "Aylin", last_name="Yıldırım")
            await simulated.person(502, "Deniz", last_name="Ersoy")
            await simulated.call("setWebhook", url=hook.address, secret_token=SECRET)
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page(base_url=address, viewport={"width": 1440, "height": 900}, locale="de-DE")
            page.set_default_timeout(8_000)
            one = Phone(page, simulated, hook, fake, heard)
            page.on("pageerror", lambda error: one.errors.append(str(error)))
            await page.goto(HERE)
            await expect(page.locator("#title")).to_have_text("Muster Optik")
            yield one
            await browser.close()
            await sandbox.stop()
        assert not one.errors


async def choose(phone: Phone, name: str) -> None:
    await phone.page.get_by_label("Person", exact=True).select_option(label=name)


async def test_write_and_be_answered(phone: Phone) -> None:
    """A person is chosen, what they write reaches the bot and is ticked, and its answer appears by itself."""
    await choose(phone, "Deniz Ersoy")
    await phone.write("/start pfaender-prospekt")
    arrived = await phone.hook.wait_for(1)
    assert arrived[0].text == "/start pfaender-prospekt"
    assert arrived[0].update["message"]["entities"] == [{"offset": 0, "length": 6, "type": "bot_command"}]
    await expect(phone.bubble("/start pfaender-prospekt").locator(".tick.delivered")).to_be_visible()
    await expect(phone.page.locator("#webhook")).to_contain_text("· 200")

    await phone.simulated.call("sendChatAction", chat_id=502, action="typing")
    await expect(phone.page.get_by_role("img", name="Das Unternehmen schreibt")).to_be_visible()
    await phone.simulated.call("sendMessage", chat_id=502, text="Willkommen beim Radwerk!")
    await expect(phone.bubble("Willkommen beim Radwerk!")).to_be_visible()
    await choose(phone, "Aylin Yıldırım")
    await expect(phone.bubble("Willkommen beim Radwerk!")).to_have_count(0)


async def test_another_messenger_offers_what_it_has(phone: Phone) -> None:
    """The messenger is chosen by its sign; acts that it does not have are not shown, and the address keeps the choice."""
    buttons = phone.page.locator("#acts").get_by_role("button")
    await expect(buttons).to_have_text(["Letzte ändern", "Blockieren"])
    await expect(phone.page.locator("#phone")).to_have_attribute("data-mark", "tg")
    await phone.choose_fake()
    await expect(phone.page.locator("#phone")).to_have_attribute("data-mark", "sms")
    await expect(buttons).to_have_text(["Alles lesen", "Letzte ändern", "Letzte löschen", "Blockieren"])
    await expect(phone.page.locator("#extras-title")).to_have_text("Nur auf Fake")
    await phone.page.reload()
    await expect(phone.page.locator("#address")).to_have_text("Fake · @radwerk")


async def test_two_accounts_of_one_messenger(phone: Phone) -> None:
    await phone.page.get_by_label("Konto", exact=True).select_option(label="Radwerk Lindau · @radwerk_lindau_bot")
    await expect(phone.page.locator("#title")).to_have_text("Radwerk Lindau")
    await phone.choose_fake()
    await expect(phone.page.get_by_label("Konto", exact=True)).to_be_hidden()


async def test_every_act_of_a_messenger(phone: Phone) -> None:
    """Typing is told while somebody types; reaction, deletion, reading and what only this messenger has reach the business."""
    await phone.choose_fake()
    await phone.text.type("Ha")
    await phone.write("Hallo")
    await expect(phone.bubble("Hallo").locator(".tick.sent")).to_be_visible()
    asked = phone.fake.phone.say(AYLIN, "Passt Dienstag?", (PhoneButton(id="1", label="Ja", description="um 10 Uhr"),))
    bubble = phone.bubble("Passt Dienstag?")
    await bubble.hover()
    await bubble.get_by_role("button", name="Reagieren").click()
    await bubble.get_by_role("button", name="👍").click()
    await expect(bubble.locator(".react")).to_have_text("👍")
    await bubble.get_by_role("button", name="Ja um 10 Uhr").click()
    await phone.page.get_by_role("button", name="Alles lesen").click()
    await phone.extra("Sandbox-Telefon")
    await phone.page.get_by_role("button", name="Letzte löschen").click()
    await expect(phone.page.locator(".talk .msg.out")).to_contain_text("Gelöscht")
    await phone.fake.courier.settled()
    assert phone.heard == [
        {"typing": True},
        {"line": "line/0=", "text": "Hallo"},
        {"typing": False},
        {"pressed": "1"},
        {"read": AYLIN},
        {"extra": "order"},
    ]
    assert phone.fake.phone.chat("acc-1", AYLIN).lines[1].id == asked.id


async def test_reply_and_styles(phone: Phone) -> None:
    """A reply names the message it belongs to; parts in another style count characters, also behind an emoji."""
    await phone.choose_fake()
    spans = (PhoneSpan(start=2, end=7, style="bold"), PhoneSpan(start=8, end=12, style="link", url="https://radwerk.example"))
    phone.fake.phone.say(AYLIN, "😀 Guten Link", spans=spans)
    bubble = phone.bubble("Guten Link")
    await expect(bubble.locator("b")).to_have_text("Guten")
    await expect(bubble.get_by_role("link", name="Link")).to_have_attribute("href", "https://radwerk.example")
    await bubble.hover()
    await bubble.get_by_role("button", name="Antworten").click()
    await expect(phone.page.locator("#mode")).to_contain_text("Antwort auf: 😀 Guten Link")
    await phone.write("Danke")
    await expect(phone.bubble("Danke").locator(".quote")).to_have_text("😀 Guten Link")


async def test_block_and_unblock(phone: Phone) -> None:
    """A blocked bot gets no more text, and the bot is told about both."""
    await phone.write("/start")
    await phone.hook.wait_for(1)
    await phone.page.get_by_role("button", name="Blockieren").click()
    await expect(phone.text).to_be_disabled()
    await expect(phone.page.locator(".talk .event")).to_contain_text("Das Unternehmen wurde blockiert")
    assert (await phone.simulated.call("sendMessage", chat_id=501, text="x")).status_code == 403
    await phone.page.get_by_role("button", name="Freigeben").click()
    await expect(phone.text).to_be_enabled()
    arrived = await phone.hook.wait_for(3)
    assert [one.update["my_chat_member"]["new_chat_member"]["status"] for one in arrived[1:]] == ["kicked", "member"]


async def test_each_fault_has_its_switch(phone: Phone) -> None:
    """Switching shows at once how many are on, and reaches the simulator in both directions."""
    faults = phone.simulated.world.faults
    await phone.page.locator("#of-faults summary").click()
    switches = phone.page.locator("#faults").get_by_role("switch")
    await expect(switches).to_have_count(len(faults.kinds))
    for number, kind in enumerate(faults.kinds):
        await switches.nth(number).check()
        await expect(phone.page.locator("#faults-on")).to_have_text("1 an")
        assert set(faults.active()) == {kind}
        await switches.nth(number).uncheck()
        await expect(phone.page.locator("#faults-on")).to_be_hidden()
        assert faults.active() == {}


async def test_a_delivery_that_fails_is_told(phone: Phone) -> None:
    """The hub answers 503: the page says so and that it waits; the message is not ticked as delivered."""
    phone.hook.answer = lambda _: Response(status_code=503)
    await phone.write("Hört mich jemand?")
    await expect(phone.page.locator("#webhook")).to_contain_text("der Hub antwortete 503")
    await expect(phone.page.locator("#webhook")).to_contain_text("1 in der Warteschlange")
    await expect(phone.bubble("Hört mich jemand?").locator(".tick.sent")).to_be_visible()
    await phone.page.locator("#of-deliveries summary").click()
    await expect(phone.page.locator("#deliveries li").first).to_contain_text("der Hub antwortete 503")


async def test_new_person_and_edit(phone: Phone) -> None:
    """A new person introduces themselves and mends their last message."""
    await phone.page.get_by_label("Person", exact=True).select_option(label="Neue Person …")
    await phone.page.get_by_label("Name der neuen Person").fill("Hanna Bilgeri")
    await phone.page.get_by_role("button", name="Anlegen").click()
    await expect(phone.text).to_be_enabled()
    await phone.write("Gutten Tag")
    await expect(phone.bubble("Gutten Tag")).to_be_visible()
    await phone.page.get_by_role("button", name="Letzte ändern").click()
    await phone.write("Guten Tag")
    await expect(phone.bubble("Guten Tag")).to_contain_text("bearbeitet")
    arrived = await phone.hook.wait_for(2)
    assert [list(one.update)[1] for one in arrived] == ["message", "edited_message"]


ATTACHED = [
    ("Foto", "photo", "img[alt=Foto]"),
    ("Video", "video", "video[controls]"),
    ("Sprachnachricht", "voice", ".voice button"),
    ("Musik", "audio", ".voice button"),
    ("Dokument", "document", "a.attach[download='Rechnung März.pdf']"),
    ("Standort", "location", "svg.map"),
    ("Kontakt", "contact", ".attach"),
]
EXTRAS = [
    ("GIF", "animation", "video"),
    ("Videonachricht", "video_note", "video"),
    ("Datei über 20 MB", "document", "a.attach[download='Werkstatthandbuch.pdf']"),
    ("Sticker", "sticker", ".bare img"),
    ("Animierter Sticker", "sticker", ".bare img"),
    ("Video-Sticker", "sticker", ".bare video"),
    ("Live-Standort", "location", "svg.map"),
    ("Ort", "venue", "svg.map"),
    ("Eigener Kontakt", "contact", ".attach"),
    ("Umfrage", "poll", ".txt"),
    ("Würfel", "dice", ".txt"),
    ("Unbekannte Art", "hologram", ".txt"),
]


async def test_everything_that_is_offered(phone: Phone) -> None:
    """Each kind reaches the bot under its name and stands on the phone as what it is; pictures and films can really be shown."""
    for number, (label, kind, shown) in enumerate([*ATTACHED, *EXTRAS], 1):
        await (phone.attach(label) if number <= len(ATTACHED) else phone.extra(label))
        arrived = await phone.hook.wait_for(number)
        assert kind in arrived[-1].update["message"]
        await expect(phone.page.locator(".talk .msg")).to_have_count(number)
        await expect(phone.page.locator(".talk .msg").last.locator(shown).first).to_be_visible()
    await phone.page.evaluate("document.querySelectorAll('.talk img').forEach((one) => (one.loading = 'eager'))")
    await phone.becomes(
        "[...document.querySelectorAll('.talk img')].every((one) => one.complete && one.naturalWidth > 0)"
        " && [...document.querySelectorAll('.talk video')].every((one) => one.readyState > 0)"
    )


async def test_album_voice_and_live_location(phone: Phone) -> None:
    """An album is one bubble with a grid; a voice plays; a live location walks on as an edit."""
    await phone.extra("Album")
    await expect(phone.page.locator(".album > *")).to_have_count(4)
    await expect(phone.bubble("Vier Ansichten")).to_have_count(1)
    await phone.attach("Sprachnachricht")
    await phone.page.get_by_role("button", name="Abspielen: Sprachnachricht").click()
    await phone.becomes("document.querySelector('.voice audio').currentTime > 0")
    await phone.extra("Live-Standort")
    await phone.extra("Weitergehen")
    arrived = await phone.hook.wait_for(7)
    assert arrived[-1].update["edited_message"]["location"]["live_period"] == 900


async def test_buttons_spin_until_they_are_answered(phone: Phone) -> None:
    """A pressed button turns until the bot answers; the answer is told; a key of the keyboard below sends its text."""
    await phone.write("/start")
    await phone.hook.wait_for(1)
    inline = {"inline_keyboard": [[{"text": "Passt", "callback_data": "ok"}, {"text": "Mehr", "url": "https://muster.example"}]]}
    await phone.simulated.call("sendMessage", chat_id=501, text="Termin um 10?", reply_markup=inline)
    await phone.page.get_by_role("button", name="Passt").click()
    await expect(phone.page.locator(".keys .spin")).to_be_visible()
    query = (await phone.hook.wait_for(2))[1].update["callback_query"]["id"]
    await phone.simulated.call("answerCallbackQuery", callback_query_id=query, text="Eingetragen")
    await expect(phone.page.locator(".talk .event")).to_have_text("Antwort auf die Taste: Eingetragen")
    await expect(phone.page.locator(".keys .spin")).to_have_count(0)
    await expect(phone.page.get_by_role("link", name="Mehr")).to_have_attribute("href", "https://muster.example")
    keys = {"keyboard": [["Ja", "Nein"]], "one_time_keyboard": True}
    await phone.simulated.call("sendMessage", chat_id=501, text="Wirklich?", reply_markup=keys)
    await phone.bubble("Wirklich?").get_by_role("button", name="Ja").click()
    assert (await phone.hook.wait_for(3))[2].text == "Ja"
    await expect(phone.bubble("Wirklich?").get_by_role("button", name="Nein")).to_have_count(0)


async def test_what_the_bot_does_shows(phone: Phone) -> None:
    """Formatting, a file, an edit, a reaction; what it deletes is gone."""
    own = (await phone.simulated.write(501, "Hallo"))["message_id"]
    sent = (await phone.simulated.call("sendMessage", chat_id=501, text="<b>Guten</b> Tag", parse_mode="HTML")).json()["result"]
    await expect(phone.bubble("Guten Tag").locator("b")).to_have_text("Guten")
    await phone.simulated.call("editMessageText", chat_id=501, message_id=sent["message_id"], text="Grüß Gott")
    await expect(phone.bubble("Grüß Gott")).to_contain_text("bearbeitet")
    await phone.simulated.call("setMessageReaction", chat_id=501, message_id=own, reaction=[{"type": "emoji", "emoji": "👍"}])
    await expect(phone.bubble("Hallo").locator(".react")).to_have_text("👍")
    await phone.simulated.http.post(
        f"{phone.simulated.address}/bot{TOKEN}/sendDocument", data={"chat_id": 501}, files={"document": ("angebot.txt", b"hallo")}
    )
    async with phone.page.expect_download() as saved:
        await phone.page.get_by_role("link", name="angebot.txt").click()
    assert (await (await saved.value).path()).read_bytes() == b"hallo"
    await phone.simulated.call("deleteMessage", chat_id=501, message_id=sent["message_id"])
    await expect(phone.bubble("Grüß Gott")).to_have_count(0)


async def test_files_from_disk_and_a_reply(phone: Phone) -> None:
    """Any file goes out with its own bytes; a reply names the message it belongs to."""
    await phone.write("/start")
    await phone.hook.wait_for(1)
    await phone.simulated.call("sendMessage", chat_id=501, text="Schicken Sie mir die Liste?")
    await phone.bubble("Schicken Sie mir").hover()
    await phone.bubble("Schicken Sie mir").get_by_role("button", name="Antworten").click()
    await expect(phone.page.locator("#mode")).to_contain_text("Antwort auf: Schicken Sie mir die Liste?")
    files = [{"name": "Liste.csv", "mimeType": "text/csv", "buffer": b"a;b"}]
    await phone.page.locator("#disk").set_input_files(files)  # type: ignore[arg-type]
    message = (await phone.hook.wait_for(2))[1].update["message"]
    assert (message["document"]["file_name"], message["document"]["mime_type"]) == ("Liste.csv", "text/csv")
    assert message["reply_to_message"]["text"] == "Schicken Sie mir die Liste?"
    told = (await phone.simulated.call("getFile", file_id=message["document"]["file_id"])).json()["result"]
    answer = await phone.simulated.http.get(f"{phone.simulated.address}/file/bot{TOKEN}/{told['file_path']}")
    assert answer.content == b"a;b"


async def test_elsewhere(phone: Phone) -> None:
    """Groups, channels and business accounts: each deed makes its updates, and the chat tells of them."""
    await phone.simulated.call(
        "setWebhook",
        url=phone.hook.address,
        allowed_updates=[kind for kind in UPDATE_KINDS if not kind.startswith("chat")],
    )
    for name, line in (
        ("In der Gruppe reagieren", "Reaktion in der Gruppe"),
        ("Im Kanal schreiben", "Beitrag im Kanal"),
        ("Kunde ändert es", "Business-Nachricht geändert"),
        ("Kunde löscht es", "Business-Nachricht gelöscht"),
    ):
        await phone.extra(name)
        await expect(phone.page.locator(".talk .event", has_text=line).last).to_be_visible()
    await phone.simulated.settled()
    kinds = {list(one.update)[1] for one in phone.hook.arrived}
    assert kinds >= {"message", "message_reaction", "channel_post", "edited_business_message", "deleted_business_messages"}


async def test_markup_is_text(phone: Phone) -> None:
    """What a bot writes runs nowhere."""
    await phone.write("/start")
    await phone.hook.wait_for(1)  # before that the bot may not write
    bad = "<img src=x onerror=\"document.title='pwned'\"><b>fett</b>"
    await phone.simulated.call("sendMessage", chat_id=501, text=bad)
    await expect(phone.bubble(bad)).to_be_visible()
    assert await phone.page.title() != "pwned"


@pytest.mark.parametrize("width", [390, 1440])
async def test_every_width(phone: Phone, width: int) -> None:
    """Look 12: nothing runs out of the page; the text field is large enough that a phone does not zoom into it."""
    await phone.page.set_viewport_size({"width": width, "height": 844})
    await phone.simulated.write(501, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2)
    await expect(phone.bubble("Donaudampf")).to_be_visible()
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= width
