from pathlib import Path
from datetime import timedelta
from hub.consent.chain import Change
from hub.inbox.uses import keep_books
from tests.browser.conftest import Site
from tests.consent.test_proof import record, somebody, newsletter
from tests.inbox.pages_support import visit
from hub.organisations import sessions

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


async def test_shot(site: Site) -> None:
    hub = site.hub
    purpose = await somebody(hub)
    ch = {"source": "agent", "method": "agent", "actor": "Anna Nowak", "note": "am Telefon"}
    await record(
        hub,
        Change(
            "telegram",
            "",
            "other1",
            "opt_out",
            hub.clock() - timedelta(days=40),
            {"source": "message", "text": "STOPP", "message_id": "m1"},
        ),
    )
    await record(
        hub,
        Change(
            "telegram",
            "",
            "5123456789",
            "asked",
            hub.clock() - timedelta(days=140),
            {"source": "https://radwerk-lindau.example/anmelden", "method": "double_opt_in"},
            purpose_id=purpose,
            until=hub.clock(),
        ),
    )
    await record(hub, Change("whatsapp", "", "+436605550172", "granted", hub.clock() - timedelta(days=400), ch, purpose_id=purpose))
    await record(hub, Change("whatsapp", "", "+436605550172", "blocked", hub.clock() - timedelta(days=4), {"source": "provider"}))
    await keep_books(hub.runtime)
    hub.clock.advance(hours=3)
    out = Path("/tmp/proofs-shots")
    out.mkdir(exist_ok=True)
    for locale, width, height in (("de", 1440, 900), ("en", 390, 844)):
        who = await visit(hub, "Jonas Keller" if locale == "de" else "Anna Nowak", role="owner", locale=locale)
        for theme in ("light", "dark"):
            context = await site.browser.new_context(
                base_url=site.address, viewport={"width": width, "height": height}, color_scheme=theme
            )
            await context.add_cookies(
                [{"name": sessions.cookie_name(hub.runtime.settings), "value": who.token, "url": site.address}]
            )
            page = await context.new_page()
            for name, path in (
                ("list", "/consent"),
                ("person", "/consent/person?messenger=telegram&address=5123456789"),
                ("then", "/consent/person?messenger=telegram&address=5123456789&on=2026-10-01"),
                ("wa", "/consent/person?messenger=whatsapp&address=%2B436605550172"),
                ("hand", "/consent/hand-out?recipients=5123456789&messenger=telegram"),
            ):
                if name in ("then", "wa") and theme == "dark":
                    continue
                await page.goto(who.base + path)
                await page.wait_for_timeout(400)
                await page.screenshot(path=out / f"{name}-{width}-{theme}.png", full_page=True)
                for f in (Path(__file__).parent / "vendor").glob("axe*.js"):
                    await page.evaluate(f.read_text())
                r = await page.evaluate(
                    """async () => (await axe.run(document, {runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]})).violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 150)).join(" | "))"""
                )
                if r:
                    print(name, width, theme, r)
                sw = await page.evaluate("document.documentElement.scrollWidth")
                if sw > width:
                    print("WIDE", name, width, sw)
                if name == "person" and theme == "light":
                    await page.click("[popovertarget^=w-]")
                    await page.wait_for_timeout(300)
                    await page.screenshot(path=out / f"ask-{width}-{theme}.png")
            await context.close()
