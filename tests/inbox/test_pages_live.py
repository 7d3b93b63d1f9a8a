"""The stream and its catching up (I11): complete, in order, for those who may look, and no longer."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from hub.core.feed import note_change
from hub.inbox.page import stream
from hub.organisations import sessions, team
from tests.inbox.pages_support import DATA, Visitor, serve, serving, visit
from tests.support import HubUnderTest

PATIENCE = 5.0


async def note(hub: HubUnderTest, *kinds: str) -> None:
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        for kind in kinds:
            note_change(unit, kind, {"conversation": "conv_x"})


class Stream:
    """An open stream, event by event."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def event(self) -> dict[str, str]:
        """The next event's fields; {} at the end of the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if not line and fields:
                    return fields
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
        return {}


@contextlib.asynccontextmanager
async def opened(address: str, who: Visitor, after: int, **headers: str) -> AsyncIterator[Stream]:
    cookies = dict(who.client.cookies)
    async with (
        httpx2.AsyncClient(base_url=address, cookies=cookies, timeout=PATIENCE) as client,
        client.stream("GET", f"{who.base}/stream?after={after}", headers=headers) as response,
    ):
        assert response.status_code == 200
        yield Stream(response)


async def test_every_change_once_and_in_order(hub: HubUnderTest) -> None:
    """I11: a stream begins after its cursor and tells each later change with its number."""
    jonas = await visit(hub)
    await note(hub, "message", "conversation")
    async with serve(hub) as address, opened(address, jonas, after=1) as live:
        assert live.response.headers["x-accel-buffering"] == "no"
        assert await live.event() == {"event": "beat", "data": "1"}
        await note(hub, "channel")
        told = [await live.event() for _ in range(2)]
    assert [event["id"] for event in told] == ["2", "3"]
    assert [json.loads(event["data"])["kind"] for event in told] == ["conversation", "channel"]


async def test_last_event_id_wins_over_the_address(hub: HubUnderTest) -> None:
    """I11: a browser that reconnects by itself goes on where it was."""
    jonas = await visit(hub)
    await note(hub, "message", "message", "message")
    async with serve(hub) as address, opened(address, jonas, after=0, **{"last-event-id": "2"}) as live:
        await live.event()
        assert (await live.event())["id"] == "3"


async def test_padding_passes_buffering_proxies(hub: HubUnderTest) -> None:
    """Design 9: the first bytes are more than a proxy holds back."""
    jonas = await visit(hub)
    async with serve(hub) as address, opened(address, jonas, after=0) as live:
        assert len(await anext(live.response.aiter_bytes())) > 2048


async def test_beats_show_that_the_line_is_open(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design 9: a quiet stream beats."""
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0.05)
    jonas = await visit(hub)
    async with serve(hub) as address, opened(address, jonas, after=0) as live:
        assert [(await live.event())["event"] for _ in range(3)] == ["beat"] * 3


@pytest.mark.parametrize("how", ["log-out", "deactivation"])
async def test_stream_ends_when_its_person_may_not_look(hub: HubUnderTest, how: str) -> None:
    """R-048, design 9: within a second of log-out or deactivation; what the page asks for then is answered 401."""
    jonas = await visit(hub)
    async with serve(hub) as address, opened(address, jonas, after=0) as live:
        await live.event()
        if how == "log-out":
            async with hub.runtime.database.system() as unit:
                await sessions.end_token(unit, jonas.token)
        else:
            await team.deactivate(hub.runtime, hub.owner, jonas.member_id)
        async with asyncio.timeout(1.0):
            while await live.event():
                pass
    assert (await jonas.client.get(f"{jonas.base}/changes?after=0", headers=DATA)).status_code == 401


async def test_nothing_is_told_after_the_right_is_gone(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design 9: the right is checked before each change, not only now and then."""
    monkeypatch.setattr(stream, "CHECK_SECONDS", 60.0)
    jonas = await visit(hub)
    async with serve(hub) as address, opened(address, jonas, after=0) as live:
        await live.event()
        async with hub.runtime.database.system() as unit:
            await sessions.end_token(unit, jonas.token)
        await note(hub, "message")
        assert await live.event() == {}


@pytest.mark.parametrize("number", [0, 10**15], ids=["older than the feed", "from the future"])
async def test_an_odd_number_of_one_page_holds_up_no_other(hub: HubUnderTest, number: int) -> None:
    """I11: where the feed stands is read from the table, not believed of whoever comes first."""
    jonas = await visit(hub)
    await note(hub, "message", "message", "message")
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("DELETE FROM feed_entry WHERE seq <= 2")
    async with serve(hub) as address, opened(address, jonas, after=number) as odd, opened(address, jonas, after=3) as live:
        await odd.event()
        await live.event()
        await note(hub, "channel")
        assert (await live.event())["id"] == "4"


async def test_a_page_that_is_closed_leaves_nothing_behind(hub: HubUnderTest) -> None:
    """Thousands of pages come and go in a day."""
    jonas = await visit(hub)
    async with serving(hub) as (address, server):
        async with opened(address, jonas, after=0) as live:
            await live.event()
            assert len(server.server_state.tasks) == 1
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*server.server_state.tasks)


@dataclass
class Raw:
    """An open stream as bytes, to be read or not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def numbers(self, count: int) -> list[int]:
        """The numbers of the next so many changes."""
        found: list[int] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                line = await self.reader.readline()
                assert line, "the stream has ended"
                if line.startswith(b"id: "):
                    found.append(int(line[4:]))
        return found


@contextlib.asynccontextmanager
async def opened_raw(hub: HubUnderTest, address: str, who: Visitor) -> AsyncIterator[Raw]:
    """With buffers of a few kilobytes at this end, and nothing read ahead."""
    url = httpx2.URL(address)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=8192)
    cookie = f"{sessions.cookie_name(hub.runtime.settings)}={who.token}"
    writer.write(f"GET {who.base}/stream?after=0 HTTP/1.1\r\nhost: {url.host}\r\ncookie: {cookie}\r\n\r\n".encode())
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()


async def test_a_page_that_stops_reading_holds_up_nobody_and_costs_no_memory(hub: HubUnderTest) -> None:
    """Design 9, R-303: 2,000 changes of 2 kB pass a page that reads none of them. The others get each at once; what waits for the
    slow one stays below uvicorn's 64 kB; and when it reads again it gets every number."""
    changes, size = 2000, 2000
    jonas, slow_one = await visit(hub), await visit(hub, "Slow Reader")
    async with (
        serving(hub) as (address, server),
        opened_raw(hub, address, slow_one) as slow,
        opened_raw(hub, address, jonas) as quick,
    ):
        for first in range(0, changes, 100):
            async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
                for _ in range(100):
                    note_change(unit, "message", {"conversation": "x" * size})
            assert await quick.numbers(100) == list(range(first + 1, first + 101))
            waiting = [connection.transport.get_write_buffer_size() for connection in server.server_state.connections]
            assert max(waiting) < 65_536 + 2 * size
        assert max(waiting) > 0, "the slow page was not slow"
        assert await slow.numbers(changes) == list(range(1, changes + 1))


async def test_catching_up_by_number(hub: HubUnderTest) -> None:
    """I11: what was missed comes by number; what is no longer kept says reload."""
    jonas = await visit(hub)
    await note(hub, "message", "conversation", "channel")
    answer: dict[str, Any] = await jonas.data("/changes", after=1)
    assert [change["seq"] for change in answer["changes"]] == [2, 3]
    assert (answer["seq"], answer["reload"]) == (3, False)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await unit.sql.execute("DELETE FROM feed_entry WHERE seq <= 2")
    assert (await jonas.data("/changes", after=1))["reload"] is True


async def test_page_carries_its_cursor(hub: HubUnderTest) -> None:
    """I11: the cursor of a page is not newer than anything on it."""
    jonas = await visit(hub)
    await note(hub, "message")
    assert 'data-seq="1"' in await jonas.page("/inbox/open")


async def test_stream_of_a_foreign_organisation_does_not_exist(hub: HubUnderTest) -> None:
    """R-263: neither its stream nor its changes."""
    jonas = await visit(hub)
    await hub.found("velo", "Velo Bregenz")
    for path in ("stream", "changes"):
        assert (await jonas.client.get(f"/o/velo/{path}?after=0", headers=DATA)).status_code == 404
