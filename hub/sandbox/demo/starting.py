"""Each start of the demo: what has to be up, a simulator that remembers, an open channel, and what the terminal shows."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import httpx

from hub.channels import service as channels
from hub.channels.accounts import ACCOUNT_COLUMNS, open_channel
from hub.core.db import STORE_ERRORS
from hub.core.errors import HubError
from hub.core.hooks import Hooks
from hub.core.i18n import Translator
from hub.core.settings import Settings
from hub.runtime import Runtime, open_runtime
from hub.sandbox import stories
from hub.sandbox.demo.basics import DemoFailed, Say, words
from hub.sandbox.demo.client import Simulator
from hub.sandbox.demo.company import find_channel, find_people, sign_out
from hub.sandbox.demo.memory import give_memory

READY_SECONDS: Final = 120.0
ASK_SECONDS: Final = 0.2
KEEP_SECONDS: Final = 2.0
PASSING: Final[tuple[type[Exception], ...]] = (httpx.HTTPError, HubError, *STORE_ERRORS)
"""What happens while something is being started again: the next look tries anew."""


async def prepare(settings: Settings, sandbox_port: int, say: Say) -> None:
    """Wait until hub and simulator answer, give the simulator its memory back, open the channel, and say how to begin.

    Safe to repeat. Raises DemoFailed when something does not come up.
    """
    t = words()
    hub = f"http://{'127.0.0.1' if settings.host in ('0.0.0.0', '::') else settings.host}:{settings.port}"
    async with _simulator_at(sandbox_port) as (http, simulator):
        await _wait(lambda: _missing(http, f"{hub}/readyz"), say)
        await _wait(lambda: _missing(http, "/control"), say)
        async with open_runtime(settings, Hooks(), pool=2) as runtime:
            await _open(runtime, simulator, sandbox_port, say)
    say(_how_to_begin(t, settings.base_url, f"http://127.0.0.1:{sandbox_port}/"))


async def keep(settings: Settings, sandbox_port: int, say: Say) -> None:
    """Give the simulator its memory back whenever it was started anew. Runs until cancelled."""
    t = words()
    async with _simulator_at(sandbox_port) as (_, simulator), open_runtime(settings, Hooks(), pool=1) as runtime:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            with contextlib.suppress(*PASSING):
                if not await simulator.has_bot():
                    await _open(runtime, simulator, sandbox_port, say)
                    say(t("sandbox.demo.again"))


@contextlib.asynccontextmanager
async def _simulator_at(port: int) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator]]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as http:
        yield http, Simulator(http)


async def _missing(http: httpx.AsyncClient, url: str) -> str:
    """What does not answer yet; empty when all is well."""
    try:
        answer = await http.get(url)
    except httpx.TransportError:
        return "web" if url.endswith("/readyz") else "sandbox"
    return "" if answer.status_code == 200 else ", ".join(answer.json().get("missing", [])) or str(answer.status_code)


async def _wait(look: Callable[[], Awaitable[str]], say: Say) -> None:
    """Until nothing is missing, telling what is. Raises DemoFailed after READY_SECONDS."""
    t, told, end = words(), "", time.monotonic() + READY_SECONDS
    while missing := await look():
        if time.monotonic() > end:
            raise DemoFailed(t("sandbox.demo.silent", parts=missing, seconds=int(READY_SECONDS)))
        if missing != told:
            say(t("sandbox.demo.waiting", parts=missing))
            told = missing
        await asyncio.sleep(ASK_SECONDS)


async def _open(runtime: Runtime, simulator: Simulator, sandbox_port: int, say: Say) -> None:
    """The simulator knows what it knew; the channel is open for sending unless somebody closed it: then it only receives."""
    people = await find_people(runtime)
    owner = people[stories.OWNER]
    try:
        place = await find_channel(runtime, owner, sandbox_port)
        await give_memory(runtime, place, simulator)
        async with runtime.database.unit_of_work(place.organisation_id) as unit:
            row = await unit.sql.fetchrow(
                f"SELECT state, {ACCOUNT_COLUMNS} FROM channel WHERE organisation_id = $1 AND id = $2",
                unit.tenant,
                place.channel_id,
            )
        if row["state"] == "on" or not row["own_id"]:
            await channels.switch_on(runtime, owner, place.channel_id)
            return
        say(words()("sandbox.demo.closed"))
        channel = open_channel(runtime.vault, runtime.connectors, row)
        await channels.check_with_provider(runtime, channel)
    finally:
        for access in people.values():
            await sign_out(runtime, access)


def _how_to_begin(t: Translator, hub: str, phone: str) -> str:
    """Address, log-ins and what to try, in a few lines."""
    width = max(len(colleague.email) for colleague in stories.COLLEAGUES)
    people = [
        f"    {colleague.email.ljust(width)}  {t(f'sandbox.demo.role.{colleague.role}')}, {colleague.name}"
        for colleague in stories.COLLEAGUES
    ]
    lines = [
        "",
        t("sandbox.demo.ready", organisation=stories.ORGANISATION),
        f"  {t('sandbox.demo.hub')}  {hub}/",
        f"  {t('sandbox.demo.phone')}  {phone}",
        f"  {t('sandbox.demo.login', password=stories.PASSWORD)}",
        *people,
        f"  {t('sandbox.demo.try')}",
        *[f"    {number}. {t(f'sandbox.demo.try.{number}')}" for number in range(1, 6)],
        f"  {t('sandbox.demo.english')}",
        f"  {t('sandbox.demo.end')}",
    ]
    return "\n".join(lines)
