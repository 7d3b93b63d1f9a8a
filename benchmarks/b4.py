"""B4: memory at rest, and for each open inbox."""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.place import Child, Place
from benchmarks.report import Figure, Section

AT_ONCE: Final = 50
"""Streams that are opened at the same time."""
ORGANISATIONS: Final = 50
SETTLE_SECONDS: Final = 5.0
"""After the last stream was opened: the first checks and beats are part of what a stream needs."""
MEBIBYTE: Final = 1024 * 1024


class _Streams:
    """Open streams of one server, read as they come in."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._readers: list[asyncio.Task[None]] = []

    async def open(self, requests: Sequence[bytes]) -> None:
        for first in range(0, len(requests), AT_ONCE):
            opened = [self._open(request) for request in requests[first : first + AT_ONCE]]
            self._readers += await asyncio.gather(*opened)
        await asyncio.sleep(SETTLE_SECONDS)
        ended = sum(task.done() for task in self._readers)
        assert not ended, f"{ended} streams ended by themselves"

    async def _open(self, request: bytes) -> asyncio.Task[None]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        return asyncio.create_task(self._read(reader, writer))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while await reader.read(65536):
                pass

    async def close(self) -> None:
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


def memory(child: Child) -> float:
    """A process's share of memory in MiB: what only it uses, and its part of what it shares (PSS)."""
    found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{child.pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / MEBIBYTE


async def measure(place: Place, *, quick: bool) -> Section:
    """All of B4."""
    section = Section("b4", "B4 Memory")
    runs, step = (1, 500) if quick else (3, 1000)
    async with place.runtime() as runtime:
        shops = [await place.found(runtime, f"shop-{number}", channels=1) for number in range(ORGANISATIONS)]
        requests = []
        for number in range(2 * step):
            shop = shops[number % len(shops)]
            cookie = await place.session(runtime, shop)
            requests.append(_request(f"/o/{shop.slug}/stream?after=0", cookie))
    rest_web, rest_worker, hub, raw = [], [], [], []
    for _ in range(runs):
        section.note_load()
        web, worker = place.start_hub()
        await asyncio.sleep(SETTLE_SECONDS)
        rest_web.append(memory(web))
        rest_worker.append(memory(worker))
        hub.append(await _slope(place.port, web, requests, step))
        place.stop(worker)
        place.stop(web)
        silent, port = place.start_silent()
        raw.append(await _slope(port, silent, [_request("/", "x" * 60)] * (2 * step), step))
        place.stop(silent)
    section.figures = [
        Figure("web at rest", rest_web, "MiB", digits=1),
        Figure("worker at rest", rest_worker, "MiB", digits=1),
        Figure("1,000 streams of a raw ASGI server", raw, "MiB", digits=1),
        Figure("1,000 streams of the hub", hub, "MiB", digits=1),
        Figure(
            "as a multiple of raw",
            [value / beside for value, beside in zip(hub, raw, strict=True)],
            goal=2.0,
            better="less",
            digits=2,
        ),
    ]
    section.notes = [
        f"Proportional set size from `/proc/PID/smaps_rollup`. Streams: what {step:,} more need when {step:,} are open already"
        + ("" if step == 1000 else ", for 1,000")
        + f"; each with a session of its own, in {ORGANISATIONS} organisations.",
        "Raw is `benchmarks/silent.py` on uvicorn with the settings of `hub web`: it sends what a stream begins with and then "
        "waits. Fresh processes for each run.",
    ]
    return section


def _request(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\naccept: text/event-stream\r\n\r\n".encode()


async def _slope(port: int, server: Child, requests: Sequence[bytes], step: int) -> float:
    """MiB for 1,000 more streams: the first ones also fill caches and pools, so they are not counted."""
    streams = _Streams(port)
    await streams.open(requests[:step])
    before = memory(server)
    await streams.open(requests[step:])
    after = memory(server)
    await streams.close()
    return (after - before) * 1000 / step
