"""What two people see and feel at the inbox, in a real browser."""

from time import monotonic
from uuid import UUID

from playwright.async_api import Request, expect

from hub.core.clock import FakeClock
from hub.inbox import alarm, service
from hub.inbox.arriving import ingest
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
    await service.assign(hub.runtime, hub.owner, conversation, service.Charge(hub.owner.member_id))
    await page.click("#send")
    await expect(page.locator("#wrong .banner")).to_contain_text("Keine Verbindung.")
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
    await page.click("#head [data-menu=assign] summary")
    await page.locator("#head [data-menu=assign] button", has_text="Sara Lang").click()
    await expect(page.locator("#head")).to_contain_text("zugewiesen an Sara Lang")
    await expect(hers.locator(".views [data-count=mine]")).to_have_text("1")
    await expect(hers.locator(f"#{conversation}")).to_be_visible()


async def test_due_time_turns_amber_and_red_before_the_eyes(hub: HubUnderTest, site: Site, clock: FakeClock) -> None:
    """R-300, look 5: a due time set by menu stands in the row; the page itself turns it amber; when it has passed, open pages say
    so without a reload."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page, hers = await site.open(jonas, f"/inbox/open/{conversation}"), await site.open(sara, "/inbox/open")
    await hers.clock.install(time=clock())
    await hers.reload()
    await page.click("#head [data-menu=due] summary")
    await page.locator("#head [data-menu=due] button", has_text="In einer Stunde").click()
    signal = hers.locator(f"#{conversation} .sig")
    await expect(signal).to_have_text("Frist 11:00")
    await expect(signal).to_have_class("sig")
    await hers.clock.run_for(49 * 60_000)
    await expect(signal).to_have_class("sig soon")
    clock.advance(hours=1)
    await alarm.ring(hub.runtime)
    await expect(page.locator(f"#{conversation} .sig")).to_have_class("sig late")
    await expect(page.locator("#head .sig")).to_have_text("Überfällig 11:00")
    await expect(page.locator(".talk .event", has_text="Die Frist ist verstrichen")).to_be_visible()
    await expect(page.locator(".views [data-count=open]")).to_have_class("count late")


async def test_snoozed_goes_with_a_way_back(hub: HubUnderTest, site: Site) -> None:
    """R-300, look 8: snoozing acts at once, the row stays where it is, and the toast undoes it."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    page = await site.open(jonas, f"/inbox/open/{conversation}")
    await page.click("#head [data-menu=snooze] summary")
    await page.fill("#head [data-menu=snooze] [name=at]", "2026-11-24T15:00")
    await page.click("#head [data-menu=snooze] .own button")
    await expect(page.locator(f"#{conversation}")).to_contain_text("Zurückgestellt")
    await expect(page.locator(".views [data-count=snoozed]")).to_have_text("1")
    await page.click(".toast button")
    await expect(page.locator(f"#{conversation} .st")).to_have_text("Offen")
    await expect(page.locator(".views [data-count=snoozed]")).to_have_text("")


async def test_draft_survives_looking_elsewhere(hub: HubUnderTest, site: Site) -> None:
    """Look 6: what was typed is there again after another conversation, after a reload and in another browser, and in no other
    conversation; its row says so."""
    jonas, channel = await visit(hub), await hub.connect()
    one = conv(await receive(hub, channel, "Eins", user=501))
    other = conv(await receive(hub, channel, "Zwei", user=502))
    page = await site.open(jonas, f"/inbox/open/{one}")
    await page.fill("#text", "Halb fertig")
    await page.click(f"#{other}")
    await expect(page.locator(f"#{one}")).to_contain_text("Entwurf: Halb fertig")
    await expect(page.locator("#text")).to_have_value("")
    await page.click(f"#{one}")
    await expect(page.locator("#text")).to_have_value("Halb fertig")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("Halb fertig")
    elsewhere = await site.open(jonas, f"/inbox/open/{one}")
    await expect(elsewhere.locator("#text")).to_have_value("Halb fertig")
    await elsewhere.click("#send")
    await expect(elsewhere.locator(".talk .msg[id].out .bub", has_text="Halb fertig")).to_have_count(1)
    await expect(elsewhere.locator(f"#{one}")).not_to_contain_text("Entwurf")
    assert await hub.value("SELECT count(*) FROM draft") == 0


async def test_draft_is_saved_when_typing_pauses(hub: HubUnderTest, site: Site) -> None:
    """A draft reaches the hub without leaving the field, and sending leaves none behind, whatever was under way."""
    jonas, channel = await visit(hub), await hub.connect()
    page = await site.open(jonas, f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}")
    await page.locator("#text").press_sequentially("Guten Tag")
    await expect(page.locator("#saved")).to_have_text("Entwurf gesichert")
    assert await hub.value("SELECT text FROM draft") == "Guten Tag"
    await page.locator("#text").press_sequentially(", Herr Özdemir")
    await page.press("#text", "Control+Enter")
    await page.locator("#text").press_sequentially("Noch ein Satz")
    await expect(page.locator(".talk .msg[id].out .bub", has_text="Guten Tag, Herr Özdemir")).to_have_count(1)
    await expect(page.locator("#saved")).to_have_text("Entwurf gesichert")
    assert await hub.value("SELECT text FROM draft") == "Noch ein Satz"
    await page.press("#text", "Control+Enter")
    await expect(page.locator(".talk .msg[id].out .bub", has_text="Noch ein Satz")).to_have_count(1)
    assert await hub.value("SELECT count(*) FROM draft") == 0


async def test_slower_tab_is_told_and_decides(hub: HubUnderTest, site: Site) -> None:
    """Two tabs with one draft: the newer text stays, the tab with the older one is told and takes it or keeps its own."""
    jonas, channel = await visit(hub), await hub.connect()
    path = f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}"
    one, other = await site.open(jonas, path), await site.open(jonas, path)
    await one.fill("#text", "Aus dem ersten")
    await expect(one.locator("#saved")).to_have_text("Entwurf gesichert")
    await other.fill("#text", "Aus dem zweiten")
    await expect(other.locator("[data-moved]")).to_contain_text(
        "In einem anderen Fenster steht ein neuerer Entwurf: Aus dem ersten"
    )
    await expect(other.locator("#text")).to_have_value("Aus dem zweiten")
    assert await hub.value("SELECT text FROM draft") == "Aus dem ersten"
    await other.click("[data-moved] [data-mine]")
    await expect(other.locator("#saved")).to_have_text("Entwurf gesichert")
    assert await hub.value("SELECT text FROM draft") == "Aus dem zweiten"
    await one.fill("#text", "Wieder der erste")
    await one.click("[data-moved] [data-take]")
    await expect(one.locator("#text")).to_have_value("Aus dem zweiten")
    await expect(one.locator("#text")).to_be_focused()


async def test_draft_waits_for_the_connection(hub: HubUnderTest, site: Site) -> None:
    """Offline: the draft stays in the page and is saved when the connection is back."""
    jonas, channel = await visit(hub), await hub.connect()
    page = await site.open(jonas, f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}")
    await page.context.set_offline(True)
    await page.fill("#text", "Unterwegs geschrieben")
    await expect(page.locator("#saved")).to_have_text("Entwurf noch nicht gesichert")
    assert await hub.value("SELECT count(*) FROM draft") == 0
    await page.context.set_offline(False)
    await expect(page.locator("#saved")).to_have_text("Entwurf gesichert")
    assert await hub.value("SELECT text FROM draft") == "Unterwegs geschrieben"


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


async def test_colleague_who_writes_is_seen_and_stepped_back_for(hub: HubUnderTest, site: Site) -> None:
    """Look 6: who looks and who writes stands above the composer; an empty field steps back, one click takes it again, and the line
    never changes its height."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    path = f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}"
    page = await site.open(jonas, path)
    now = page.locator(".now")
    before = await now.bounding_box()
    assert before and before["height"] == 24
    hers = await site.open(sara, path)
    await expect(page.locator("[data-present]")).to_have_text("Sara Lang sieht mit")
    await hers.locator("#text").press_sequentially("Guten")
    await expect(page.locator("[data-present]")).to_have_text("Sara Lang schreibt gerade …")
    assert ((await now.bounding_box()) or before)["height"] == 24
    await expect(page.locator("#soft")).to_contain_text("Sara Lang schreibt gerade, seit")
    await expect(page.locator("#text")).to_be_hidden()
    await page.click("#soft [data-anyway]")
    await expect(page.locator("#text")).to_be_focused()
    await hers.fill("#text", "")
    await expect(page.locator("[data-present]")).to_have_text("Sara Lang sieht mit")
    await page.fill("#text", "Schon begonnen")
    await page.locator("#text").blur()
    await hers.locator("#text").press_sequentially("Neu")
    await expect(page.locator("[data-present]")).to_have_text("Sara Lang schreibt gerade …")
    await expect(page.locator("#text")).to_be_visible()
    await hers.goto(f"{sara.base}/team")
    await expect(page.locator("[data-present]")).to_be_hidden()


async def test_eight_tabs_are_live_over_one_stream(hub: HubUnderTest, site: Site) -> None:
    """Design 9: browsers allow six connections to a host; eight pages all hear everything, whispers too, over one stream."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    path = f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}"
    context = await site.context(jonas)
    streams: set[Request] = set()
    context.on("request", lambda request: streams.add(request) if "/stream?" in request.url else None)
    for ending in ("requestfinished", "requestfailed"):
        context.on(ending, lambda request: streams.discard(request))
    pages = [await context.new_page() for _ in range(8)]
    for page in pages:
        await page.goto(jonas.base + path)
        await page.wait_for_selector("[data-connection=live]", state="attached")
    assert len(streams) == 1
    await receive(hub, channel, "An alle acht", first=2)
    await site.open(sara, path)
    for page in pages:
        await expect(page.locator(".talk .bub", has_text="An alle acht")).to_be_visible()
        await expect(page.locator("[data-present]")).to_have_text("Sara Lang sieht mit")
    await pages[0].close()
    await receive(hub, channel, "Auch ohne den ersten", first=3)
    for page in pages[1:]:
        await expect(page.locator(".talk .bub", has_text="Auch ohne den ersten")).to_be_visible()
    assert len([request for request in streams if not request.frame.page.is_closed()]) == 1


async def test_keys_lead_through_the_work(hub: HubUnderTest, site: Site, clock: FakeClock) -> None:
    """Look 11: plain keys go on, answer, note, assign and finish; "done" leads to the next conversation, ready to be answered."""
    jonas, channel = await visit(hub), await hub.connect()
    talks = []
    for number in range(3):
        talks.append(conv(await receive(hub, channel, f"Frage {number}", user=501 + number)))
        clock.advance(minutes=1)
    third, second, first = talks
    page = await site.open(jonas, "/inbox/open")
    await page.keyboard.press("j")
    await expect(page.locator(f"#{first}")).to_have_attribute("aria-current", "true")
    await expect(page.locator(f"#{first}")).to_be_focused()
    await page.keyboard.press("j")
    await expect(page.locator(f"#{second}")).to_have_attribute("aria-current", "true")
    await page.keyboard.press("k")
    await expect(page.locator(f"#{first}")).to_have_attribute("aria-current", "true")
    await page.keyboard.press("r")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("jkenra")
    await expect(page.locator("#text")).to_have_value("jkenra")
    await expect(page.locator(f"#{first}")).to_have_attribute("aria-current", "true")
    await page.fill("#text", "")
    await page.locator("#text").blur()
    await page.keyboard.press("n")
    await expect(page.locator("#note-text")).to_be_focused()
    await page.locator("#note-text").blur()
    await page.keyboard.press("a")
    await expect(page.locator("#head [data-menu=assign] button").first).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#head [data-menu=assign] summary")).to_be_focused()
    await page.keyboard.press("e")
    await expect(page.locator(f"#{second}")).to_have_attribute("aria-current", "true")
    await expect(page.locator("#text")).to_be_focused()
    await expect(page.locator(f"#{first} .st")).to_have_text("Erledigt")
    await page.click(".toast button")
    await expect(page.locator(f"#{first} .st")).to_have_text("Offen")
    assert third in await page.content()


async def test_keys_are_told(hub: HubUnderTest, site: Site) -> None:
    """Look 11: an overview by "?", closed by Escape; the names of icon buttons end with their key."""
    jonas, channel = await visit(hub), await hub.connect()
    page = await site.open(jonas, f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Tasten")).to_be_visible()
    await page.keyboard.press("e")
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()
    await expect(page.locator("#head [data-act=done]")).to_be_visible()
    await expect(page.get_by_role("button", name="Erledigt E")).to_be_visible()
    await expect(page.locator("[data-menu=assign] > summary")).to_have_attribute("aria-label", "Zuweisen (A)")
