"""Our view of a channel's provider side. Each change is told to the pages; sending asks the gate, which knows it as a fact."""

from datetime import datetime
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change


async def mark_healthy(unit: UnitOfWork, channel_id: UUID) -> None:
    """The provider took something: whatever was wrong is over."""
    await _mark(unit, channel_id, "healthy", "", None)


async def mark_failing(unit: UnitOfWork, channel_id: UUID, cause: str, until: datetime) -> None:
    """The provider cannot be reached; nothing is tried before `until`."""
    await _mark(unit, channel_id, "failing", cause, until)


async def mark_attention(unit: UnitOfWork, channel_id: UUID, cause: str) -> None:
    """Only a person can mend it (rejected credentials): the queue pauses and nothing is lost."""
    await _mark(unit, channel_id, "attention", cause, None)


async def _mark(unit: UnitOfWork, channel_id: UUID, health: str, cause: str, until: datetime | None) -> None:
    changed = await unit.sql.fetchval(
        """
        UPDATE channel SET health = $3, health_cause = $4, health_until = $5,
               health_since = CASE WHEN health = $3 THEN health_since ELSE $6 END
        WHERE organisation_id = $1 AND id = $2 AND (health, health_cause, health_until) IS DISTINCT FROM ($3, $4, $5)
        RETURNING true
        """,
        unit.tenant,
        channel_id,
        health,
        cause,
        until,
        clock.now(),
    )
    if changed:
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
