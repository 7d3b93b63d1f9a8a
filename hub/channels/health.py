"""Our view of a channel's provider side. Each change is told to the pages and kept in the channel's history; sending asks the gate,
which knows it as a fact. A provider that is away is an outage (`outages.py`)."""

from datetime import datetime
from uuid import UUID

from hub.channels import history, outages
from hub.channels.hooks import ChannelOpened
from hub.connectors.errors import SendError
from hub.connectors.events import ChannelHealth
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.runtime import Runtime


async def mark_healthy(unit: UnitOfWork, channel_id: UUID) -> None:
    """The provider took something: whatever was wrong is over. What it warned of is not."""
    await _mark(unit, channel_id, "healthy", "", None)


async def mark_failing(unit: UnitOfWork, channel_id: UUID, cause: str, until: datetime, error: SendError) -> None:
    """The provider cannot be reached, says `error`; nothing is tried before `until`."""
    await _mark(unit, channel_id, "failing", cause, until)
    if cause == outages.CAUSE:
        await outages.begin(unit, channel_id, error)


async def mark_attention(unit: UnitOfWork, channel_id: UUID, cause: str, text: str = "") -> None:
    """Only a person can mend it (rejected credentials, no credits): the queue pauses and nothing is lost. `text`: the provider's
    own words."""
    await _mark(unit, channel_id, "attention", cause, None, text)


async def hear(runtime: Runtime, unit: UnitOfWork, channel_id: UUID, event: ChannelHealth) -> None:
    """What the provider itself says. Of what comes late only the history is told."""
    newer = await unit.sql.fetchval(
        """
        SELECT EXISTS (SELECT FROM channel_event
                       WHERE organisation_id = $1 AND channel_id = $2 AND source = 'provider' AND at > $3)
        """,
        unit.tenant,
        channel_id,
        event.at,
    )
    cause, text = event.cause, event.text
    if event.level == "ok" and event.only_warnings:
        if not newer and await _warn(unit, channel_id, "", ""):
            await history.note(unit, channel_id, "ok", cause, text, provider_at=event.at)
        return
    if event.level == "ok" and await _is_fine(unit, channel_id):
        return
    await history.note(unit, channel_id, event.level, cause, text, provider_at=event.at)
    if newer:
        return
    match event.level:
        case "ok":
            await _warn(unit, channel_id, "", "")
            if await _mark(unit, channel_id, "healthy", "", None, noted=True) == "attention":
                await _open(runtime, unit, channel_id)
        case "warning":
            await _warn(unit, channel_id, cause, text)
        case "attention":
            await _mark(unit, channel_id, "attention", cause, None, text, noted=True)


async def recover(runtime: Runtime, unit: UnitOfWork, channel_id: UUID, cause: str) -> None:
    """What a person would have had to mend is mended without one: if that was the cause, what waits goes now."""
    is_cause = await unit.sql.fetchval(
        "SELECT health = 'attention' AND health_cause = $3 FROM channel WHERE organisation_id = $1 AND id = $2",
        unit.tenant,
        channel_id,
        cause,
    )
    if is_cause:
        await mark_healthy(unit, channel_id)
        await _open(runtime, unit, channel_id)


async def _is_fine(unit: UnitOfWork, channel_id: UUID) -> bool:
    return bool(
        await unit.sql.fetchval(
            "SELECT health = 'healthy' AND warning_cause = '' FROM channel WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            channel_id,
        )
    )


async def warn(unit: UnitOfWork, channel_id: UUID, cause: str, text: str) -> None:
    """Something that somebody should know, while everything works."""
    if await _warn(unit, channel_id, cause, text):
        await history.note(unit, channel_id, "warning", cause, text)


async def _mark(
    unit: UnitOfWork, channel_id: UUID, health: str, cause: str, until: datetime | None, text: str = "", *, noted: bool = False
) -> str:
    """The state before where it has changed, else empty. `noted`: the history has its line already. Whoever can mend a channel that
    needs attention is told when it is looked after next, which is now."""
    now = clock.now()
    before = await unit.sql.fetchrow(
        """
        UPDATE channel AS h SET health = $3, health_cause = $4, health_until = $5, health_text = $7,
               health_since = CASE WHEN h.health = $3 THEN h.health_since ELSE $6 END,
               care_at = CASE WHEN $3 = 'attention' THEN $6 ELSE h.care_at END
        FROM channel AS old
        WHERE h.organisation_id = $1 AND h.id = $2 AND old.organisation_id = $1 AND old.id = $2
          AND (h.health, h.health_cause, h.health_until) IS DISTINCT FROM ($3, $4, $5)
        RETURNING old.health, old.health_cause
        """,
        unit.tenant,
        channel_id,
        health,
        cause,
        until,
        now,
        text,
    )
    if before is None:
        return ""
    if before["health_cause"] == outages.CAUSE and cause != outages.CAUSE:
        await outages.end(unit, channel_id)
    if not noted and (before["health"], before["health_cause"]) != (health, cause):
        await history.note(unit, channel_id, "ok" if health == "healthy" else health, cause, text)
    note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
    changed: str = before["health"]
    return changed


async def _warn(unit: UnitOfWork, channel_id: UUID, cause: str, text: str) -> bool:
    """Whether the warning has changed."""
    changed = await unit.sql.fetchval(
        """
        UPDATE channel SET warning_cause = $3, warning_text = $4, warning_since = CASE WHEN $3 <> '' THEN $5::timestamptz END
        WHERE organisation_id = $1 AND id = $2 AND (warning_cause, warning_text) <> ($3, $4) RETURNING true
        """,
        unit.tenant,
        channel_id,
        cause,
        text,
        clock.now(),
    )
    if changed:
        note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
    return bool(changed)


async def _open(runtime: Runtime, unit: UnitOfWork, channel_id: UUID) -> None:
    """What waited for a person goes now."""
    await runtime.hooks.publish(unit, ChannelOpened(channel_id))
    tenant = unit.tenant
    unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, channel_id, "out"))
