"""A template in the composer, in a real browser: seen as the customer will read it, its file with the hub once it is chosen; and
what a text costs while it is typed."""

import dataclasses

import pytest
from playwright.async_api import expect

from hub.channels import service, templates
from hub.connectors.contract import TemplateRecord
from hub.connectors.events import Template
from hub.connectors.registry import Registry, discover
from hub.connectors.whatsapp.connector import connector as whatsapp
from hub.core import ids
from hub.sandbox.whatsapp.templates import Templates
from tests.browser.conftest import Site
from tests.browser.test_axe import TAGS, VENDOR, violations
from tests.inbox.pages_support import conv, visit
from tests.inbox.test_abilities import Able, sent, wrote
from tests.scenarios.test_telegram_whole import PNG
from tests.support import HubUnderTest


class Pictured(Able):
    """With the files of WhatsApp, and charged by the piece."""

    connector = "pictured"
    capabilities = dataclasses.replace(Able.capabilities, media=whatsapp.capabilities.media)

    def count_pieces(self, text: str) -> int:
        return 1 + len(text) // 160


@pytest.fixture
def connectors() -> Registry:
    return Registry([*discover().values(), Pictured()])


def samples() -> list[TemplateRecord]:
    kept = Templates().kept.values()
    words = [(one, one.category.lower(), tuple(one.components)) for one in kept]
    return [
        TemplateRecord(provider_id=one.id, name=one.name, language="de", category=category, status="approved", components=parts)
        for one, category, parts in words
    ]


async def test_a_template_is_seen_and_filled_as_the_customer_will_read_it(hub: HubUnderTest, site: Site) -> None:
    """Issue 4.1: preview as on the phone, a file for the header; no violation of axe's rules in picker and channel page."""
    sent.clear()
    channel = await hub.connect("pictured", token="t")
    conversation_id = await wrote(hub, channel)
    meta = await service.connect_channel(
        hub.runtime, hub.owner, connector="whatsapp", title="Optik", values={"api_key": "k" * 20, "platform_secret": "s" * 20}
    )
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for channel_id in (channel.id, meta):
            await templates._keep(unit, channel_id, samples())
    jonas = await visit(hub)
    page = await site.open(jonas, f"/inbox/open/{conv(conversation_id)}")
    await page.fill("#text", "x" * 200)
    await expect(page.locator("#pieces")).to_contain_text("2 ")
    hub.clock.advance(hours=25)
    sara = await visit(hub, "Sara Lang")
    context = await site.context(sara)
    await context.add_init_script(path=VENDOR / "axe.min.js")
    page = await context.new_page()
    await page.goto(f"{sara.base}/inbox/open/{conv(conversation_id)}")
    pick = page.locator("details.pick", has=page.get_by_text("invoice", exact=True))
    await pick.locator("summary").click()
    await pick.locator("[data-file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PNG})
    await pick.locator("[name=parameters]").fill("4711")
    await expect(pick.locator("mark")).to_have_text("4711")
    await expect(pick.locator("[data-file]:invalid")).to_be_visible()  # a picture is no document
    await expect(pick.locator("[name=files]")).to_have_value("")
    await pick.locator("[data-file]").set_input_files(
        {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n%%EOF"}
    )
    await expect(pick.locator("[name=files]")).not_to_have_value("")
    assert await violations(page, "#templates", TAGS) == []
    await pick.locator("button.main").click()
    await expect(page.locator(".talk .msg.out")).to_contain_text("Ihre Rechnung 4711 liegt bei.")
    ada = await visit(hub, "Ada Admin", role="admin")
    context = await site.context(ada)
    await context.add_init_script(path=VENDOR / "axe.min.js")
    page = await context.new_page()
    await page.goto(f"{ada.base}/channels/{ids.show('chn', meta)}/templates")
    await page.locator("details.kept > summary").first.click()
    assert await violations(page, "main", TAGS) == []
    await hub.settle()
    (content,) = [one.content for one in sent if hasattr(one, "content")]
    assert isinstance(content, Template) and content.header is not None
