import os
from tests.browser.conftest import Site
from tests.inbox.pages_support import conv, visit
from tests.inbox.thread_support import *
from tests.browser.files import serve_files
from tests.support import HubUnderTest
import respx

OUT = "/tmp/thread-shots"


async def test_shots(hub: HubUnderTest, site: Site) -> None:
    os.makedirs(OUT, exist_ok=True)
    jonas, channel = await visit(hub), await hub.connect("probe")
    conversation = await receive_everything(hub, channel)
    hub.clock.advance(minutes=10)
    with respx.mock(assert_all_called=False) as router:
        n = iter(range(100, 200))

        def answer(request):
            import httpx

            hub.clock.advance(seconds=20)
            return httpx.Response(200, json={"id": f"o{next(n)}", "at": NOW + 600 + next(n)})

        router.post(SEND).mock(side_effect=answer)
        await hub.reply(conversation, "Ja, *das geht gut*. Die Box trägt _100 kg_ und sitzt tief.")
        q = await hub.reply(conversation, "Wann passt es Ihnen?", options=["Dienstag 9 Uhr", "Mittwoch 14 Uhr", "Gar nicht"])
        await hub.settle()
    await hub.rows("SELECT 1")
    keys = await hub.rows("SELECT keys FROM message_part WHERE message_id=$1", q)
    await customer(hub, channel, {"key": "r1", "option": "2", "press": "x", "reply_to": keys[0][0][0], "at": NOW + 900})
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("UPDATE message SET deleted_at = at WHERE text LIKE 'Ja, das geht%' AND false")
        await unit.sql.execute(
            """UPDATE message SET content = content || '{"reaction": "👍"}' WHERE text = 'Schaut mal' OR text='So stand es da'"""
        )
    from hub.inbox import actions

    out = await hub.value("SELECT id FROM message WHERE text LIKE 'Ja, das geht%'")
    await actions.edit(hub.runtime, hub.owner, out, "Ja, das geht *sehr* gut.")
    for scheme in ("light", "dark"):
        for width in (1440, 390):
            page = await site.open(
                jonas, f"/inbox/open/{conv(conversation)}", color_scheme=scheme, **({"has_touch": True} if width == 390 else {})
            )
            await serve_files(page)
            await page.set_viewport_size({"width": width, "height": 900 if width == 1440 else 844})
            await page.reload()
            await page.wait_for_selector("[data-connection=live]", state="attached")
            await page.wait_for_timeout(300)
            await page.screenshot(path=f"{OUT}/end-{width}-{scheme}.png")
            await page.evaluate(
                "document.querySelector('.shell').style.blockSize='5200px'; document.documentElement.style.blockSize='5200px'"
            )
            await page.set_viewport_size({"width": width, "height": 4300})
            await page.wait_for_timeout(300)
            if width == 1440:
                await page.locator(".talk").screenshot(path=f"{OUT}/talk-{width}-{scheme}.png")
            else:
                await page.locator(".talk").screenshot(path=f"{OUT}/talk-{width}-{scheme}.png")
            await page.close()
