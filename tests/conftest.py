"""Fixtures of the whole suite: real servers, one database per test cloned from a migrated template, a clock that tests move.

`servers`   PostgreSQL and Valkey of this test process: embedded, or outside ones (scripts/outside.sh): HUB_TEST_DATABASE_URL names
            a superuser, HUB_TEST_REDIS_URL a server that may be emptied
`hub`       a hub of its own: database, web application, organisation with people, channels; nothing runs by itself, `settle` works
            everything that is due
`clock`     the time, standing still at a named moment
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog
from argon2 import PasswordHasher
from asgi_lifespan import LifespanManager

from hub.app import Hub
from hub.connectors.registry import Registry, discover
from hub.core import clock as clock_module
from hub.core import ids
from hub.core.clock import FakeClock
from hub.core.services import EmbeddedServices, postgres
from hub.core.settings import Settings
from hub.migrations.run import migrate
from hub.organisations import passwords
from hub.organisations.policy import sync_policies
from tests import outbound
from tests.probe import probe
from tests.requirements import named_tests
from tests.smtp import smtp
from tests.support import HubUnderTest

__all__ = ["outbound", "smtp"]
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in Berlin."""


class Servers:
    """The servers of this test process. `admin_url` names the maintenance database."""

    def __init__(self, admin_url: str, login_url: str, redis_url: str) -> None:
        self.admin_url, self.login_url, self.redis_url = admin_url, login_url, redis_url

    def database(self, url: str, name: str) -> str:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def _make_login(admin_url: str) -> str:
    """The application's log-in on an outside server, made as docs/deploy.md says; its address."""
    connection = await asyncpg.connect(admin_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(4812)")  # each test process comes by
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'hub_test_login'"):
                await connection.execute("CREATE ROLE hub_test_login LOGIN NOINHERIT PASSWORD 'hub_test'")
    finally:
        await connection.close()
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(netloc=f"hub_test_login:hub_test@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    admin_url, redis_url = os.environ.get("HUB_TEST_DATABASE_URL"), os.environ.get("HUB_TEST_REDIS_URL")
    if admin_url and redis_url:
        number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield Servers(admin_url, asyncio.run(_make_login(admin_url)), f"{redis_url.rstrip('/')}/{number}")
        return
    with EmbeddedServices(tmp_path_factory.mktemp("servers")) as services:
        with pytest.MonkeyPatch.context() as patch:  # a power cut takes the tests with it: a database is made in 0.1 s, not in 0.4
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                patch.setitem(postgres.SETTINGS, name, "off")
            urls = services.start()
        yield Servers(urls.admin_url, urls.database_url, urls.redis_url)


@pytest.fixture(scope="session")
def template(servers: Servers) -> str:
    """The name of a migrated, empty database that others are cloned from."""
    name = f"template_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"

    async def create() -> None:
        await servers.execute(f'CREATE DATABASE "{name}"')

    asyncio.run(create())
    migrate(servers.database(servers.admin_url, name), servers.login_url)
    settings = Settings(
        database_url=servers.database(servers.login_url, name),
        redis_url=servers.redis_url,
    )
    asyncio.run(sync_policies(settings))
    return name


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """The time stands at START until a test moves it."""
    fake = FakeClock(START)
    clock_module.set_clock(fake)
    yield fake
    clock_module.set_clock(None)


@pytest.fixture
async def database_name(servers: Servers, template: str) -> AsyncIterator[str]:
    name = f"test_{ids.new_id().hex}"
    await servers.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield name
    await servers.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def settings(servers: Servers, database_name: str, tmp_path: Path) -> Settings:
    values: dict[str, Any] = {
        "database_url": servers.database(servers.login_url, database_name),
        "database_admin_url": servers.database(servers.admin_url, database_name),
        "redis_url": servers.redis_url,
        "data": tmp_path / "data",
        "public_url": "http://hub.test",
        "minimum_free_disk_mb": 0,
        "log_level": "WARNING",
    }
    return Settings(**values)


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line finds the servers and the data folder of this test."""
    for name in ("database_url", "database_admin_url", "redis_url"):
        monkeypatch.setenv(f"HUB_{name.upper()}", getattr(settings, name).get_secret_value())
    monkeypatch.setenv("HUB_DATA", str(settings.data))


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password costs the least that argon2id takes, not a sixth of a second of the processor: each test founds an organisation.
    What is stored in earnest is tried in organisations/test_login.py."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def connectors() -> Registry:
    """All real connectors and the probe."""
    return Registry([*discover().values(), probe])


@pytest.fixture
async def hub(settings: Settings, connectors: Registry, clock: FakeClock) -> AsyncIterator[HubUnderTest]:
    """A hub with one organisation and nothing in its inbox."""
    app = Hub(settings, connectors)
    async with LifespanManager(app):
        runtime = app.web.state.runtime
        await runtime.queue.redis.flushdb()
        under_test = HubUnderTest(app, runtime, clock)
        await under_test.found("radwerk", "Radwerk Lindau")
        yield under_test
        await under_test.close()


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """What one test's hub set up for its logs holds for no other test."""
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


_passed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.add(report.nodeid.partition("[")[0])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """After a whole run: every test that `docs/requirements.csv` names has run and passed."""
    config = session.config
    is_worker = hasattr(config, "workerinput")
    if is_worker or config.args != config.getini("testpaths") or config.option.keyword or session.exitstatus != 0:
        return
    absent = {requirement: test for requirement, test in named_tests().items() if test not in _passed}
    for requirement, test in absent.items():
        config.get_terminal_writer().line(f"\n{requirement}: {test} did not run or did not pass", red=True)
    if absent:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
