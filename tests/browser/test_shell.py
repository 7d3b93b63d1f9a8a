"""The pages around the inbox: with script they change in place, without it they are plain forms."""

from playwright.async_api import expect

from tests.browser.conftest import Site
from tests.inbox.pages_support import visit
from tests.support import HubUnderTest


async def test_a_form_changes_the_page_in_place(hub: HubUnderTest, site: Site) -> None:
    """An error and a success arrive without a new page, and what the browser was told to refuse (CSP) was never tried."""
    anna = await visit(hub, "Anna Admin", role="admin")
    page = await (await site.context(anna)).new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None)
    await page.goto(anna.base + "/team")
    await page.evaluate("window.stays = true")
    await page.fill("#f-name", "Nils Neu")
    await page.fill("#f-email", "owner@radwerk.example")
    await page.check("input[value=agent]")
    await page.click("#invite button")
    await expect(page.locator("#f-email")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#f-name")).to_have_value("Nils Neu")
    await page.fill("#f-email", "nils@radwerk.example")
    await page.click("#invite button")
    await expect(page.locator("input[value*='/join/']")).to_be_visible()
    assert await page.evaluate("window.stays") is True
    assert refused == []


async def test_without_script_the_same_forms_work(hub: HubUnderTest, site: Site) -> None:
    anna = await visit(hub, "Anna Admin", role="admin")
    page = await (await site.context(anna, java_script_enabled=False)).new_page()
    await page.goto(anna.base + "/team")
    await page.fill("#f-name", "Nils Neu")
    await page.fill("#f-email", "nils@radwerk.example")
    await page.check("input[value=agent]")
    await page.click("#invite button")
    await expect(page.locator("input[value*='/join/']")).to_be_visible()


async def test_dead_letters_are_marked_chosen_and_replayed(hub: HubUnderTest, site: Site) -> None:
    """I1: the rail says that there are some; chosen ones are read once more, and a single one shows by itself what came of it."""
    anna, channel = await visit(hub, "Anna Admin", role="admin"), await hub.connect()
    await hub.deliver(channel, b"broken")
    await hub.settle()
    page = await (await site.context(anna)).new_page()
    await page.goto(anna.base + "/team")
    await expect(page.locator(".rail [data-dead]")).to_contain_text("1 Zustellung konnte nicht gelesen werden")
    await page.click(".rail a:has([data-dead])")
    await page.get_by_label("Zustellung von").check()
    await page.get_by_role("button", name="Ausgewählte noch einmal lesen").click()
    await expect(page.locator(".banner.good")).to_contain_text("1 Zustellung wird noch einmal gelesen.")
    await hub.settle()
    await page.goto(anna.base + "/deliveries")
    await page.locator(".table a.lnk").click()
    await page.get_by_role("button", name="Noch einmal lesen", exact=True).click()
    await expect(page.locator("#became")).to_contain_text("Wird gelesen")
    await hub.settle()
    await expect(page.locator("#became")).to_contain_text("Nicht lesbar")
