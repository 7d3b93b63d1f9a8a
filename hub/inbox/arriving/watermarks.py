"""Some messengers say up to when a customer has our messages (`StatusUpTo`), not which ones.

The mark stays with the conversation: a message whose receipt comes after the mark that covers it is caught up with then.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.connectors.events import StatusUpTo
from hub.core.db import UnitOfWork
from hub.inbox.arriving.effects import note_messages_changed
from hub.inbox.arriving.people import Named, find_talks
from hub.inbox.sending.status import draw_messages

_BEFORE: Final = {"delivered": ["accepted", "sent"], "read": ["accepted", "sent", "delivered"]}
"""States that a mark moves on: what the provider has taken and not given up."""


async def apply_marks(unit: UnitOfWork, channel_id: UUID, events: Sequence[StatusUpTo]) -> None:
    """Move everything on that these marks cover."""
    if not events:
        return
    talks = await find_talks(unit, channel_id, [Named(event.sender, event.key, event.at) for event in events])
    marks: dict[tuple[str, UUID], datetime] = {}
    for event, talk in zip(events, talks, strict=True):
        for status in ("delivered", "read") if event.status == "read" else ("delivered",):
            if talk is not None:
                place = (status, talk.conversation_id)
                marks[place] = max(event.up_to, marks.get(place, event.up_to))
    for status in _BEFORE:
        of_status = {conversation_id: up_to for (name, conversation_id), up_to in marks.items() if name == status}
        await _mark(unit, status, of_status)


async def _mark(unit: UnitOfWork, status: str, marks: dict[UUID, datetime]) -> None:
    """Messages before an earlier mark were moved on by it."""
    if not marks:
        return
    rows = await unit.sql.fetch(
        f"""
        WITH row AS (SELECT * FROM unnest($2::uuid[], $3::timestamptz[]) AS row(conversation_id, up_to)), covered AS (
            SELECT m.id FROM row
            JOIN conversation c ON c.organisation_id = $1 AND c.id = row.conversation_id
            JOIN message m ON m.organisation_id = $1 AND m.conversation_id = c.id AND m.direction = 'out' AND m.at <= row.up_to
                 AND m.at > COALESCE(c.{status}_to, '-infinity')
        ), kept AS (
            UPDATE conversation AS c SET {status}_to = GREATEST(c.{status}_to, row.up_to)
            FROM row WHERE c.organisation_id = $1 AND c.id = row.conversation_id
        )
        UPDATE message_part AS p SET state = $4 FROM covered
        WHERE p.organisation_id = $1 AND p.message_id = covered.id AND p.action = 'message' AND p.state = ANY($5::text[])
        RETURNING p.message_id
        """,
        unit.tenant,
        list(marks),
        list(marks.values()),
        status,
        _BEFORE[status],
    )
    note_messages_changed(unit, await draw_messages(unit, list({row["message_id"] for row in rows})))


async def catch_up(unit: UnitOfWork, message_ids: Collection[UUID]) -> None:
    """Messages whose receipt has come just now, perhaps after a mark that covers them. The caller draws them."""
    await unit.sql.execute(
        """
        UPDATE message_part AS p SET state = CASE WHEN m.at <= c.read_to THEN 'read' ELSE 'delivered' END
        FROM message m JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
        WHERE p.organisation_id = $1 AND p.message_id = ANY($2::uuid[]) AND p.action = 'message' AND p.state IN ('accepted', 'sent')
          AND m.organisation_id = $1 AND m.id = p.message_id AND (m.at <= c.read_to OR m.at <= c.delivered_to)
        """,
        unit.tenant,
        list(message_ids),
    )
