"""What happened to a channel, one line for each change: how it is, and what somebody did with it (`channel_event`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.organisations.actor import Access

CHANGES: Final = (
    "connected",
    "switched_on",
    "switched_off",
    "settings_changed",
    "credentials_renewed",
    "welcome_changed",
    "account_replaced",
    "blocked",
    "unblocked",
    "self_tested",
    "tested",
    "owners_told",
    "owners_told_well",
    "approval_applied",
    "approval_approved",
    "approval_refused",
    "approval_revoked",
    "messenger_blocked",
    "messenger_unblocked",
    "all_blocked",
    "all_unblocked",
    "messenger_ended",
    "declared",
    "terms_accepted",
    "terms_asked",
    "demanded",
    "outage_provider",
    "outage_network",
    "outage_ours",
    "document_added",
    "automation_stopped",
    "automation_goes",
)
"""What is done with a channel: causes of lines of level `change`, with words in `channels.history.<cause>`."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the history (`models.ChannelEvent`), with the name of whoever did it."""

    id: UUID
    at: datetime
    source: str
    level: str
    cause: str
    text: str
    member: str


async def note(
    unit: UnitOfWork,
    channel_id: UUID,
    level: str,
    cause: str,
    text: str = "",
    *,
    by: Access | None = None,
    provider_at: datetime | None = None,
) -> None:
    """Add a line. `by` is the member who did it; `provider_at` the provider's time of what it told us; neither: the hub itself."""
    await unit.sql.execute(
        """
        INSERT INTO channel_event (organisation_id, id, channel_id, at, source, level, cause, text, member_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        unit.tenant,
        ids.new_id(),
        channel_id,
        provider_at or clock.now(),
        "member" if by else "provider" if provider_at else "hub",
        level,
        cause,
        text,
        by.member_id if by else None,
    )


async def note_messenger(unit: UnitOfWork, connector: str, cause: str, text: str = "", *, by: Access | None = None) -> None:
    """A line of every channel of this messenger; of every one, where `connector` is ''."""
    rows = await unit.sql.fetch(
        "SELECT id FROM channel WHERE organisation_id = $1 AND $2 IN ('', connector) ORDER BY id", unit.tenant, connector
    )
    for row in rows:
        await note(unit, row["id"], "change", cause, text, by=by)


async def list_history(unit: UnitOfWork, channel_id: UUID, limit: int) -> list[Happened]:
    """The newest lines of a channel's history."""
    rows = await unit.sql.fetch(
        """
        SELECT e.id, e.at, e.source, e.level, e.cause, e.text, COALESCE(p.name, '') AS member
        FROM channel_event e
        LEFT JOIN member m ON m.organisation_id = e.organisation_id AND m.id = e.member_id
        LEFT JOIN person p ON p.id = m.person_id
        WHERE e.organisation_id = $1 AND e.channel_id = $2 ORDER BY e.at DESC, e.id DESC LIMIT $3
        """,
        unit.tenant,
        channel_id,
        limit,
    )
    return [Happened(**row) for row in rows]
