"""Messages that wait: which are due when, and what stops or wakes them.

A message is not due before what stands ahead of it in its conversation, so the claim never finds work that it may not take. A
withdrawal, a block and the kill switch fail what waits inside their own transaction; a channel that works again makes it due.
`hub/listeners.py` subscribes the last three.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from hub.channels.hooks import ChannelBlocked, ChannelOpened
from hub.consent.hooks import ConsentWithdrawn, PersonBlocked
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.inbox.arriving.effects import note_messages_changed
from hub.inbox.sending.status import draw_messages, lock_messages

RETRY_BLOCKS = timedelta(minutes=2)
"""An earlier chat message that waits for a retry no further away than this keeps the later ones of its conversation waiting."""
PUT_OFF: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When a part is due that somebody has put off: not before somebody wakes it (`bulk_queue.py`)."""


async def due_after_earlier(unit: UnitOfWork, conversation_id: UUID, seq: int, wanted: datetime) -> datetime:
    """When a message may be claimed: not before what stands ahead of it in the conversation and is tried again soon."""
    ahead: datetime | None = await unit.sql.fetchval(
        """
        SELECT max(due_at) FROM message_part
        WHERE organisation_id = $1 AND conversation_id = $2 AND message_seq < $3 AND state = 'queued' AND priority = 0
          AND tries > 0 AND due_at < $4
        """,
        unit.tenant,
        conversation_id,
        seq,
        clock.now() + RETRY_BLOCKS,
    )
    return wanted if ahead is None else max(wanted, ahead)


async def keep_waiting(unit: UnitOfWork, again: list[tuple[UUID, datetime]]) -> None:
    """What comes after a part that is tried again soon waits for it (the claim would not let it go): it is not due before."""
    if not again:
        return
    await unit.sql.execute(
        """
        UPDATE message_part AS later SET due_at = GREATEST(later.due_at, row.due_at)
        FROM unnest($2::uuid[], $3::timestamptz[]) AS row(id, due_at)
        JOIN message_part p ON p.organisation_id = $1 AND p.id = row.id
        WHERE later.organisation_id = $1 AND later.conversation_id = p.conversation_id AND later.state = 'queued'
          AND (later.message_seq, later.part_no) > (p.message_seq, p.part_no)
          AND (later.message_id = p.message_id OR later.priority = 0 AND p.priority = 0 AND row.due_at < $4)
        """,
        unit.tenant,
        [part_id for part_id, _ in again],
        [due_at for _, due_at in again],
        clock.now() + RETRY_BLOCKS,
    )


async def hold_conversation(unit: UnitOfWork, conversation_id: UUID, until: datetime) -> None:
    """The provider takes nothing more for this person for a while: what waits for them is not due before."""
    await unit.sql.execute(
        """
        UPDATE message_part SET due_at = GREATEST(due_at, $3)
        WHERE organisation_id = $1 AND conversation_id = $2 AND state = 'queued'
        """,
        unit.tenant,
        conversation_id,
        until,
    )


async def fail_messages(unit: UnitOfWork, message_ids: list[UUID], failure: str, provider_text: str = "") -> None:
    """Give up every part of these messages that still waits, for one reason; also what was to be done to messages that
    exist."""
    await lock_messages(unit, message_ids)
    stopped = await unit.sql.fetch(
        """
        WITH stopped AS (
            UPDATE message_part SET state = 'failed', failure = $3
            WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) AND state IN ('held', 'queued')
            RETURNING message_id, action, conversation_id
        ), told AS (
            UPDATE message SET failure = $3, failure_text = $4
            WHERE organisation_id = $1 AND id IN (SELECT message_id FROM stopped WHERE action = 'message')
        )
        SELECT DISTINCT message_id, conversation_id FROM stopped
        """,
        unit.tenant,
        message_ids,
        failure,
        provider_text,
    )
    await draw_messages(unit, message_ids)
    note_messages_changed(unit, [(row["message_id"], row["conversation_id"]) for row in stopped])


async def stop_queued(unit: UnitOfWork, event: ConsentWithdrawn | PersonBlocked) -> None:
    """A withdrawal or a block stops what is queued for that address, in the same transaction (R-223)."""
    rule, purpose_id = ("person_blocked", None) if isinstance(event, PersonBlocked) else (event.rule, event.purpose_id)
    rows = await unit.sql.fetch(
        """
        SELECT DISTINCT p.message_id FROM message_part p
        JOIN conversation c ON c.organisation_id = p.organisation_id AND c.id = p.conversation_id
        JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
        JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
        JOIN message m ON m.organisation_id = p.organisation_id AND m.id = p.message_id
        WHERE p.organisation_id = $1 AND p.state IN ('held', 'queued') AND h.connector = $2 AND i.provider_user_id = $3
          AND ($4 = '' OR h.id::text = $4) AND ($5::uuid IS NULL OR m.purpose_id = $5)
        """,
        unit.tenant,
        event.messenger,
        event.address,
        event.scope,
        purpose_id,
    )
    if rows:
        await fail_messages(unit, [row["message_id"] for row in rows], rule)


async def stop_channel(unit: UnitOfWork, event: ChannelBlocked) -> None:
    """The kill switch fails everything that is queued on the channel, in the same transaction (R-183)."""
    rows = await unit.sql.fetch(
        """
        SELECT DISTINCT message_id FROM message_part
        WHERE organisation_id = $1 AND channel_id = $2 AND state IN ('held', 'queued')
        """,
        unit.tenant,
        event.channel_id,
    )
    if rows:
        await fail_messages(unit, [row["message_id"] for row in rows], "channel_blocked", event.reason)


async def wake_channel(unit: UnitOfWork, event: ChannelOpened) -> None:
    """What waited for a broken channel is due at once when it works again; not what was put off."""
    await unit.sql.execute(
        """
        UPDATE message_part SET due_at = $3
        WHERE organisation_id = $1 AND channel_id = $2 AND state = 'queued' AND due_at > $3 AND due_at < $4
        """,
        unit.tenant,
        event.channel_id,
        clock.now(),
        PUT_OFF,
    )
