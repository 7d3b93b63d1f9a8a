"""What still waits of many messages at once: put off, woken, stopped.

Whoever changes it here holds the channels' rows, as the kill switch does: a claim is over before, or sees what was changed. What a
claim has taken is on its way and may still arrive.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from hub.core import clock
from hub.core.db import UnitOfWork
from hub.inbox.sending.status import draw_messages, lock_messages
from hub.inbox.sending.waiting import PUT_OFF


async def put_off(unit: UnitOfWork, channel_ids: Collection[UUID], message_ids: Sequence[UUID]) -> None:
    """What waits of these messages is not due until somebody wakes it."""
    await _hold_claims(unit, channel_ids)
    await unit.sql.execute(
        """
        UPDATE message_part SET due_at = $3
        WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) AND state = 'queued' AND due_at < $3
        """,
        unit.tenant,
        message_ids,
        PUT_OFF,
    )


async def wake(unit: UnitOfWork, channel_ids: Collection[UUID], message_ids: Sequence[UUID]) -> None:
    """What was put off is due now; the gate says again what has to wait for longer."""
    await _hold_claims(unit, channel_ids)
    await unit.sql.execute(
        """
        UPDATE message_part SET due_at = $3
        WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) AND state = 'queued' AND due_at >= $4
        """,
        unit.tenant,
        message_ids,
        clock.now(),
        PUT_OFF,
    )


async def stop(unit: UnitOfWork, channel_ids: Collection[UUID], message_ids: Sequence[UUID], failure: str) -> None:
    """Give up what waits of these messages, in one statement: once this has committed, nothing more of them is claimed. The
    messages themselves show it when `draw_stopped` was there."""
    await _hold_claims(unit, channel_ids)
    await unit.sql.execute(
        """
        UPDATE message_part SET state = 'failed', failure = $3
        WHERE organisation_id = $1 AND message_id = ANY($2::uuid[]) AND state IN ('queued', 'held')
        """,
        unit.tenant,
        message_ids,
        failure,
    )


async def draw_stopped(unit: UnitOfWork, message_ids: Sequence[UUID], failure: str) -> None:
    """Show in a batch of messages that they were stopped. Those that arrived meanwhile stay what they are."""
    await lock_messages(unit, message_ids)
    await unit.sql.execute(
        """
        UPDATE message SET failure = $3
        WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND EXISTS (
            SELECT FROM message_part p WHERE p.organisation_id = $1 AND p.message_id = message.id AND p.failure = $3)
        """,
        unit.tenant,
        message_ids,
        failure,
    )
    await draw_messages(unit, list(message_ids))


async def _hold_claims(unit: UnitOfWork, channel_ids: Collection[UUID]) -> None:
    await unit.sql.execute(
        "SELECT 1 FROM channel WHERE organisation_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        unit.tenant,
        list(channel_ids),
    )
