"""Live, the other way: a widget hears what changes in its box and nothing else (I11)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from hub.inbox.sending import dispatch
from hub.webchat import stream, visitors
from tests.inbox.pages_support import serve
from tests.inbox.test_pages_live import PATIENCE, Stream
from tests.support import HubUnderTest
from tests.webchat.support import SITE, Browser, visit_site


@contextlib.asynccontextmanager
async def listening(address: str, visitor: Browser) -> AsyncIterator[Stream]:
    headers = {**visitor.headers, "origin": SITE}
    async with (
        httpx2.AsyncClient(base_url=address, timeout=PATIENCE) as client,
        client.stream("GET", f"{visitor.base}/stream", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == SITE
        yield Stream(response)


async def news(live: Stream) -> list[dict[str, Any]]:
    """The messages of the next change."""
    event = await live.event()
    assert event["event"] == "box"
    return list(json.loads(event["data"])["messages"])


async def test_box_comes_first_and_then_only_what_changes(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    async with serve(hub) as address, listening(address, visitor) as live:
        assert await live.event() == {"event": "beat", "data": "1"}
        assert [one["text"] for one in await news(live)] == ["Hallo"]
        await hub.reply(conversation, "Guten Tag")
        await hub.settle()
        answered = await news(live)
        assert [(one["text"], one["state"]) for one in answered] == [("Guten Tag", "sent")]
        await visitor.mark("read", answered[0]["id"])
        await visitor.conversation()
        assert [(one["text"], one["state"]) for one in await news(live)] == [("Guten Tag", "read")]


async def test_first_message_appears_while_it_is_applied(hub: HubUnderTest) -> None:
    """Before there is a conversation, others' messages do not count as one's own."""
    visitor = await (await visit_site(hub)).start()
    other = await (await visit_site(hub, visitor.channel)).start()
    async with serve(hub) as address, listening(address, visitor) as live:
        await live.event()
        assert await news(live) == []
        await other.write("Von jemand anderem")
        await other.conversation()
        await visitor.write("Von mir")
        await visitor.conversation()
        assert [one["text"] for one in await news(live)] == ["Von mir"]


async def test_typing_that_was_let_through(hub: HubUnderTest) -> None:
    """An agent's typing goes out by the road of everything that leaves: with a permit, or not at all."""
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    clients = dispatch.Clients(frozenset())
    async with serve(hub) as address, listening(address, visitor) as live:
        await live.event()
        await news(live)
        for _ in range(2):  # the first time the channel's bucket of tokens is still empty
            await dispatch.show_sign(hub.runtime, clients, hub.organisation_id, conversation, "typing")
            await asyncio.sleep(0.05)
        assert await live.event() == {"event": "typing", "data": "1"}
    await clients.close()


async def test_stream_ends_with_the_conversation(hub: HubUnderTest, monkeypatch: Any) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.2)
    visitor = await (await visit_site(hub)).start()
    async with serve(hub) as address, listening(address, visitor) as live:
        await live.event()
        await news(live)
        await visitor.post("end", {})
        while event := await live.event():
            assert event["event"] == "beat"


async def test_stream_holds_no_session(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    async with serve(hub) as address, contextlib.AsyncExitStack() as stack:
        for _ in range(hub.runtime.settings.pool_web + 5):
            live = await stack.enter_async_context(listening(address, visitor))
            await live.event()
            await news(live)
        assert (await visitor.get("box")).status_code == 200


async def test_poll_waits_for_another_box(hub: HubUnderTest, monkeypatch: Any) -> None:
    """Where no stream comes through: the answer comes with the change, or after a while without one."""
    monkeypatch.setattr(stream, "LONGEST_POLL", 3.0)
    visitor = await (await visit_site(hub)).start()
    await visitor.write("Hallo")
    conversation = await visitor.conversation()
    first = (await visitor.get("box")).json()
    waiting = asyncio.create_task(visitor.get("box", known=first["version"]))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await hub.reply(conversation, "Guten Tag")
    await hub.settle()
    second = (await waiting).json()
    assert [one["text"] for one in second["messages"]] == ["Hallo", "Guten Tag"]
    monkeypatch.setattr(stream, "LONGEST_POLL", 0.05)
    third = (await visitor.get("box", known=second["version"])).json()
    assert third["version"] == second["version"]


async def test_forgotten_visitor_is_not_listened_to(hub: HubUnderTest) -> None:
    visitor = await (await visit_site(hub)).start()
    hub.clock.advance(days=visitors.FORGOTTEN_AFTER.days + 1)
    assert (await visitor.get("stream")).status_code == 401
