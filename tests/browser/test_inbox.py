"""What two people see and feel at the inbox, in a real browser."""

from time import monotonic
from uuid import UUID

from playwright.async_api import expect

from hub.core.clock import FakeClock
from hub.inbox import ingest, service
from hub.organisations import sessions
from tests.browser.conftest import Site
from tests.inbox.pages_support import conv, receive, visit
from tests.support import Connected, HubUnderTest, telegram_text


async def test_two_browsers_see_each_others_reply(hub: HubUnderTest, site: Site) -> None:
    """R-303: given two browsers, when one agent replies, the other sees it within 2 s."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    path = f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}"
    one, other = await site.open(jonas, path), await site.open(sara, path)
    await one.fill("#text", "Guten Tag von Jonas")
    began = monotonic()
    await one.press("#text", "Control+Enter")
    await expect(other.locator(".talk .bub", has_text="Guten Tag von Jonas")).to_be_visible()
    assert monotonic() - began < 2
    await other.fill("#text", "Und von Sara")
    began = monotonic()
    await other.click("#send")
    await expect(one.locator(".talk .bub", has_text="Und von Sara")).to_be_visible()
    assert monotonic() - began < 2


async def test_customers_message_appears_without_reload(hub: HubUnderTest, site: Site) -> None:
    """R-303: a new message stands in the open thread and is marked as read by being seen; its row changes in place."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    page = await site.open(jonas, f"/inbox/open/{conv(conversation)}")
    await receive(hub, channel, "Sind Sie da?", first=2)
    await expect(page.locator(".talk .bub", has_text="Sind Sie da?")).to_be_visible()
    await expect(page.locator(f"#{conv(conversation)}")).to_contain_text("Sind Sie da?")
    await expect(page.locator(f"#{conv(conversation)}")).not_to_have_class("row new")
    assert await hub.value("SELECT unread FROM conversation") == 0


async def test_rows_stay_under_the_pointer(hub: HubUnderTest, site: Site, clock: FakeClock) -> None:
    """Look 1: a new message does not move the row under the pointer; the head says how many are new, a click brings the order."""
    jonas, channel = await visit(hub), await hub.connect()
    older = await receive(hub, channel, "Erste", user=501)
    clock.advance(minutes=1)
    newer = await receive(hub, channel, "Zweite", user=502)
    page = await site.open(jonas, "/inbox/open")
    row = page.locator(f"#{conv(newer)}")
    await row.hover()
    before = await row.bounding_box()
    await say_later(hub, older, "Noch etwas")
    third = await receive(hub, channel, "Dritte", user=503)
    await expect(page.locator("[data-fresh]")).to_have_text("2 neue")
    assert await row.bounding_box() == before
    await expect(page.locator(f"#{conv(older)}")).to_contain_text("Noch etwas")
    await expect(page.locator("[data-count=open]").first).to_have_text("3")
    await page.click("[data-fresh]")
    await expect(page.locator(".row").first).to_have_id(conv(older))
    await expect(page.locator(f"#{conv(third)}")).to_have_count(1)
    await expect(page.locator("[data-fresh]")).to_be_hidden()


async def say_later(hub: HubUnderTest, conversation_id: UUID, text: str) -> None:
    """The customer writes at a later provider time."""
    row = (
        await hub.rows(
            "SELECT i.provider_user_id, c.channel_id FROM conversation c JOIN identity i ON i.id = c.identity_id WHERE c.id = $1",
            conversation_id,
        )
    )[0]
    channel = await ingest.load_channel(hub.runtime, hub.organisation_id, row["channel_id"])
    connected = Connected(row["channel_id"], "telegram", channel.account.webhook_secrets[0])
    user = int(row["provider_user_id"])
    await hub.deliver(connected, telegram_text(9000 + user, text, user=user, message_id=99, at=1795510800 + 600))
    await ingest.drain(hub.runtime, hub.organisation_id, row["channel_id"], hub.worker_id)


async def test_reader_who_scrolled_up_stays(hub: HubUnderTest, site: Site) -> None:
    """Look 7: who reads older lines is not moved by a new message; a hint leads to it."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, *[f"Zeile {number} des Verlaufs" for number in range(40)]))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await page.evaluate("document.querySelector('[data-scroll]').scrollTop = -600")
    line = page.locator(".talk .msg").nth(20)
    before = await line.bounding_box()
    await receive(hub, channel, "Ganz neu", first=41)
    await expect(page.locator("[data-below]")).to_have_text("1 neue Nachricht")
    after = await line.bounding_box()
    assert before and after and abs(after["y"] - before["y"]) < 1
    await page.click("[data-below]")
    await expect(page.locator(".talk .bub", has_text="Ganz neu")).to_be_in_viewport()
    await expect(page.locator("[data-below]")).to_be_hidden()


async def test_older_lines_load_at_the_top(hub: HubUnderTest, site: Site) -> None:
    """R-302: scrolling up loads what is older, each line once, until the beginning."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, *[f"Zeile {number}." for number in range(120)]))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    while await page.locator("[data-older]").count():
        loaded = await page.locator(".talk .msg").count()
        await page.evaluate("document.querySelector('[data-scroll]').scrollTop = -1000000")
        await page.wait_for_function("count => document.querySelectorAll('.talk .msg').length > count", arg=loaded)
        await page.wait_for_function("!document.querySelector('[data-older]:disabled')")
    assert await page.locator(".talk .bub").all_inner_texts() == [f"Zeile {number}." for number in range(120)]
    assert await page.locator(".talk .day").count() == 1


async def test_double_click_sends_once(hub: HubUnderTest, site: Site) -> None:
    """R-303: a double click, or the key held down, is one message."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await page.fill("#text", "Nur einmal")
    await page.dblclick("#send")
    await expect(page.locator(".talk .msg[id] .bub", has_text="Nur einmal")).to_have_count(1)
    await page.fill("#text", "Auch nur einmal")
    for _ in range(3):
        await page.press("#text", "Control+Enter")
    await expect(page.locator(".talk .msg[id] .bub", has_text="Auch nur einmal")).to_have_count(1)
    await expect(page.locator(".pending")).to_have_count(0)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 2


async def test_note_cannot_be_sent(hub: HubUnderTest, site: Site) -> None:
    """R-300: the note has its own form on its own ground, the sending key does nothing there, and its text never leaves."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await page.click("#reply [data-mode=note]")
    await expect(page.locator("#send")).to_be_hidden()
    await page.fill("#note-text", "Nur für uns")
    await page.press("#note-text", "Control+Enter")
    await page.click("#note [type=submit]")
    await expect(page.locator(".memo", has_text="Nur für uns")).to_have_count(1)
    await expect(page.locator("#text")).to_be_visible()
    await expect(page.locator("#text")).to_have_value("")
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 0
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'note'") == 1


async def test_refused_reply_keeps_the_text_and_says_why(hub: HubUnderTest, site: Site) -> None:
    """I4: the person opts out while the agent writes: the reason appears above the text, which stays; nothing is sent."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await page.fill("#text", "Mein langer Text")
    await receive(hub, channel, "STOPP", first=2)
    await expect(page.locator("#reason .banner")).to_contain_text("Ihr Text bleibt hier stehen.")
    await expect(page.locator("#text")).to_have_value("Mein langer Text")
    await expect(page.locator("#text")).to_be_focused()
    await expect(page.locator("#send")).to_be_disabled()
    await expect(page.locator("#head")).to_contain_text("nicht erlaubt")


async def test_refusal_by_the_server_keeps_the_text(hub: HubUnderTest, site: Site) -> None:
    """I4: when only the gate knows (the page has not heard yet), its answer stands in the composer and the text comes back."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await expect(page.locator(".row.new")).to_have_count(0)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE channel SET state = 'off'")
    await page.fill("#text", "Mein Text")
    await page.click("#send")
    await expect(page.locator("#reason .banner.bad")).to_be_visible()
    await expect(page.locator("#text")).to_have_value("Mein Text")
    await expect(page.locator(".pending")).to_have_count(0)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 0


async def test_offline_is_told_and_caught_up_without_a_gap(hub: HubUnderTest, site: Site) -> None:
    """I11: without network the badge says so; afterwards everything that was missed is there, once, and what was typed too."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = await receive(hub, channel, "Hallo")
    page = await site.open(jonas, f"/inbox/open/{conv(conversation)}")
    await page.fill("#text", "Angefangen")
    await page.context.set_offline(True)
    badge = page.locator(".views [data-connection]")
    await expect(badge).to_contain_text("Offline seit")
    await receive(hub, channel, *[f"Verpasst {number}." for number in range(12)], first=2)
    await service.assign(hub.runtime, hub.owner, conversation, hub.owner.member_id)
    await page.click("#send")
    await expect(page.locator("#reason .banner")).to_contain_text("Keine Verbindung.")
    await expect(page.locator("#text")).to_have_value("Angefangen")
    await page.context.set_offline(False)
    await expect(badge).to_have_text("Live")
    await expect(page.locator("#head")).to_contain_text("zugewiesen an Olga Inhaber")
    texts = await page.locator(".talk .msg:not(.out) .bub").all_inner_texts()
    assert texts == ["Hallo", *[f"Verpasst {number}." for number in range(12)]]
    await page.click("#send")
    await expect(page.locator(".talk .msg[id].out .bub", has_text="Angefangen")).to_have_count(1)
    assert await hub.value("SELECT count(*) FROM message WHERE direction = 'out'") == 1


async def test_tabs_share_one_stream(hub: HubUnderTest, site: Site) -> None:
    """Design 9: one stream per browser; the other tabs are live through it, also when the first tab goes."""
    jonas, channel = await visit(hub), await hub.connect()
    path = f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}"
    first = await site.open(jonas, path)
    streams: list[str] = []
    first.context.on("request", lambda request: streams.append(request.url) if "/stream?" in request.url else None)
    second = await first.context.new_page()
    await second.goto(jonas.base + path)
    await second.wait_for_selector("[data-connection=live]", state="attached")
    assert streams == []
    await receive(hub, channel, "An alle", first=2)
    for page in (first, second):
        await expect(page.locator(".talk .bub", has_text="An alle")).to_be_visible()
    await first.close()
    await receive(hub, channel, "Auch ohne den ersten", first=3)
    await expect(second.locator(".talk .bub", has_text="Auch ohne den ersten")).to_be_visible()
    assert len(streams) == 1


async def test_log_out_elsewhere_ends_the_page(hub: HubUnderTest, site: Site) -> None:
    """R-048: a page whose session ended goes to what the hub says about it, and shows nothing new."""
    jonas, channel = await visit(hub), await hub.connect()
    page = await site.open(jonas, f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}")
    async with hub.runtime.database.system() as unit:
        await sessions.end_token(unit, jonas.token)
    await expect(page.locator(".talk")).to_have_count(0)


async def test_markup_is_text(hub: HubUnderTest, site: Site) -> None:
    """R-302: scripts and HTML of a customer are shown as written, also when they arrive live, and nothing of it runs."""
    jonas, channel = await visit(hub), await hub.connect()
    bad = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script><b>fett</b>"
    conversation = conv(await receive(hub, channel, bad))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await receive(hub, channel, bad + "2", first=2)
    await expect(page.locator(".talk .bub").nth(1)).to_have_text(bad + "2")
    await expect(page.locator(".talk .bub").first).to_have_text(bad)
    assert await page.locator(".talk .bub .txt *").count() == 0
    assert "pwned" not in await page.title()


async def test_done_offers_the_way_back(hub: HubUnderTest, site: Site) -> None:
    """Look 8: done acts at once and can be undone; the row stays where it is."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await page.click("#head [data-act=done] button")
    await expect(page.locator(f"#{conversation}")).to_contain_text("Erledigt")
    await expect(page.locator(".view[aria-current] .count")).to_have_text("")
    await page.click(".toast button")
    await expect(page.locator("#head [data-act=done]")).to_be_visible()
    await expect(page.locator(".view[aria-current] .count")).to_have_text("1")


async def test_assigning_by_menu(hub: HubUnderTest, site: Site) -> None:
    """R-300: an agent hands a conversation to a colleague, whose counter goes up while they look."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page, hers = await site.open(jonas, f"/inbox/open/{conversation}"), await site.open(sara, "/inbox/mine")
    await page.click("#head summary")
    await page.locator("#head .menu button", has_text="Sara Lang").click()
    await expect(page.locator("#head")).to_contain_text("zugewiesen an Sara Lang")
    await expect(hers.locator(".views [data-count=mine]")).to_have_text("1")
    await expect(hers.locator(f"#{conversation}")).to_be_visible()


async def test_draft_survives_looking_elsewhere(hub: HubUnderTest, site: Site) -> None:
    """Look 6: what was typed is there again after another conversation and after a reload, and in no other conversation."""
    jonas, channel = await visit(hub), await hub.connect()
    one = conv(await receive(hub, channel, "Eins", user=501))
    other = conv(await receive(hub, channel, "Zwei", user=502))
    page = await site.open(jonas, f"/inbox/open/{one}")
    await page.fill("#text", "Halb fertig")
    await page.click(f"#{other}")
    await expect(page.locator("#text")).to_have_value("")
    await page.click(f"#{one}")
    await expect(page.locator("#text")).to_have_value("Halb fertig")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("Halb fertig")


async def test_phone_shows_one_pane_at_a_time(hub: HubUnderTest, site: Site) -> None:
    """Look 12: list, thread and contact each have their own address, and Back goes one pane back."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, "/inbox/open")
    await page.set_viewport_size({"width": 390, "height": 844})
    panes = {"list": page.locator(".list"), "thread": page.locator(".thread"), "side": page.locator(".side")}

    async def only(shown: str) -> None:
        for name, pane in panes.items():
            await expect(pane).to_be_visible() if name == shown else await expect(pane).to_be_hidden()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390

    await only("list")
    await page.click(f"#{conversation}")
    await only("thread")
    await expect(page).to_have_url(f"{site.address}{jonas.base}/inbox/open/{conversation}")
    await page.click("#head [data-side]")
    await only("side")
    await page.go_back()
    await only("thread")
    await page.go_back()
    await only("list")
    await page.goto(f"{jonas.base}/inbox/open/{conversation}/contact")
    await only("side")


async def test_english_page_speaks_english_live(hub: HubUnderTest, site: Site) -> None:
    """Issue 2 C: also what the script writes comes from the catalogue."""
    anna, channel = await visit(hub, "Anna Nowak", locale="en"), await hub.connect()
    await receive(hub, channel, "Hallo", user=501)
    page = await site.open(anna, "/inbox/open")
    await expect(page.locator(".views [data-connection]")).to_have_text("Live")
    await receive(hub, channel, "Hallo", user=502)
    await expect(page.locator("[data-fresh]")).to_have_text("1 new")
    await page.context.set_offline(True)
    await expect(page.locator(".views [data-connection]")).to_contain_text("Offline since")
