"""What `hub replay` and `hub deliveries` do: a small runtime for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from hub.core import ids
from hub.core.errors import NotFound
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.inbox.arriving.arrivals import Unrouted, list_unrouted
from hub.inbox.arriving.ingest import DeadLetter, dead_letters, replay
from hub.runtime import Runtime, open_runtime


@asynccontextmanager
async def _organisation(settings: Settings, slug: str) -> AsyncIterator[tuple[Runtime, UUID]]:
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        async with runtime.database.system() as unit:
            organisation_id: UUID | None = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", slug)
        if organisation_id is None:
            raise NotFound(f"no organisation is called {slug}")
        yield runtime, organisation_id


async def list_dead_letters(settings: Settings, slug: str) -> list[DeadLetter]:
    """The dead letters of one organisation, oldest first; NotFound for an unknown organisation."""
    async with _organisation(settings, slug) as (runtime, organisation_id):
        return await dead_letters(runtime, organisation_id)


async def replay_dead_letters(
    settings: Settings, slug: str, shown: list[str], since: datetime | None, until: datetime | None
) -> int:
    """Put dead letters of one organisation back; NotFound for an unknown organisation or a malformed id. Times without a zone are
    UTC."""
    delivery_ids = [ids.read("dlv", one) for one in shown]
    async with _organisation(settings, slug) as (runtime, organisation_id):
        return await replay(runtime, organisation_id, delivery_ids=delivery_ids, since=_utc(since), until=_utc(until))


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


async def list_unrouted_deliveries(settings: Settings) -> list[Unrouted]:
    """What came for accounts that nobody has connected."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime, runtime.database.system() as unit:
        return await list_unrouted(unit)
