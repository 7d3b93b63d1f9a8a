"""Each start of the demo: what has to be up, simulators that remember, open channels, and what the terminal shows."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from hub.core.db import STORE_ERRORS
from hub.core.errors import HubError
from hub.core.hooks import Hooks
from hub.core.i18n import Translator
from hub.core.settings import Settings
from hub.runtime import Runtime, open_runtime
from hub.sandbox import stories
from hub.sandbox.demo.basics import DemoFailed, Say, words
from hub.sandbox.demo.company import find_people, sign_out
from hub.sandbox.demo.connecting import connect, open_shop
from hub.sandbox.demo.phones import TELEGRAM, find_messengers

READY_SECONDS: Final = 120.0
ASK_SECONDS: Final = 0.2
KEEP_SECONDS: Final = 2.0
PASSING: Final[tuple[type[Exception], ...]] = (httpx.HTTPError, HubError, *STORE_ERRORS)
"""What happens while something is being started again: the next look tries anew."""


async def wait_for_sandbox(sandbox_port: int, say: Say) -> None:
    """Until the sandbox answers. Raises DemoFailed when it does not."""
    async with _sandbox_at(sandbox_port) as http:
        await _wait(lambda: _missing(http, "/phone"), say)


async def prepare(settings: Settings, sandbox_port: int, say: Say) -> None:
    """Wait until the hub answers, connect each messenger, give the simulators their memory back, and say how to begin.

    Safe to repeat. Raises DemoFailed when something does not come up.
    """
    t = words()
    hub = f"http://{'127.0.0.1' if settings.host in ('0.0.0.0', '::') else settings.host}:{settings.port}"
    async with _sandbox_at(sandbox_port) as http:
        await _wait(lambda: _missing(http, f"{hub}/readyz"), say)
        async with open_runtime(settings, Hooks(), pool=2) as runtime:
            has_shop = await _connect_all(runtime, http, say)
    say(_how_to_begin(t, settings.base_url, f"http://127.0.0.1:{sandbox_port}/", has_shop=has_shop))


async def keep(settings: Settings, sandbox_port: int, say: Say) -> None:
    """Give the simulators their memory back whenever the sandbox was started anew. Runs until cancelled."""
    t = words()
    async with _sandbox_at(sandbox_port) as http, open_runtime(settings, Hooks(), pool=1) as runtime:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            with contextlib.suppress(*PASSING):
                if await _has_forgotten(http):
                    await _connect_all(runtime, http, say)
                    say(t("sandbox.demo.again"))


def _sandbox_at(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10)


async def _has_forgotten(http: httpx.AsyncClient) -> bool:
    """Whether the first customer of all stories is unknown to Telegram: each start tells it of them."""
    telegram = next(one for one in await find_messengers(http) if one.connector == TELEGRAM)
    return stories.STORIES[0].address not in {person.address for person in await telegram.people()}


async def _connect_all(runtime: Runtime, http: httpx.AsyncClient, say: Say) -> bool:
    """All messengers of the sandbox; whether there is a shop too."""
    people = await find_people(runtime)
    owner = people[stories.OWNER]
    try:
        for messenger in await find_messengers(http):
            await connect(runtime, owner, messenger, say)
        return await open_shop(runtime, owner, http, say) is not None
    finally:
        for access in people.values():
            await sign_out(runtime, access)


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


def _how_to_begin(t: Translator, hub: str, phone: str, *, has_shop: bool) -> str:
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
        *([f"  {t('sandbox.demo.shop')}  {phone}shop"] if has_shop else []),
        f"  {t('sandbox.demo.login', password=stories.PASSWORD)}",
        *people,
        f"  {t('sandbox.demo.try')}",
        *[f"    {number}. {t(f'sandbox.demo.try.{number}')}" for number in range(1, 7)],
        f"  {t('sandbox.demo.english')}",
        f"  {t('sandbox.demo.end')}",
    ]
    return "\n".join(lines)
