"""The hub of these tests reaches one simulated Telegram over a real socket, and nothing else."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from hub.connectors.registry import Registry, discover
from hub.core.settings import Settings
from hub.sandbox.telegram.webhook import Options
from tests.sandbox.support import TOKEN, Simulated, Stage, serve_app, telegram_sandbox


@pytest.fixture(scope="session")
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    async with serve_app(stage) as address:
        stage.address = address
        yield stage


@pytest.fixture
async def simulated(stage: Stage) -> AsyncIterator[Simulated]:
    """Telegram with the bot whose token these tests know."""
    stage.app = sandbox = telegram_sandbox(Options(set_webhook_interval=0, retry_delay=lambda *_: 60))
    async with httpx.AsyncClient(trust_env=False) as http:
        one = Simulated(sandbox, stage.address, http)
        await one.control("POST", "/bots", {"token": TOKEN, "name": "Muster Optik", "username": "muster_optik_bot"})
        yield one
        await sandbox.stop()


@pytest.fixture
def settings(settings: Settings, stage: Stage) -> Settings:
    return settings.model_copy(update={"trusted_hosts": frozenset({urlsplit(stage.address).netloc})})


@pytest.fixture
def connectors() -> Registry:
    """Only what a business can really connect."""
    return discover()
