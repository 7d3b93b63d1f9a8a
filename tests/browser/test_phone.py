"""The phone page of the sandbox in a real browser: to be a customer, to see the bot answer, and to make things go wrong."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect
from starlette.responses import Response

from hub.sandbox.app import create_sandbox_app
from hub.sandbox.telegram.webhook import Options
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.sandbox.support import BOT, SECRET, TOKEN, Hook, Simulated, serve_app


@dataclass
class Phone:
    """The page, the simulator behind it, and the bot's webhook."""

    page: Page
    simulated: Simulated
    hook: Hook
    errors: list[str] = field(default_factory=list)

    def bubble(self, text: str) -> Any:
        return self.page.locator(".talk .msg", has_text=text)

    async def faults(self) -> set[str]:
        return set((await self.simulated.control("GET", f"/bots/{BOT}"))["faults"])


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    sandbox = create_sandbox_app(options=Options(set_webhook_interval=0, retry_delay=lambda *_: 60))
    hook = Hook()
    async with (
        serve_app(sandbox) as address,
        serve_app(hook) as hook.address,
        httpx.AsyncClient(trust_env=False) as http,
        async_playwright() as playwright,
    ):
        simulated = Simulated(sandbox, address, http)
        await simulated.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
        await simulated.person(501, "Aylin", last_name="Yıldırım")
        await simulated.person(502, "Deniz", last_name="Arslan")
        await simulated.call("setWebhook", url=hook.address, secret_token=SECRET)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(base_url=address, viewport={"width": 1440, "height": 900}, locale="de-DE")
        page.set_default_timeout(8_000)
        one = Phone(page, simulated, hook)
        page.on("pageerror", lambda error: one.errors.append(str(error)))
        await page.goto("/")
        yield one
        await browser.close()
        await sandbox.stop()
    assert not one.errors


async def choose(phone: Phone, name: str) -> None:
    await phone.page.get_by_label("Person", exact=True).select_option(label=name)


async def test_write_and_be_answered(phone: Phone) -> None:
    """A person is chosen, what they write reaches the bot and is ticked, and its answer appears by itself."""
    await choose(phone, "Deniz Arslan")
    await expect(phone.page.get_by_label("Nachricht")).to_have_value("/start")
    await phone.page.get_by_label("Nachricht").fill("/start pfaender-prospekt")
    await phone.page.get_by_label("Nachricht").press("Enter")
    arrived = await phone.hook.wait_for(1)
    assert arrived[0].text == "/start pfaender-prospekt"
    assert arrived[0].update["message"]["entities"] == [{"offset": 0, "length": 6, "type": "bot_command"}]
    await expect(phone.bubble("/start pfaender-prospekt").locator(".tick.accepted")).to_be_visible()
    await expect(phone.page.locator("#webhook")).to_contain_text("200 in")

    await phone.simulated.call("sendChatAction", chat_id=502, action="typing")
    await expect(phone.page.get_by_role("img", name="Der Bot schreibt")).to_be_visible()
    await phone.simulated.call("sendMessage", chat_id=502, text="Willkommen beim Radwerk!")
    await expect(phone.bubble("Willkommen beim Radwerk!")).to_be_visible()
    await choose(phone, "Aylin Yıldırım")
    await expect(phone.bubble("Willkommen beim Radwerk!")).to_have_count(0)


async def test_block_and_unblock(phone: Phone) -> None:
    """A blocked bot gets no more text, and the bot is told about both."""
    await choose(phone, "Aylin Yıldırım")
    await phone.page.get_by_role("button", name="Start drücken").click()
    await phone.hook.wait_for(1)
    await phone.page.get_by_role("button", name="Bot blockieren").click()
    await expect(phone.page.get_by_label("Nachricht")).to_be_disabled()
    await expect(phone.page.locator(".talk .event")).to_contain_text("Aylin hat den Bot blockiert")
    assert (await phone.simulated.call("sendMessage", chat_id=501, text="x")).status_code == 403
    await phone.page.get_by_role("button", name="Bot freigeben").click()
    await expect(phone.page.get_by_label("Nachricht")).to_be_enabled()
    arrived = await phone.hook.wait_for(3)
    assert [one.update["my_chat_member"]["new_chat_member"]["status"] for one in arrived[1:]] == ["kicked", "member"]


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Zustellung doppelt", "duplicate"),
        ("Reihenfolge vertauschen", "reorder"),
        ("429 für 20 Sekunden", "rate_limited"),
        ("Fehler 500 vor der Annahme", "server_error"),
        ("Zeitüberschreitung nach Annahme", "lost_answer"),
        ("Antwort 3 Sekunden später", "slow"),
        ("403 wie blockiert", "blocked"),
    ],
)
async def test_each_fault_has_its_switch(phone: Phone, label: str, kind: str) -> None:
    """Switching shows at once how many are on, and reaches the simulator in both directions."""
    await phone.page.get_by_role("switch", name=label).check()
    await expect(phone.page.locator("#faults-on")).to_have_text("1 an")
    assert await phone.faults() == {kind}
    await phone.page.get_by_role("switch", name=label).uncheck()
    await expect(phone.page.locator("#faults-on")).to_be_hidden()
    assert await phone.faults() == set()


async def test_a_delivery_that_fails_is_told(phone: Phone) -> None:
    """The hub answers 503: the page says so and that it is tried again; the message waits."""
    phone.hook.answer = lambda _: Response(status_code=503)
    await choose(phone, "Aylin Yıldırım")
    await phone.page.get_by_label("Nachricht").fill("Hört mich jemand?")
    await phone.page.get_by_role("button", name="Senden").click()
    await expect(phone.page.locator("#webhook")).to_contain_text("der Hub antwortete 503")
    await expect(phone.page.locator("#webhook")).to_contain_text("1 in der Warteschlange")
    await expect(phone.bubble("Hört mich jemand?").locator(".tick.waiting")).to_be_visible()


async def test_new_person_other_contents_and_edit(phone: Phone) -> None:
    """A new person introduces themselves, sends what is no text, and mends their last message."""
    await phone.page.get_by_label("Person", exact=True).select_option(label="Neue Person …")
    await phone.page.get_by_label("Name der neuen Person").fill("Karin Bilgeri")
    await phone.page.get_by_role("button", name="Anlegen").click()
    await expect(phone.page.get_by_label("Nachricht")).to_be_enabled()
    await phone.page.get_by_label("Nachricht").fill("Gutten Tag")
    await phone.page.get_by_label("Nachricht").press("Enter")
    await expect(phone.bubble("Gutten Tag")).to_be_visible()
    await phone.page.get_by_role("button", name="Letzte ändern").click()
    await phone.page.get_by_label("Nachricht").fill("Guten Tag")
    await phone.page.get_by_label("Nachricht").press("Enter")
    await expect(phone.bubble("Guten Tag")).to_contain_text("bearbeitet")
    for button, shown in (("Standort", "Standort"), ("Kontakt", "Kontakt"), ("Unbekannte Art", "Inhalt der Art „hologram“")):
        await phone.page.get_by_role("button", name=button).click()
        await expect(phone.bubble(shown)).to_be_visible()
    arrived = await phone.hook.wait_for(5)
    assert {name for one in arrived for name in one.update if name != "update_id"} == {"message", "edited_message"}


async def test_markup_is_text(phone: Phone) -> None:
    """What a bot writes runs nowhere."""
    await choose(phone, "Aylin Yıldırım")
    await phone.page.get_by_role("button", name="Start drücken").click()
    await phone.hook.wait_for(1)  # before that the bot may not write
    bad = "<img src=x onerror=\"document.title='pwned'\"><b>fett</b>"
    await phone.simulated.call("sendMessage", chat_id=501, text=bad)
    await expect(phone.bubble(bad)).to_be_visible()
    assert await phone.page.title() != "pwned"


@pytest.mark.parametrize("width", [390, 1440])
async def test_every_width(phone: Phone, width: int) -> None:
    """Look 12: nothing runs out of the page; the text field is large enough that a phone does not zoom into it."""
    await phone.page.set_viewport_size({"width": width, "height": 844})
    await choose(phone, "Aylin Yıldırım")
    await phone.simulated.write(501, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2)
    await expect(phone.bubble("Donaudampf")).to_be_visible()
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= width
