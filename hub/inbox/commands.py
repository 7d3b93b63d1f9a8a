"""What `hub replay` does: a small runtime for one command."""

from datetime import UTC, datetime
from uuid import UUID

from hub.core import ids
from hub.core.errors import NotFound
from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.inbox.ingest import replay
from hub.runtime import open_runtime


async def replay_dead_letters(settings: Settings, slug: str, shown: list[str], since: datetime | None) -> int:
    """Put dead letters of one organisation back; NotFound for an unknown organisation or a malformed id."""
    delivery_ids = [ids.read("dlv", one) for one in shown]
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        async with runtime.database.system() as unit:
            organisation_id: UUID | None = await unit.sql.fetchval("SELECT id FROM organisation WHERE slug = $1", slug)
        if organisation_id is None:
            raise NotFound(f"no organisation is called {slug}")
        since_utc = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
        return await replay(runtime, organisation_id, delivery_ids=delivery_ids, since=since_utc)
