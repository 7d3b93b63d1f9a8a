"""What time alone changes: a due time passes, a snooze is over (R-300). The sweeper calls it every 2 seconds.

`conversation.rings_at` is computed by PostgreSQL and is null for what does not wait for a time. A conversation that rang has none
any more or a later one, so ringing twice, or on several workers at once, tells everything once.
"""

import json
from typing import Any
from uuid import UUID

from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change
from hub.runtime import Runtime

BATCH = 500
"""Conversations of one organisation that ring in one transaction; the rest follows with the next look."""


async def ring(runtime: Runtime) -> int:
    """Tell everything whose time has come, each organisation in a transaction of its own; how many conversations there were."""
    async with runtime.database.system() as unit:
        rows = await unit.sql.fetch("SELECT DISTINCT organisation_id FROM conversation WHERE rings_at <= $1", clock.now())
    count = 0
    for row in rows:
        async with runtime.database.unit_of_work(row["organisation_id"]) as unit:
            count += await _ring(unit)
    return count


async def _ring(unit: UnitOfWork) -> int:
    """Mark what is overdue, bring back what was snoozed, with a line in each thread. What is overdue comes back too."""
    now = clock.now()
    rung = await unit.sql.fetch(
        """
        SELECT id, CASE WHEN due_at <= $2 AND NOT overdue THEN due_at END AS missed FROM conversation
        WHERE organisation_id = $1 AND rings_at <= $2 ORDER BY id LIMIT $3 FOR UPDATE
        """,
        unit.tenant,
        now,
        BATCH,
    )
    if not rung:
        return 0
    message_ids = [ids.new_id() for _ in rung]
    await unit.sql.execute(
        """
        WITH row AS (
            SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[]) AS row(id, message_id, content, missed)
        ), moved AS (
            UPDATE conversation AS c SET
                overdue = c.overdue OR row.missed IS NOT NULL, last_seq = c.last_seq + 1,
                turn = CASE WHEN c.state = 'snoozed' THEN 'us' ELSE c.turn END,
                snoozed_until = CASE WHEN c.state = 'snoozed' THEN $2 ELSE c.snoozed_until END, state = 'open'
            FROM row WHERE c.organisation_id = $1 AND c.id = row.id
            RETURNING c.id, c.last_seq
        )
        INSERT INTO message (organisation_id, id, conversation_id, seq, direction, kind, text, content, at, sequence, arrived_at,
                             failure, failure_text)
        SELECT $1, row.message_id, row.id, moved.last_seq, 'event', 'text', '', row.content::jsonb, $2, 0, $2, '', ''
        FROM row JOIN moved ON moved.id = row.id
        """,
        unit.tenant,
        now,
        [row["id"] for row in rung],
        message_ids,
        [json.dumps(_content(row)) for row in rung],
        [row["missed"] for row in rung],
    )
    for row, message_id in zip(rung, message_ids, strict=True):
        _tell(unit, row["id"], message_id)
    return len(rung)


def _content(row: Any) -> dict[str, str]:
    return {"event": "overdue", "due": row["missed"].isoformat()} if row["missed"] else {"event": "back"}


def _tell(unit: UnitOfWork, conversation_id: UUID, message_id: UUID) -> None:
    shown = {"conversation": ids.show("conv", conversation_id), "message": ids.show("msg", message_id), "direction": "event"}
    note_change(unit, "message", shown)
