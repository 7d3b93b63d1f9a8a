"""The hub's own PostgreSQL and Valkey, run from their wheels: no installation, no TCP port, one data folder.

Start reading at `EmbeddedServices`; `place.py` says where everything lives and as whom it runs, `postgres.py` and
`valkey.py` how each server is started, taken over and stopped. Linux only; elsewhere set HUB_DATABASE_URL and HUB_REDIS_URL.

    with EmbeddedServices(Path(".hub"), say=print) as services:
        urls = services.start()
"""

import contextlib
import json
import secrets
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.core.services.errors import AlreadyRunning, ServicesError, WrongMajor
from hub.core.services.lock import FolderLock
from hub.core.services.place import Place, described, make_data_folder, settle, write_private
from hub.core.services.postgres import ADMIN, DATABASE, LOGIN, PORT, PostgresService
from hub.core.services.valkey import ValkeyService

__all__ = ["AlreadyRunning", "EmbeddedServices", "ServiceUrls", "ServicesError", "WrongMajor", "running_urls"]

_PASSWORDS = "passwords.json"


@dataclass(frozen=True)
class ServiceUrls:
    """How to reach the servers. The two database URLs fit asyncpg, and SQLAlchemy with `postgresql+asyncpg:` in front."""

    admin_url: str = field(repr=False)
    """As superuser; for migrations only."""
    database_url: str = field(repr=False)
    """As hub_login, which owns nothing and sees nothing until it takes one of the hub's roles."""
    redis_url: str = field(repr=False)


class EmbeddedServices:
    """PostgreSQL and Valkey over one data folder. Blocking; from a coroutine call it by `asyncio.to_thread`.

    Whatever was killed before, `start` recovers: servers that outlived their parent are taken over when they are healthy
    and ended when not, so there is never a second one on the same data. `say` receives progress for the operator.
    """

    def __init__(self, data: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self._data = data
        self._say = say
        self._closing = threading.Event()
        self._turn = threading.Lock()
        self._locks: list[FolderLock] = []
        self._place: Place | None = None
        self._passwords: dict[str, str] = {}
        self._servers: list[PostgresService | ValkeyService] = []
        self._is_started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def prepare(self) -> ServiceUrls:
        """Take the folder and settle where everything lives; nothing runs yet, but the URLs stand already. Then call `start`.

        Raises AlreadyRunning when another process holds the folder, ServicesError when it cannot be used.
        """
        if sys.platform != "linux":
            raise ServicesError("the embedded servers run on Linux only: set HUB_DATABASE_URL and HUB_REDIS_URL")
        if self._servers:
            raise RuntimeError("already prepared")
        with self._turn, self._undone_on_failure():
            self._closing.clear()
            data = make_data_folder(self._data)
            self._lock(data)
            self._place = place = settle(data, self._lock, self._say)
            self._passwords = _passwords(place.home)
            self._servers = [
                PostgresService(place, self._passwords, self._closing, self._say),
                ValkeyService(place, self._passwords["valkey"], self._closing, self._say),
            ]
            return self.urls()

    def start(self) -> ServiceUrls:
        """Both servers are ready when this returns; prepares first if that was not done. On a fresh folder about 2 seconds, later
        under 1.

        Raises what `prepare` raises, WrongMajor when the data are of another PostgreSQL major, ServicesError for everything else
        that keeps a server from running; nothing is left running then.
        """
        if self._is_started:
            raise RuntimeError("already started")
        if not self._servers:
            self.prepare()
        with self._turn, self._undone_on_failure():
            for server in self._servers:
                server.start()
            self._is_started = True
            return self.urls()

    @contextlib.contextmanager
    def _undone_on_failure(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            self._stop()
            raise ServicesError(f"no right to use {error.filename}: start as its owner, or set another HUB_DATA") from error
        except BaseException:
            self._stop()
            raise

    def repair(self) -> list[str]:
        """Start again what has died, and return the names of it. Cheap when all live; the supervisor asks all the time."""
        with self._turn:
            dead = [] if self._closing.is_set() else [server for server in self._servers if not server.alive()]
            for server in dead:
                self._say(f"{server.name} has ended unexpectedly and is started again")
                server.start()
            return [server.name for server in dead]

    def stop(self) -> None:
        """End both servers and free the folder. Safe to call twice, and from another thread than `repair`.

        Usually 0.2 seconds; bounded by 30 seconds for PostgreSQL and 10 for Valkey.
        """
        self._closing.set()
        with self._turn:
            self._stop()

    def urls(self, database: str = DATABASE) -> ServiceUrls:
        """The URLs, with the given database in the two for PostgreSQL."""
        place = self._started_place
        return _urls(place.sockets, self._passwords, database)

    @property
    def home(self) -> Path:
        """The folder that holds the database, for looking at free disk; not always HUB_DATA (see place.py)."""
        return self._started_place.home

    @property
    def postgres_programs(self) -> Path:
        """The folder of pg_dump, pg_restore, psql and their kin."""
        return self._started_place.programs.postgres_bin

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database, as a copy of `template` if named (nobody may be connected to that). For tests and restore."""
        self._postgres.create_database(name, template)

    def drop_database(self, name: str) -> None:
        """Remove a database if it exists, disconnecting who is in it. For tests and restore."""
        self._postgres.drop_database(name)

    @property
    def _started_place(self) -> Place:
        if self._place is None:
            raise RuntimeError("not started")
        return self._place

    @property
    def _postgres(self) -> PostgresService:
        return next(server for server in self._servers if isinstance(server, PostgresService))

    def _lock(self, folder: Path) -> None:
        lock = FolderLock(folder)
        lock.take()
        self._locks.append(lock)

    def _stop(self) -> None:
        try:
            for server in reversed(self._servers):
                server.stop()
            if self._place is not None:
                shutil.rmtree(self._place.sockets)
        finally:
            self._servers = []
            self._is_started = False
            self._place = None
            while self._locks:
                self._locks.pop().free()


def running_urls(data: Path) -> ServiceUrls:
    """The URLs of the servers that another process (`hub serve`) runs on this data folder, for commands beside it.

    Raises ServicesError when none answers.
    """
    place = described(data)
    message = f"nothing runs on {data}: start hub serve first"
    if not place:
        raise ServicesError(message)
    sockets = Path(place["sockets"])
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(sockets / f".s.PGSQL.{PORT}"))
        except OSError as error:
            raise ServicesError(message) from error
    return _urls(sockets, json.loads((Path(place["home"]) / _PASSWORDS).read_text()), DATABASE)


def _urls(sockets: Path, passwords: dict[str, str], database: str) -> ServiceUrls:
    def postgres(user: str, password: str) -> str:
        # the port is named so that PGPORT of the environment cannot change it
        return f"postgresql://{user}:{password}@/{database}?host={sockets}&port={PORT}"

    return ServiceUrls(
        admin_url=postgres(ADMIN, passwords["admin"]),
        database_url=postgres(LOGIN, passwords["login"]),
        redis_url=f"unix://:{passwords['valkey']}@{sockets}/valkey.sock",
    )


def _passwords(home: Path) -> dict[str, str]:
    """The generated passwords, made once. Hexadecimal, so they need quoting nowhere."""
    path = home / _PASSWORDS
    if not path.exists():
        if (home / "postgres").exists():
            raise ServicesError(f"{path} is missing, and without it nobody gets into the database beside it; restore it")
        write_private(path, json.dumps({name: secrets.token_hex(24) for name in ("admin", "login", "valkey")}))
    return dict(json.loads(path.read_text()))
