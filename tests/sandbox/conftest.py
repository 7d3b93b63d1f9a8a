"""Fixtures of the sandbox's tests: a simulator with one bot behind a real socket, and that bot's webhook."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hub.sandbox.telegram.webhook import Options
from tests.sandbox.support import SECRET, TOKEN, Hook, Simulated, Stage, serve_app, telegram_sandbox


@pytest.fixture(scope="session")
async def stages() -> AsyncIterator[tuple[Stage, Stage]]:
    """Two real sockets for all tests: the simulator's and the webhook's."""
    simulator, webhook = Stage(), Stage()
    async with serve_app(simulator) as one, serve_app(webhook) as other:
        simulator.address, webhook.address = one, other
        yield simulator, webhook


@pytest.fixture
def options() -> Options:
    """Retries come at once; everything else as in a demo."""
    return Options(retry_delay=lambda failures, retry_after: 0.01, set_webhook_interval=0, hold_seconds=2)


@pytest.fixture
async def simulated(options: Options, stages: tuple[Stage, Stage]) -> AsyncIterator[Simulated]:
    stage = stages[0]
    stage.app = sandbox = telegram_sandbox(options)
    async with httpx.AsyncClient(trust_env=False) as http:
        one = Simulated(sandbox, stage.address, http)
        await one.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
        yield one
        await sandbox.stop()


@pytest.fixture
async def hook(simulated: Simulated, stages: tuple[Stage, Stage]) -> AsyncIterator[Hook]:
    """The bot's webhook, set with a secret."""
    stage = stages[1]
    stage.app = hook = Hook(f"{stage.address}/hooks/telegram/chn_1")
    answer = await simulated.call("setWebhook", url=hook.address, secret_token=SECRET)
    assert answer.json() == {"ok": True, "result": True, "description": "Webhook was set"}
    yield hook
    await simulated.call("deleteWebhook", drop_pending_updates=True)
