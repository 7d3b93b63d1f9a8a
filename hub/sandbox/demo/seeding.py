"""The first start: the sample organisation is made and its stories are played in this process, before any other runs.

An interrupted `seed` goes on where it was: each step of a story leaves one line in its thread, and the lines are counted.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from typing import Final

import httpx
import uvicorn

from hub.core import clock
from hub.core.clock import FakeClock
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.inbox.arriving.door import Door
from hub.runtime import Runtime, open_runtime
from hub.sandbox.app import create_sandbox_app
from hub.sandbox.demo.basics import DemoFailed, Say, words
from hub.sandbox.demo.company import find_organisation
from hub.sandbox.demo.playing import SEEDED, Stage
from hub.sandbox.signal.simulator import SignalSimulator

FOUNDED_BEFORE: Final = timedelta(days=7)


async def seed(settings: Settings, hooks: Hooks, sandbox_port: int, say: Say) -> None:
    """Found the sample organisation and play its stories, unless that was done before. Nothing else of the hub may run meanwhile:
    for this process the time is that of the stories, which would not be so for others.

    Raises DemoFailed when a port of the demo is taken.
    """
    t = words()
    with _listen(settings.host, settings.port), _listen("127.0.0.1", sandbox_port) as listener:
        async with open_runtime(settings, hooks, pool=4, door_pool=2) as runtime:
            if await _is_seeded(runtime):
                return
            say(t("sandbox.demo.seeding"))
            now = clock.now()
            story_clock = FakeClock(now - FOUNDED_BEFORE)
            clock.set_clock(story_clock)
            try:
                door = Door(runtime)
                async with _playing(door, listener, sandbox_port) as http:
                    await Stage(runtime, door, http, say).play(now, story_clock)
            finally:
                clock.set_clock(None)


@contextlib.contextmanager
def _listen(host: str, port: int) -> Generator[socket.socket, None, None]:
    try:
        listener = socket.create_server((host, port))
    except OSError:
        raise DemoFailed(words()("sandbox.demo.port_taken", port=port)) from None
    with listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it only on sockets it made itself
        yield listener


class _Server(uvicorn.Server):
    """A server inside this process, which keeps its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def _playing(door: Door, listener: socket.socket, port: int) -> AsyncIterator[httpx.AsyncClient]:
    """The sandbox in this process behind a real socket; its webhooks go through the hub's door. The client asks it directly."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door)) as to_hub:
        sandbox = create_sandbox_app(http=to_hub)
        for simulator in sandbox.simulators.all():
            if isinstance(simulator, SignalSimulator):
                simulator.courier.quiet = 0.0  # nobody writes between two steps: there is nothing to wait for
        server = _Server(uvicorn.Config(sandbox, lifespan="off", log_level="critical", ws="none", timeout_graceful_shutdown=1))
        running = asyncio.create_task(server.serve([listener]))
        try:
            transport = httpx.ASGITransport(sandbox)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}") as http:
                yield http
        finally:
            server.should_exit = True
            await sandbox.stop()
            await running


async def _is_seeded(runtime: Runtime) -> bool:
    organisation_id = await find_organisation(runtime)
    if organisation_id is None:
        return False
    async with runtime.database.unit_of_work(organisation_id) as unit:
        return bool(
            await unit.sql.fetchval(
                "SELECT true FROM audit_entry WHERE organisation_id = $1 AND action = $2 LIMIT 1", unit.tenant, SEEDED
            )
        )
