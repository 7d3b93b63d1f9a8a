"""The website chat in a real browser: a shop on another origin embeds it, a visitor writes, an agent answers (R-297)."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import BrowserContext, Page, Request, Response, expect
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse
from starlette.routing import Route

from hub.core import ids
from hub.core.limits import Limit
from hub.webchat import limits
from tests.browser.conftest import Site
from tests.browser.test_axe import TAGS, VENDOR, violations
from tests.files import PDF, image
from tests.inbox.pages_support import conv, visit
from tests.sandbox.support import serve_app
from tests.support import Connected, HubUnderTest
from tests.webchat.support import attach, connect_chat

STRICT = (
    "default-src 'none'; script-src {hub}; connect-src {hub}; img-src {hub}; style-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass
class Shop:
    """A website of its own that shows the chat, and who visits it."""

    hub: HubUnderTest
    site: Site
    address: str
    channel: Connected
    policy: str = ""
    lang: str = "de"
    asked: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return ids.show("chn", self.channel.id)

    @property
    def script(self) -> str:
        return f"{self.site.address}/webchat/{self.key}.js"

    def page(self, request: Asked) -> HTMLResponse:
        headers = {"content-security-policy": self.policy} if self.policy else None
        html = (
            f'<!doctype html><html lang="{self.lang}"><head><title>Radwerk</title>'
            '<meta name="viewport" content="width=device-width">'
            f'<link rel="icon" href="data:,"><script type="module" src="{self.script}"></script></head><body><main><h1>Räder</h1>'
            '<p><a href="#">Tourenrad</a> mit 27 Gängen</p></main></body></html>'
        )
        return HTMLResponse(html, headers=headers)

    async def browser(self, **options: Any) -> BrowserContext:
        """A visitor's browser. Errors of its pages fail the test; what it asks the hub is noted."""
        size = {"width": 1440, "height": 900}
        context = await self.site.browser.new_context(**{"viewport": size, "reduced_motion": "reduce", **options})
        context.set_default_timeout(8_000)
        context.on("weberror", lambda error: self.site.errors.append(str(error.error)))
        context.on("request", self._note)
        await context.add_init_script(path=VENDOR / "axe.min.js")
        return context

    def _note(self, request: Request) -> None:
        if request.url.startswith(self.site.address):
            self.asked.append(f"{request.method} {request.url.removeprefix(self.site.address)}")

    async def visit(self, context: BrowserContext | None = None) -> Page:
        page = await (context or await self.browser()).new_page()
        await page.goto(self.address)
        return page

    async def conversation(self) -> UUID:
        found: UUID = await self.hub.value("SELECT id FROM conversation WHERE channel_id = $1", self.channel.id)
        return found

    async def answer(self, text: str, **options: Any) -> UUID:
        message = await self.hub.reply(await self.conversation(), text, **options)
        await self.hub.settle()
        return message


@pytest.fixture
async def shop(hub: HubUnderTest, site: Site) -> AsyncIterator[Shop]:
    async with contextlib.AsyncExitStack() as stack:
        made: list[Shop] = []
        address = await stack.enter_async_context(serve_app(Starlette(routes=[Route("/", lambda request: made[0].page(request))])))
        made.append(Shop(hub, site, address, await connect_chat(hub, origins=address)))
        yield made[0]


def is_mark(answer: Response) -> bool:
    """The widget has said what it shows, or what was read."""
    return answer.url.endswith("/marks") and answer.status == 204


async def write(page: Page, text: str) -> None:
    async with page.expect_response(lambda answer: answer.url.endswith("/messages") and answer.request.method == "POST"):
        await page.get_by_role("textbox", name="Nachricht schreiben").fill(text)
        await page.keyboard.press("Enter")


async def opened(shop: Shop, context: BrowserContext | None = None) -> Page:
    page = await shop.visit(context)
    await page.get_by_role("button", name="Chat öffnen").click()
    return page


async def test_before_the_visitor_writes(shop: Shop) -> None:
    """One request, the script itself, and nothing kept: no cookie, no storage, also while the panel is open and text is typed."""
    page = await opened(shop)
    await page.get_by_role("textbox", name="Nachricht schreiben").fill("Ich überlege noch")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Chat öffnen").click()
    await expect(page.get_by_role("textbox", name="Nachricht schreiben")).to_have_value("Ich überlege noch")
    privacy = page.get_by_role("link", name="Datenschutz")
    await expect(privacy).to_have_attribute("href", "https://www.radwerk.example/datenschutz")
    assert shop.asked == [f"GET /webchat/{shop.key}.js"]
    assert await page.context.cookies() == []
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert await page.evaluate("indexedDB.databases().then((all) => all.length)") == 0
    await write(page, "Haben Sie das Rad in 52?")
    assert await page.context.cookies() == []
    assert await page.evaluate("Object.keys(localStorage)") == [f"hub-chat:{shop.key}"]
    assert await page.evaluate("document.cookie") == ""
    await expect(privacy).to_be_hidden()


async def test_conversation_both_ways(shop: Shop) -> None:
    """The visitor writes, the agent sees it in the inbox and answers there, both see what the other has read."""
    page = await opened(shop)
    await page.get_by_label("Ihr Name").fill("Anna Huber")
    await page.get_by_label("Ihre E-Mail").fill("anna@muster.example")
    await write(page, "Haben Sie das Rad in 52?")
    await shop.hub.settle()
    mine = page.get_by_role("listitem").filter(has_text="Haben Sie das Rad in 52?")
    await expect(mine).to_contain_text("gesendet")
    jonas = await visit(shop.hub)
    desk = await shop.site.open(jonas, f"/inbox/open/{conv(await shop.conversation())}")
    await expect(desk.locator("h1", has_text="Anna Huber").first).to_be_visible()
    await expect(mine).to_contain_text("gelesen")
    await desk.fill("#text", "Ja, kommen Sie *gern* vorbei: https://www.radwerk.example/weg.")
    async with desk.expect_response(lambda one: one.url.endswith("/messages")):
        await desk.keyboard.press("Control+Enter")
    async with page.expect_response(is_mark):
        await shop.hub.settle()
    answer = page.get_by_role("listitem").filter(has_text="vorbei")
    await expect(answer.locator("strong")).to_have_text("gern")
    await expect(answer.locator("a")).to_have_attribute("href", "https://www.radwerk.example/weg")
    await shop.hub.settle()
    assert await shop.hub.value("SELECT state FROM message WHERE direction = 'out'") == "read"


async def test_visitor_goes_away_and_comes_back(shop: Shop) -> None:
    """What was answered meanwhile is there, counted on the button, and read once the panel is open."""
    context = await shop.browser()
    page = await opened(shop, context)
    await write(page, "Bis wann haben Sie offen?")
    await shop.hub.settle()
    await page.close()
    message = await shop.answer("Bis 18 Uhr")
    await shop.answer("samstags bis 13 Uhr")
    back = await context.new_page()
    async with back.expect_response(is_mark):
        await back.goto(shop.address)
    button = back.get_by_role("button", name="Chat öffnen, 2 neue Nachrichten")
    await expect(button).to_be_visible()
    await expect(back.locator(".badge")).to_have_text("2")
    await shop.hub.settle()
    assert await shop.hub.value("SELECT state FROM message WHERE id = $1", message) == "delivered"
    async with back.expect_response(is_mark):
        await button.click()
    await expect(back.get_by_role("listitem").filter(has_text="Bis wann haben Sie offen?")).to_be_visible()
    await expect(back.locator(".badge")).to_be_hidden()
    await shop.hub.settle()
    assert await shop.hub.value("SELECT state FROM message WHERE id = $1", message) == "read"
    stranger = await opened(shop)
    await expect(stranger.get_by_role("listitem").filter(has_text="Bis 18 Uhr")).to_have_count(0)


async def test_files_both_ways(shop: Shop, tmp_path: Path) -> None:
    photo = tmp_path / "rahmen.jpg"
    photo.write_bytes(image())
    page = await opened(shop)
    async with page.expect_response(lambda one: "/files?" in one.url) as sent:
        await page.locator("input[type=file]").set_input_files(photo)
    assert (await sent.value).status == 204
    await shop.hub.settle()
    picture = page.get_by_role("img", name="rahmen.jpg")
    await expect(picture).to_have_js_property("complete", True)
    assert await picture.evaluate("(one) => one.naturalWidth") > 0
    conversation = await shop.conversation()
    file = await attach(shop.hub, conversation, "Angebot.pdf", PDF)
    await shop.answer("Unser Angebot", files=[file])
    offer = page.get_by_role("link", name="Angebot.pdf")
    await expect(offer).to_be_visible()
    answer = await page.request.get(await offer.evaluate("(one) => one.href"))
    assert await answer.body() == PDF
    bad = tmp_path / "seite.html"
    bad.write_bytes(b"<!doctype html><script>alert(1)</script>")
    await page.locator("input[type=file]").set_input_files(bad)
    failed = page.get_by_role("listitem").filter(has_text="seite.html")
    await expect(failed).to_contain_text("Dateien dieser Art werden nicht angenommen")
    await failed.get_by_role("button", name="Entfernen").click()
    await expect(failed).to_have_count(0)


async def test_website_that_is_not_named_shows_nothing(shop: Shop) -> None:
    """R-297: the same page under another name gets no chat."""
    page = await (await shop.browser()).new_page()
    async with page.expect_event("requestfailed", lambda request: request.url == shop.script):
        await page.goto(shop.address.replace("127.0.0.1", "localhost"))
    assert await page.evaluate("document.body.children.length") == 1


async def test_too_many_messages_wait(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The widget says so, keeps the message and sends it when it may."""
    monkeypatch.setattr(limits, "MESSAGES", Limit("message", 1, 2))
    page = await opened(shop)
    await write(page, "eins")
    await write(page, "zwei")
    await expect(page.get_by_role("alert")).to_contain_text("viele Nachrichten in kurzer Zeit")
    await expect(page.get_by_role("listitem").filter(has_text="zwei")).to_contain_text("wird gesendet")
    async with page.expect_response(lambda one: one.url.endswith("/messages") and one.status == 204):
        shop.hub.clock.advance(seconds=2)
    await shop.hub.settle()
    await expect(page.get_by_role("listitem").filter(has_text="zwei")).to_contain_text("gesendet")
    assert await shop.hub.value("SELECT count(*) FROM message WHERE direction = 'in'") == 2


async def test_message_without_connection_goes_later(shop: Shop) -> None:
    """Also after the page was closed in between: the queue is kept once the visitor has written."""
    context = await shop.browser()
    page = await opened(shop, context)
    await write(page, "erste")
    await shop.hub.settle()
    await page.route("**/webchat/**", lambda route: route.abort())
    await page.get_by_role("textbox", name="Nachricht schreiben").fill("zweite")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Keine Verbindung")
    await page.close()
    back = await context.new_page()
    async with back.expect_response(lambda one: one.url.endswith("/messages")):
        await back.goto(shop.address)
    await shop.hub.settle()
    rows = await shop.hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY seq")
    assert [row["text"] for row in rows] == ["erste", "zweite"]


async def test_conversation_is_ended_on_a_shared_computer(shop: Shop) -> None:
    page = await opened(shop)
    await write(page, "Vertraulich")
    await page.get_by_role("button", name="Mehr").click()
    await page.get_by_role("button", name="Gespräch beenden").click()
    await expect(page.get_by_role("listitem").filter(has_text="Vertraulich")).to_have_count(0)
    assert await page.evaluate("localStorage.length") == 0


async def test_keys_alone(shop: Shop) -> None:
    """The focus goes into the panel, stays in it, and comes back to the button with Escape."""
    page = await shop.visit()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    focus = "document.querySelector('body > div').shadowRoot.activeElement"
    assert await page.evaluate(f"{focus}.tagName") == "TEXTAREA"
    seen = set()
    for _ in range(14):
        await page.keyboard.press("Tab")
        assert await page.evaluate(f"Boolean({focus}?.closest('.panel'))")
        seen.add(await page.evaluate(f"{focus}.ariaLabel || {focus}.href || {focus}.autocomplete"))
    assert {"Chat schließen", "Datei anhängen", "Senden", "Nachricht schreiben"} <= seen
    await page.keyboard.press("Escape")
    assert await page.evaluate(f"{focus}.className") == "launch"
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_strict_policy_of_the_website(shop: Shop) -> None:
    """No inline style, no markup from text, no foreign source: the chat works and looks the same."""
    shop.policy = STRICT.format(hub=shop.site.address)
    page = await opened(shop)
    await write(page, "Hallo")
    await shop.hub.settle()
    await shop.answer("*Guten* Tag")
    await expect(page.get_by_role("listitem").filter(has_text="Tag").locator("strong")).to_have_text("Guten")
    assert await page.locator(".launch").evaluate("(one) => getComputedStyle(one).borderRadius") == "50%"
    assert await page.locator(".launch").evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(44, 90, 158)"


async def test_typing_both_ways(shop: Shop) -> None:
    page = await opened(shop)
    await write(page, "Hallo")
    await shop.hub.settle()
    await expect(page.get_by_role("listitem").filter(has_text="Hallo")).to_contain_text("gesendet")
    desk = await shop.site.open(await visit(shop.hub), f"/inbox/open/{conv(await shop.conversation())}")
    await shop.hub.runtime.live.whisper(shop.hub.organisation_id, {"shown_typing": conv(await shop.conversation())})
    await expect(page.locator(".types")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("Jemand schreibt gerade eine Antwort.")
    async with page.expect_response(lambda one: one.url.endswith("/typing")) as told:
        await page.get_by_role("textbox", name="Nachricht schreiben").press_sequentially("ja")
    assert (await told.value).status == 204
    await shop.hub.settle()
    await expect(desk.locator("[data-customer]")).to_be_visible()


async def test_question_with_answers(shop: Shop) -> None:
    page = await opened(shop)
    await write(page, "Wann passt es?")
    await shop.hub.settle()
    await shop.answer("Dienstag oder Mittwoch?", options=["Dienstag", "Mittwoch"])
    async with page.expect_response(lambda one: one.url.endswith("/presses")):
        await page.get_by_role("button", name="Mittwoch").click()
    await shop.hub.settle()
    await expect(page.get_by_role("button", name="Mittwoch")).to_have_count(0)
    assert await shop.hub.value("SELECT text FROM message WHERE kind = 'interactive'") == "Mittwoch"


async def test_english_page_and_hosted_page(shop: Shop) -> None:
    """The page's language decides; without a website the hosted page does."""
    shop.lang = "en-GB"
    page = await shop.visit()
    await page.get_by_role("button", name="Open chat").click()
    await expect(page.get_by_role("textbox", name="Write a message")).to_be_focused()
    hosted = await (await shop.browser(locale="de-DE")).new_page()
    await hosted.goto(f"{shop.site.address}/webchat/{shop.key}")
    await write(hosted, "Ohne Website")
    await shop.hub.settle()
    await expect(hosted.get_by_role("listitem").filter(has_text="Ohne Website")).to_contain_text("gesendet")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
async def test_accessible_in_both_themes(shop: Shop, width: int, height: int) -> None:
    """Look 13: nothing that axe finds, closed, before the first message, in a conversation; on the website and hosted."""
    found: list[str] = []

    async def look(page: Page, what: str) -> None:
        for theme in ("light", "dark"):
            await page.emulate_media(color_scheme=theme)
            found.extend(f"{what} {theme}: {one}" for one in await violations(page, "", TAGS))

    context = await shop.browser(viewport={"width": width, "height": height})
    page = await shop.visit(context)
    await look(page, "closed")
    await page.get_by_role("button", name="Chat öffnen").click()
    await look(page, "first")
    await write(page, "Guten Tag")
    await shop.hub.settle()
    await shop.answer("Passt *Dienstag*?", options=["Ja", "Nein"])
    await expect(page.get_by_role("button", name="Ja")).to_be_visible()
    await page.get_by_role("button", name="Mehr").click()
    await look(page, "talk")
    hosted = await context.new_page()
    await hosted.goto(f"{shop.site.address}/webchat/{shop.key}")
    await look(hosted, "hosted")
    owner = await visit(shop.hub, "Olga Chefin", role="owner")
    desk = await (await shop.site.context(owner, reduced_motion="reduce")).new_page()
    await desk.add_init_script(path=VENDOR / "axe.min.js")
    await desk.set_viewport_size({"width": width, "height": height})
    for path in (f"/webchat/{shop.key}", "/channels?connect=webchat", "/channels"):
        await desk.goto(owner.base + path)
        await look(desk, path)
    assert found == []
