"""The database: roles and the unit of work. Every transaction of the hub starts in this file and nowhere else.

A transaction runs as exactly one role, set with SET LOCAL ROLE before its first statement:

    hub_app      the rooms, under forced row-level security; needs an organisation (I6)
    hub_system   log-in and sessions, routing, and the lists of due work; sees no message
    hub_door     appends raw deliveries, reads the routing view, nothing else
    hub_owner    migrations only

`unit_of_work` is for the rooms: `unit.session` is the SQLModel session, `unit.sql` the asyncpg connection of the same
transaction for set-based statements. What has to happen last (ledger, audit log, feed) is registered with `unit.before_commit`;
nudges to the queue and to browsers run after the commit and may fail without harm.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

STORE_TROUBLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says when the server dies between two messages of one statement
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    exc.InterfaceError,
    exc.OperationalError,
    exc.TimeoutError,
)
"""Errors that speak of the database and not of what was to be written: the same work may succeed later."""
STORE_ERRORS: tuple[type[Exception], ...] = (asyncpg.PostgresError, exc.DBAPIError, *STORE_TROUBLE)
"""Whatever the database and its drivers may raise, for those who only need to know that it did not work."""


DOOR_SECONDS = 5.0
"""How long the door waits for the database in one step; providers wait about ten seconds for its answer."""


class DriverMisused(RuntimeError):
    """A statement and the arguments it was given do not fit, or the like: a defect of ours, which fails again however often it is
    tried. asyncpg says it in the same words as a connection that has gone, but this one lives."""


class Role(StrEnum):
    APP = "hub_app"
    SYSTEM = "hub_system"
    DOOR = "hub_door"


class Nudges(Protocol):
    """What a transaction may set going once it has committed. `hub/core/queue.py` is the one implementation; neither call
    raises: what it tells is found by the sweeper or by the next reader as well."""

    async def announce(self, organisation_id: UUID, seq: int) -> None:
        """The organisation's feed stands at `seq`."""

    async def nudge_lane(self, organisation_id: UUID, channel_id: UUID, direction: str) -> None:
        """The lane has something to do."""


class NoNudges:
    """For commands whose transactions change no feed and no lane: they need no queue."""

    async def announce(self, organisation_id: UUID, seq: int) -> None:
        raise AssertionError("this command changes no feed")

    async def nudge_lane(self, organisation_id: UUID, channel_id: UUID, direction: str) -> None:
        raise AssertionError("this command changes no lane")


class Last(IntEnum):
    """Order of what runs right before a commit: the heads are locked last and always in this order."""

    LEDGER = 1
    AUDIT = 2
    FEED = 3


@dataclass(eq=False)
class UnitOfWork:
    """One transaction. `organisation_id` is None only for hub_system."""

    connection: AsyncConnection
    sql: Any  # asyncpg.Connection has no usable types
    role: Role
    organisation_id: UUID | None
    nudges: Nudges
    notes: dict[str, Any] = field(default_factory=dict)
    """Room for what one closing step collects (`feed`, `ledger`, `audit`), keyed by its module."""
    _closing: dict[Last, Callable[["UnitOfWork"], Awaitable[None]]] = field(default_factory=dict)
    _after: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """The SQLModel session of this transaction; made when it is first asked for, as set-based work needs none."""
        if self._session is None:
            self._session = AsyncSession(bind=self.connection, expire_on_commit=False)
        return self._session

    @property
    def tenant(self) -> UUID:
        """The organisation this unit works in."""
        if self.organisation_id is None:
            raise RuntimeError("this unit of work has no organisation")
        return self.organisation_id

    def before_commit(self, last: Last, step: Callable[["UnitOfWork"], Awaitable[None]]) -> None:
        """Run `step` once at the end of the transaction, however often it is registered."""
        self._closing[last] = step

    async def _flush(self) -> None:
        if self._session is not None:
            await self._session.flush()

    def after_commit(self, nudge: Callable[[], Awaitable[None]]) -> None:
        """Run `nudge` once the commit is durable. It must not raise: what it tells is found by the sweeper as well."""
        self._after.append(nudge)


class Database:
    """Pools of one process. `url` is the log-in of the application; it must not be a superuser in production."""

    def __init__(self, url: str, nudges: Nudges, *, pool: int, door_pool: int = 0) -> None:
        self._url = url
        self._nudges = nudges
        self._door_pool_size = door_pool
        self.door_pool: Any = None
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://" + url.split("://", 1)[1],
            pool_size=pool,
            max_overflow=0,
            pool_timeout=10,
            isolation_level="AUTOCOMMIT",  # BEGIN and COMMIT are ours
        )

    async def open(self) -> None:
        """Connect the door's own pool; the engine connects on first use."""
        if self._door_pool_size:
            self.door_pool = await asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._door_pool_size,
                reset=_leave,
                timeout=DOOR_SECONDS,
                command_timeout=DOOR_SECONDS,
            )

    async def close(self) -> None:
        await self.engine.dispose()
        if self.door_pool is not None:
            await self.door_pool.close()

    @asynccontextmanager
    async def unit_of_work(self, organisation_id: UUID) -> AsyncIterator[UnitOfWork]:
        """A transaction of one organisation as hub_app. Commits at the end of the block, rolls back on any exception."""
        async with self._transaction(Role.APP, organisation_id) as unit:
            yield unit

    @asynccontextmanager
    async def system(self) -> AsyncIterator[UnitOfWork]:
        """A transaction over organisations as hub_system: log-in, sessions, routing, lists of due work."""
        async with self._transaction(Role.SYSTEM, None) as unit:
            yield unit

    @asynccontextmanager
    async def _transaction(self, role: Role, organisation_id: UUID | None) -> AsyncIterator[UnitOfWork]:
        tenant = "" if organisation_id is None else str(organisation_id)
        async with AsyncExitStack() as stack:
            with _reaching():
                connection = await stack.enter_async_context(self.engine.connect())
                driver = await _living(connection)
            unit = UnitOfWork(connection, driver, role, organisation_id, self._nudges)
            try:
                # one round trip; neither the role nor an id needs quoting
                await driver.execute(f"BEGIN; SET LOCAL ROLE {role.value}; SET LOCAL app.tenant = '{tenant}'")
                yield unit
                await unit._flush()
                for last in sorted(unit._closing):
                    await unit._closing[last](unit)
                await unit._flush()
                await driver.execute("COMMIT")
            except asyncpg.InterfaceError as error:
                if await _roll_back(connection, driver):
                    raise DriverMisused(str(error)) from error
                raise
            except BaseException:
                await _roll_back(connection, driver)
                raise
            finally:
                if unit._session is not None:
                    await unit._session.close()
        for nudge in unit._after:
            await nudge()

    @asynccontextmanager
    async def door(self) -> AsyncIterator[Any]:
        """An asyncpg connection inside a transaction as hub_door. Used by the webhook door only. A database that does not answer
        within DOOR_SECONDS is one that is down: TimeoutError, and its connection is given up."""
        async with self.door_pool.acquire(timeout=DOOR_SECONDS) as connection:
            try:
                await connection.execute("BEGIN; SET LOCAL ROLE hub_door")
                yield connection
                await connection.execute("COMMIT")
            except STORE_TROUBLE:
                connection.terminate()
                raise
            except BaseException:
                await connection.execute("ROLLBACK")
                raise


async def _leave(connection: Any) -> None:
    """Between two transactions of the door there is nothing to reset: they end themselves and set nothing that outlives them."""


@contextmanager
def _reaching() -> Iterator[None]:
    """Whatever keeps a connection from being made ("the system is shutting down" comes as a bare DBAPIError) says nothing about the
    work: ConnectionError, one of STORE_TROUBLE."""
    try:
        yield
    except exc.DBAPIError as error:
        raise ConnectionError("the database cannot be reached") from error


async def _living(connection: AsyncConnection) -> Any:
    """The asyncpg connection beneath. What died while it was idle (the server was started anew) is replaced first."""
    while True:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if not driver.is_closed():
            return driver
        await connection.invalidate()


async def _roll_back(connection: AsyncConnection, driver: Any) -> bool:
    """End a failed transaction; a connection on which even that fails goes, and its transaction with it. Whether it lives."""
    try:
        await driver.execute("ROLLBACK")
    except STORE_ERRORS:
        await connection.invalidate()
        return False
    return True


def text_array(texts: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array: one column of a set cannot hold arrays of different lengths."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
