"""Behind a proxy that buffers, the page is live all the same (design 9)."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Site
from tests.inbox.pages_support import conv, receive, visit
from tests.support import HubUnderTest


@dataclass
class BufferingProxy:
    """Hands answers on in blocks of `block` bytes, and what is left when the answer ends. One request for each connection."""

    upstream: tuple[str, int]
    block: int
    asked: list[str] = field(default_factory=list)
    """The request lines."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.split(b"\r\n", 1)[0].decode())
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            from_hub, to_hub = await asyncio.open_connection(*self.upstream)
            to_hub.write(re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)[:-2] + b"connection: close\r\n\r\n" + body)
            await self._hand_on(reader, from_hub, writer)
            to_hub.close()
        writer.close()

    async def _hand_on(self, client: asyncio.StreamReader, hub: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the hub has said everything, or the browser goes."""
        gone = asyncio.ensure_future(client.read(1))
        held = b""
        while True:
            coming = asyncio.ensure_future(hub.read(65_536))
            await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return
            block = coming.result()
            held += block
            if len(held) >= self.block or not block:
                writer.write(held)
                await writer.drain()
                held = b""
            if not block:
                gone.cancel()
                return


@contextlib.asynccontextmanager
async def behind(site: Site, block: int) -> AsyncIterator[tuple[Site, BufferingProxy]]:
    host, port = site.address.removeprefix("http://").split(":")
    proxy = BufferingProxy((host, int(port)), block)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield Site(site.hub, address, site.browser, site.errors), proxy
    finally:
        server.close()


@pytest.mark.parametrize("block", [4_096, 16_384])
async def test_page_behind_a_buffering_proxy_is_live(hub: HubUnderTest, site: Site, block: int) -> None:
    """Design 9, R-303: no beat comes through, so the page asks for changes and shows them; its second tab hears of them too."""
    jonas, channel = await visit(hub), await hub.connect()
    path = f"/inbox/open/{conv(await receive(hub, channel, 'Hallo'))}"
    async with behind(site, block) as (proxied, proxy):
        page = await proxied.open(jonas, path)
        other = await page.context.new_page()
        await other.goto(jonas.base + path)
        await receive(hub, channel, "Durch den Puffer", first=2)
        for one in (page, other):
            await expect(one.locator(".talk .bub", has_text="Durch den Puffer")).to_be_visible()
            await expect(one.locator(".views [data-connection]")).to_have_text("Live")
        await page.close()
        await receive(hub, channel, "Auch ohne den ersten", first=3)
        await expect(other.locator(".talk .bub", has_text="Auch ohne den ersten")).to_be_visible(timeout=10_000)
        assert any("/stream?" in line for line in proxy.asked)
        await page.context.close()
