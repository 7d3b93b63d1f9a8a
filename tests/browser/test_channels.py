"""The channels page in a real browser: the form, the confirmation of the kill switch, and every width."""

import pytest
from playwright.async_api import Page, expect

from hub.channels import health, service
from hub.core import ids
from tests.browser.conftest import Site
from tests.files import PDF
from tests.inbox.pages_support import receive, visit
from tests.support import Connected, HubUnderTest

SECRET = "7012345678:AAE-never_shown_again"


def at(channel: Connected) -> str:
    """The address of a channel's page."""
    return f"/channels/{ids.show('chn', channel.id)}"


async def look_at(site: Site, hub: HubUnderTest, path: str = "/channels", *, name: str = "Ada Admin", **options: object) -> Page:
    """The page as an admin sees it."""
    ada = await visit(hub, name, role="admin")
    page = await (await site.context(ada, **options)).new_page()
    await page.goto(ada.base + path)
    return page


async def test_form_keeps_what_was_typed_but_no_secret(hub: HubUnderTest, site: Site) -> None:
    """Fields are demanded before anything is sent; an error puts the cursor into its field, and the token is gone from the page."""
    page = await look_at(site, hub)
    await page.get_by_role("link", name="Telegram verbinden").first.click()
    await expect(page.get_by_role("heading", name="Telegram verbinden")).to_be_visible()
    await page.get_by_role("button", name="Speichern und testen").click()
    assert await page.evaluate("document.querySelector('#set-up').matches(':invalid')")
    await expect(page.locator(".banner.bad")).to_have_count(0)

    await page.get_by_label("Bot-Token").fill(SECRET.replace("never_", "zu kurz "))
    await page.get_by_label("Name im Hub").fill("Werkstatt")
    await page.get_by_label("Ich habe die Bedingungen").check()
    await page.get_by_role("button", name="Speichern und testen").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("Der Kanal ist noch nicht verbunden.")
    await expect(page.get_by_label("Bot-Token")).to_be_focused()
    await expect(page.get_by_label("Bot-Token")).to_have_value("")
    await expect(page.get_by_label("Name im Hub")).to_have_value("Werkstatt")
    await expect(page.get_by_label("Ich habe die Bedingungen")).to_be_checked()
    assert "zu kurz" not in await page.content()


async def test_a_document_is_kept_as_soon_as_it_is_chosen(hub: HubUnderTest, site: Site) -> None:
    """R-190: what is no document is said at the field; one that is kept stands there, and what else was typed stays."""
    page = await look_at(site, hub, "/channels?connect=google")
    await page.get_by_label("Agent-ID").fill("muster_optik")
    chosen = page.get_by_label("Schriftstück: Zustimmung von Google")
    await chosen.set_input_files(files={"name": "brief.txt", "mimeType": "text/plain", "buffer": b"nein"})
    await expect(page.locator("#h-paper_consent")).to_contain_text("weder ein PDF noch ein Bild")
    await chosen.set_input_files(files={"name": "Zustimmung.pdf", "mimeType": "application/pdf", "buffer": PDF})
    await expect(page.get_by_role("link", name="Zustimmung.pdf")).to_be_visible()
    await expect(page.locator("#h-paper_consent")).to_be_empty()
    await expect(page.get_by_label("Agent-ID")).to_have_value("muster_optik")


async def test_kill_switch_asks_first(hub: HubUnderTest, site: Site) -> None:
    """R-183, look 8: what has no way back is confirmed with a reason; Escape and Abbrechen change nothing."""
    channel = await hub.connect()
    await hub.reply(await receive(hub, channel, "Hallo"), "wartet")
    page = await look_at(site, hub, at(channel))
    dialog, ask = page.get_by_role("dialog"), page.get_by_role("button", name="Sperren …")
    await ask.click()
    await expect(dialog).to_contain_text("1 wartende Nachricht scheitert endgültig")
    await expect(dialog.get_by_label("Grund")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(ask).to_be_focused()
    await ask.click()
    await dialog.get_by_role("button", name="Abbrechen").click()
    await expect(dialog).to_have_count(0)
    await ask.click()
    await dialog.get_by_role("button", name="Jetzt sperren").click()
    await expect(dialog).to_be_visible()
    assert await hub.value("SELECT state FROM channel") == "on"

    await dialog.get_by_label("Grund").fill("Missbrauch gemeldet")
    await dialog.get_by_role("button", name="Jetzt sperren").click()
    await expect(page.locator("main")).to_contain_text("Gesperrt, es geht nichts hinaus. Grund: Missbrauch gemeldet.")
    assert await hub.value("SELECT state FROM channel") == "blocked"
    assert await hub.value("SELECT failure FROM message WHERE direction = 'out'") == "channel_blocked"
    await expect(ask).to_have_count(0)


async def test_a_failed_check_is_told_on_its_page(hub: HubUnderTest, site: Site) -> None:
    """The provider cannot be asked: the page says why in words, and the rest of it stays as it was."""
    channel = await hub.connect(bot_token="7012345678:AAE-test_token_of_thirty_five_chars", base_url="https://127.0.0.1:9")
    await service.accept_terms(hub.runtime, hub.owner, "telegram")
    page = await look_at(site, hub, at(channel))
    await page.get_by_role("button", name="Verbindung prüfen").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("Die Prüfung ist gescheitert.")
    await expect(page.get_by_role("button", name="Verbindung prüfen")).to_be_visible()
    assert await hub.value("SELECT state FROM channel") == "on"


async def test_renewing_puts_the_cursor_into_the_token(hub: HubUnderTest, site: Site) -> None:
    """The red channel's filled buttons lead to the form; a refused token is gone, and the cursor waits for the next one."""
    channel = await hub.connect(bot_token="7012345678:AAE-test_token_of_thirty_five_chars", base_url="https://127.0.0.1:9")
    await service.accept_terms(hub.runtime, hub.owner, "telegram")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_attention(unit, channel.id, "auth_failed")
    page = await look_at(site, hub)
    await page.get_by_role("link", name="Telegram ansehen").click()
    await page.get_by_role("link", name="Zugangsdaten erneuern").click()
    token = page.get_by_label("Bot-Token")
    await expect(token).to_be_focused()
    await expect(token).to_have_value("")
    await expect(page.get_by_role("link", name="Zugangsdaten erneuern")).to_have_count(0)
    await token.fill("zu kurz")
    await page.get_by_role("button", name="Prüfen und übernehmen").click()
    await expect(page.locator("main").get_by_role("alert")).to_contain_text("Die Zugangsdaten sind unverändert.")
    await expect(token).to_be_focused()
    await expect(token).to_have_value("")
    assert "zu kurz" not in await page.content()
    await page.get_by_role("link", name="Abbrechen").click()
    await expect(page.get_by_role("link", name="Zugangsdaten erneuern")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_every_width(hub: HubUnderTest, site: Site, width: int, scheme: str) -> None:
    """Look 12: nothing runs out of the page, with each form and the confirmation open."""
    channel = await hub.connect()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute(
            "UPDATE channel SET title = $2 WHERE id = $1", channel.id, "Werkstatt und Verleih am Bahnhof Lindau-Insel"
        )
        await health.mark_attention(unit, channel.id, "auth_failed")
    page = await look_at(site, hub, color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 844})
    for path, dialog in (
        ("/channels?connect=telegram", "Versand sperren …"),
        (f"{at(channel)}?form=settings", "Sperren …"),
        (f"{at(channel)}?form=account", "Sperren …"),
        (f"{at(channel)}/test", ""),
    ):
        await page.goto(f"/o/{hub.slug}{path}")
        if dialog:
            await page.get_by_text("Weitere Angaben").click()
            await page.get_by_role("button", name=dialog).click()
            await expect(page.get_by_role("dialog")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        outside = (
            "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1).length"
        )
        assert await page.evaluate(outside) == 0
    await page.goto(f"/o/{hub.slug}/inbox/open")
    await expect(page.locator("#red")).to_contain_text("ist gestört")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")


async def test_the_live_test_moves_by_itself(hub: HubUnderTest, site: Site) -> None:
    """Without a press the page notices the message and offers to answer; without script a link looks again."""
    channel = await hub.connect()
    page = await look_at(site, hub, f"{at(channel)}/test")
    await expect(page.get_by_text("Warten auf Ihre Nachricht")).to_be_visible()
    await receive(hub, channel, "Hallo")
    answer = page.get_by_label("Antwort", exact=True)
    await expect(answer).to_be_visible()
    assert await page.locator("#seen").get_attribute("hx-trigger") is None, "what is typed is not drawn anew"

    still = await look_at(site, hub, f"{at(channel)}/test", name="Bea Ohne", java_script_enabled=False)
    await expect(still.get_by_label("Antwort", exact=True)).to_be_visible()
    await still.get_by_role("button", name="Antwort senden").click()
    await expect(still.get_by_text("Antwort ist unterwegs")).to_be_visible()


async def test_the_strip_comes_and_goes_with_the_trouble(hub: HubUnderTest, site: Site) -> None:
    """An agent at work sees that a channel turned red, and that it works again, without loading anything."""
    channel = await hub.connect()
    jonas = await visit(hub)
    page = await site.open(jonas, "/inbox/open")
    await expect(page.locator("#red")).to_be_hidden()
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_attention(unit, channel.id, "auth_failed")
    await expect(page.locator("#red")).to_contain_text("Der Kanal „Telegram“ ist gestört.")
    await expect(page.locator("#red a")).to_have_attribute("href", f"/o/{hub.slug}{at(channel)}")
    await expect(page.locator("[data-red]")).to_contain_text("1 Kanal gestört")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await health.mark_healthy(unit, channel.id)
    await expect(page.locator("#red")).to_be_hidden()
