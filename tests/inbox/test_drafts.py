"""Drafts are kept on the hub: for their author alone, in every browser, until they are sent; nobody overwrites in silence."""

from typing import Any

from hub.core.clock import FakeClock
from tests.inbox.pages_support import PAGE, Visitor, conv, receive, visit
from tests.support import HubUnderTest


async def save(who: Visitor, conversation: str, text: str, version: int = 0, *, kind: str = "reply", status: int = 200) -> Any:
    response = await who.post(f"/conversations/{conversation}/draft", kind=kind, text=text, version=str(version))
    assert response.status_code == status, response.text
    return response.json()


async def test_draft_is_there_in_another_browser_and_only_for_its_author(hub: HubUnderTest) -> None:
    """R-303: what an agent began stands in row and field wherever they open it; colleagues see nothing of it."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    await save(jonas, conversation, "Halb fertig")
    page = await jonas.page(f"/inbox/open/{conversation}")
    assert '<span class="begun">Entwurf:</span> Halb fertig' in page and ">Halb fertig</textarea>" in page
    assert "Halb fertig" not in await sara.page(f"/inbox/open/{conversation}")
    assert "Halb fertig" not in str(await sara.data("/updates", rows=conversation))


async def test_second_page_does_not_overwrite_the_first(hub: HubUnderTest, clock: FakeClock) -> None:
    """The page that knows an older version is told what was kept meanwhile; with that version it may go on."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    first = (await save(jonas, conversation, "Eins"))["version"]
    told = await save(jonas, conversation, "Zwei", status=409)
    assert (told["kept"], told["version"]) == ("Eins", first)
    second = (await save(jonas, conversation, "Eins und drei", first))["version"]
    assert second > first
    assert (await save(jonas, conversation, "Zwei", first, status=409))["kept"] == "Eins und drei"
    assert (await save(jonas, conversation, "", first, status=409))["kept"] == "Eins und drei"
    assert await hub.value("SELECT text FROM draft") == "Eins und drei"


async def test_sending_takes_the_draft_away(hub: HubUnderTest) -> None:
    """A reply takes its author's draft with it, a note the note's; a colleague's stays. Who still has the text is told."""
    jonas, sara, channel = await visit(hub), await visit(hub, "Sara Lang"), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    version = (await save(jonas, conversation, "Guten Tag"))["version"]
    await save(jonas, conversation, "Notiz", kind="note")
    await save(sara, conversation, "Von Sara")
    await jonas.post(f"/conversations/{conversation}/messages", text="Guten Tag", client_key="k")
    assert [row["text"] for row in await hub.rows("SELECT text FROM draft ORDER BY text")] == ["Notiz", "Von Sara"]
    assert (await save(jonas, conversation, "Guten Tag!", version, status=409)) == {
        "error": "draft_moved",
        "kept": "",
        "version": 0,
    }
    await jonas.post(f"/conversations/{conversation}/notes", text="Notiz")
    assert [row["text"] for row in await hub.rows("SELECT text FROM draft")] == ["Von Sara"]


async def test_refused_reply_keeps_the_draft(hub: HubUnderTest) -> None:
    """I4: what could not be sent is still begun."""
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    await save(jonas, conversation, "Guten Tag")
    await receive(hub, channel, "STOP", first=2)
    assert (await jonas.post(f"/conversations/{conversation}/messages", text="Guten Tag", client_key="k")).status_code == 409
    assert ">Guten Tag</textarea>" in await jonas.page(f"/inbox/open/{conversation}")


async def test_emptied_draft_is_gone(hub: HubUnderTest) -> None:
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    version = (await save(jonas, conversation, "x"))["version"]
    assert (await save(jonas, conversation, " \n", version))["version"] == 0
    assert (await save(jonas, conversation, ""))["version"] == 0
    assert await hub.value("SELECT count(*) FROM draft") == 0
    assert 'class="begun"' not in await jonas.page("/inbox/open")


async def test_draft_that_is_too_long_is_refused(hub: HubUnderTest) -> None:
    jonas, channel = await visit(hub), await hub.connect()
    conversation = conv(await receive(hub, channel, "Hallo"))
    await save(jonas, conversation, "x" * 20_001, status=422)
    await save(jonas, conversation, "x", kind="letter", status=422)
    response = await jonas.post(f"/conversations/{conversation}/draft", headers=PAGE, kind="reply", text="x", version="-1")
    assert response.status_code == 422
