"""Where measurements happen: servers of their own in a temporary folder, the hub's real processes, loopback only.

with Place() as place:
    place.start_hub()
    shop = await place.found("shop", channels=50)
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import urlopen
from uuid import UUID

import asyncpg

from benchmarks.load import Job, Outcome, Target, outcome_of
from hub.channels.service import callback_url, connect_channel
from hub.core import ids
from hub.core.hooks import Hooks
from hub.core.services import EmbeddedServices
from hub.core.settings import Settings
from hub.inbox.arriving.ingest import load_channel
from hub.listeners import subscribe
from hub.migrations.run import migrate
from hub.organisations import sessions
from hub.organisations.actor import Access
from hub.organisations.policy import sync_policies
from hub.organisations.service import found_organisation
from hub.organisations.sessions import Origin
from hub.runtime import Runtime, open_runtime

REPOSITORY: Final = Path(__file__).parent.parent
PASSWORD: Final = "ein langes Passwort 42"
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
DRAIN_SECONDS: Final = 240.0
DURABILITY: Final = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Shop:
    """An organisation with its connected Telegram channels and a session of its owner."""

    organisation_id: UUID
    slug: str
    access: Access
    cookie: str
    channels: list[UUID]
    targets: list[Target]


class Child:
    """A process of a measurement. Its output goes to a file in the place's folder."""

    def __init__(self, name: str, arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=os.environ | environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        """Ask it to end; kill it when it does not."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Place:
    """PostgreSQL, Valkey and a migrated database in a temporary folder, and the processes that were started on them."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="hub-bench-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.folder.chmod(0o755)  # so that the servers' own user gets through to its folder
        self.data = self.folder / "data"
        self._services = EmbeddedServices(self.data)
        self._children: list[Child] = []
        self.port = free_port()
        self.sandbox_port = free_port()
        self.settings: Settings
        self.admin_url = ""

    def __enter__(self) -> Self:
        urls = self._services.start()
        self.admin_url = urls.admin_url
        self.settings = Settings(
            data=self.data,
            database_url=urls.database_url,
            redis_url=urls.redis_url,
            port=self.port,
            public_url=f"http://127.0.0.1:{self.port}",
            trusted_hosts=f"127.0.0.1:{self.sandbox_port}",
        )
        migrate(urls.admin_url, urls.database_url)
        asyncio.run(sync_policies(self.settings))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in reversed(self._children):
            child.stop()
        self._services.stop()
        self._temporary.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """For the hub's processes."""
        assert self.settings.database_url is not None and self.settings.redis_url is not None
        return {
            "HUB_DATA": str(self.data),
            "HUB_DATABASE_URL": self.settings.database_url.get_secret_value(),
            "HUB_REDIS_URL": self.settings.redis_url.get_secret_value(),
            "HUB_PORT": str(self.port),
            "HUB_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "HUB_TRUSTED_HOSTS": f"127.0.0.1:{self.sandbox_port}",
            "HUB_LOG_LEVEL": "WARNING",
        }

    def start(self, name: str, *arguments: str) -> Child:
        child = Child(name, arguments, self.environment, self.folder)
        self._children.append(child)
        return child

    def stop(self, child: Child) -> None:
        self._children.remove(child)
        child.stop()

    def start_hub(self) -> tuple[Child, Child]:
        """One web process and one worker."""
        web = self.start("web", "hub", "web")
        worker = self.start("worker", "hub", "worker")
        wait_for(f"http://127.0.0.1:{self.port}/readyz", web)
        return web, worker

    def start_sandbox(self) -> None:
        """The Telegram simulator."""
        sandbox = self.start("sandbox", "hub", "sandbox", "--port", str(self.sandbox_port))
        wait_for(f"http://127.0.0.1:{self.sandbox_port}/control", sandbox)

    def start_bare(self, secret: str) -> int:
        """The application that the hub is compared with; its port."""
        port = free_port()
        bare = self.start("bare", "benchmarks.bare", str(port), secret)
        wait_for_port(port, bare)
        return port

    def start_silent(self) -> tuple[Child, int]:
        """The application that open streams are compared with, and its port."""
        port = free_port()
        silent = self.start("silent", "benchmarks.silent", str(port))
        wait_for_port(port, silent)
        return silent, port

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[Runtime]:
        """The hub's services for this process, as a worker has them."""
        async with open_runtime(self.settings, subscribe(Hooks()), pool=4) as runtime:
            yield runtime

    async def found(self, runtime: Runtime, slug: str, *, channels: int, token: str = "") -> Shop:
        """An organisation whose channels are on, as if their set-up had succeeded. Bots are at the simulator."""
        founded = await found_organisation(
            runtime, name=slug, slug=slug, owner_email=f"owner@{slug}.example", owner_name="Olga Inhaber", owner_password=PASSWORD
        )
        async with runtime.database.system() as unit:
            person_id = await unit.sql.fetchval("SELECT person_id FROM member WHERE id = $1", founded.member_id)
            session_id, cookie = await sessions.start(unit, runtime.settings, person_id, Origin("127.0.0.1", ""), stay=True)
        access = Access(
            session_id=session_id,
            person_id=person_id,
            person_name="Olga Inhaber",
            email=f"owner@{slug}.example",
            locale="de",
            csrf_token="",
            organisation_id=founded.organisation_id,
            slug=slug,
            organisation_name=slug,
            zone="Europe/Berlin",
            member_id=founded.member_id,
            role="owner",
        )
        shop = Shop(founded.organisation_id, slug, access, f"{sessions.cookie_name(runtime.settings)}={cookie}", [], [])
        for number in range(channels):
            await self._connect(runtime, shop, token or f"7{number:09}:AAE-benchmark_token_of_35_characters")
        return shop

    async def _connect(self, runtime: Runtime, shop: Shop, token: str) -> None:
        values = {"bot_token": token, "base_url": f"http://127.0.0.1:{self.sandbox_port}"}
        channel_id = await connect_channel(runtime, shop.access, connector="telegram", title="Telegram", values=values)
        async with runtime.database.unit_of_work(shop.organisation_id) as unit:
            await unit.sql.execute(
                "UPDATE channel SET state = 'on', own_id = $2, callback_url = $3 WHERE id = $1",
                channel_id,
                token.partition(":")[0],
                callback_url(runtime, "telegram", channel_id),
            )
        channel = await load_channel(runtime, shop.organisation_id, channel_id)
        shop.channels.append(channel_id)
        shop.targets.append(Target(f"/hooks/telegram/{ids.show('chn', channel_id)}", channel.account.webhook_secrets[0]))

    async def session(self, runtime: Runtime, shop: Shop) -> str:
        """The cookie of one more session of the owner."""
        async with runtime.database.system() as unit:
            _, token = await sessions.start(unit, runtime.settings, shop.access.person_id, Origin("127.0.0.1", ""), stay=True)
        return f"{sessions.cookie_name(runtime.settings)}={token}"

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        """Read or change as the superuser, who sees every organisation: counting is not part of what is measured."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            rows: list[Any] = await connection.fetch(statement, *values)
        finally:
            await connection.close()
        return rows

    async def value(self, statement: str, *values: Any) -> Any:
        return (await self.fetch(statement, *values))[0][0]

    async def drained(self) -> float:
        """Wait until every stored delivery is applied; seconds waited."""
        started = time.monotonic()
        while await self.value("SELECT EXISTS (SELECT FROM webhook_delivery WHERE state = 'received')"):
            if time.monotonic() - started > DRAIN_SECONDS:
                raise AssertionError("the backlog does not go away")
            await asyncio.sleep(0.1)
        return time.monotonic() - started

    async def settle(self) -> None:
        """Tables that were empty a moment ago get their statistics, as autovacuum gives them within a minute: until then PostgreSQL
        plans for empty tables, which says nothing about a hub that has been running."""
        await self.drained()
        await self.fetch("ANALYZE")

    async def vacuum(self) -> None:
        """What autovacuum does in the minutes after many rows were written, at once and to its end."""
        await self.drained()
        await self.fetch("VACUUM (ANALYZE)")
        await self.fetch("CHECKPOINT")

    async def settings_of_postgres(self) -> dict[str, str]:
        """Its version, and what says that an answered commit is on disk."""
        names = ["server_version", *DURABILITY, "wal_sync_method", "shared_buffers", "max_wal_size"]
        return {name: await self.value(f"SHOW {name}") for name in names}


@asynccontextmanager
async def second_place() -> AsyncIterator[Place]:
    """Another place beside that of the measurement. Entered in a thread: migrations do not run inside an event loop."""
    place = Place()
    await asyncio.to_thread(place.__enter__)
    try:
        yield place
    finally:
        await asyncio.to_thread(place.__exit__, None, None, None)


class Generator:
    """The load generator at work on one job."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, job: Job) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.load",
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**28,
        )
        generator = cls(process)
        generator.tell(json.dumps(asdict(job)))
        return generator

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def close(self) -> None:
        """There will be no more to tell."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def outcome(self) -> Outcome:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        await self._process.wait()
        return outcome_of(line.decode())


async def load(job: Job) -> Outcome:
    """Run a job that needs no talking to."""
    return await (await Generator.start(job)).outcome()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


def wait_for_port(port: int, child: Child) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and child.process.poll() is None:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"{child.name} does not start: {child.log.read_text()[-2000:]}")


def wait_for(url: str, child: Child, seconds: float = READY_SECONDS) -> None:
    """Until this address answers 2xx."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and child.process.poll() is None:
        try:
            with urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{child.name} does not get ready: {child.log.read_text()[-2000:]}")
