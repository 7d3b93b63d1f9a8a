"""On which websites the chat is shown (R-297)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hub.core import clock
from hub.core.db import UnitOfWork

EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A website that has loaded the chat."""

    origin: str
    first_at: datetime
    last_at: datetime


async def note_place(unit: UnitOfWork, channel_id: UUID, origin: str) -> None:
    """The chat was loaded there just now; written at most once an hour."""
    now = clock.now()
    known = await unit.sql.fetchval(
        "SELECT last_at FROM webchat_place WHERE organisation_id = $1 AND channel_id = $2 AND origin = $3",
        unit.tenant,
        channel_id,
        origin,
    )
    if known is None or known < now - EVERY:
        await unit.sql.execute(
            """
            INSERT INTO webchat_place (organisation_id, channel_id, origin, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
            ON CONFLICT (organisation_id, channel_id, origin) DO UPDATE SET last_at = excluded.last_at
            """,
            unit.tenant,
            channel_id,
            origin,
            now,
        )


async def list_places(unit: UnitOfWork, channel_id: UUID) -> list[Place]:
    """All of them, the last one used first."""
    rows = await unit.sql.fetch(
        """
        SELECT origin, first_at, last_at FROM webchat_place WHERE organisation_id = $1 AND channel_id = $2
        ORDER BY last_at DESC, origin
        """,
        unit.tenant,
        channel_id,
    )
    return [Place(**row) for row in rows]
