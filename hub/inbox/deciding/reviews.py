"""Messages that wait for a second person (R-199, R-238): what the content rules found in them, and who lets them go.

Whoever wrote a message cannot let it go. Once it is let go the gate is asked like for every other message, at that moment and again
when it is claimed; both names stay with the message.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from hub.consent import gate
from hub.consent.gate import SendBlocked
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, Forbidden, NotFound
from hub.inbox.arriving.effects import note_messages_changed
from hub.inbox.sending.facts import Asked
from hub.inbox.sending.outbound import keep_decisions, load_one, request_for
from hub.inbox.sending.status import draw_messages, lock_messages
from hub.inbox.sending.waiting import due_after_earlier
from hub.organisations.actor import Access
from hub.runtime import Runtime

log = structlog.get_logger()


class NeedsSecondPerson(Forbidden):
    """Whoever wrote a message cannot let it go."""

    code = "needs_second_person"


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits. `findings`: each `<rule>:<word>`; `author`: who wrote it, empty for a program."""

    message_id: UUID
    conversation_id: UUID
    connector: str
    channel: str
    person: str
    author_id: UUID | None
    author: str
    text: str
    findings: list[str]
    at: datetime


async def list_held(unit: UnitOfWork) -> list[Held]:
    """What waits, the oldest first."""
    rows = await unit.sql.fetch(
        """
        SELECT m.id AS message_id, m.conversation_id, h.connector, h.title AS channel, k.name AS person, m.author_id,
               COALESCE(p.name, '') AS author, m.text, m.content -> 'findings' AS findings, m.arrived_at AS at
        FROM message m
        JOIN conversation c ON c.organisation_id = m.organisation_id AND c.id = m.conversation_id
        JOIN contact k ON k.organisation_id = c.organisation_id AND k.id = c.contact_id
        JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
        LEFT JOIN member b ON b.organisation_id = m.organisation_id AND b.id = m.author_id
        LEFT JOIN person p ON p.id = b.person_id
        WHERE m.organisation_id = $1 AND m.state = 'held' ORDER BY m.arrived_at, m.id LIMIT 200
        """,
        unit.tenant,
    )
    return [Held(**row) for row in rows]


async def release(runtime: Runtime, access: Access, message_id: UUID) -> None:
    """A second person lets a held message go. NeedsSecondPerson, NotFound, Conflict (it waits no more), SendBlocked: the gate has
    another reason by now; then it stays held."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        row = await _lock(unit, access, message_id)
        asked = Asked(row["conversation_id"], row["purpose_id"], message_id, row["arrived_at"])
        recipient = await load_one(runtime, unit, asked)
        is_program = row["author_id"] is None
        request = request_for(recipient.purpose_kind, row["purpose_id"], row["category"], by_person=not is_program)
        if row["purpose"]:
            request = replace(request, purpose=row["purpose"])
        decision = gate.decide(recipient.facts, request)
        await keep_decisions(unit, "submit", [(decision, row["conversation_id"], message_id, access.member_id)], row["purpose_id"])
        if decision.verdict != "refuse":
            due_at = await due_after_earlier(unit, row["conversation_id"], row["seq"], decision.until or clock.now())
            await _settle(unit, access, message_id, "queued", "", due_at)
            tenant = unit.tenant
            unit.after_commit(lambda: runtime.queue.nudge_lane(tenant, recipient.channel_id, "out"))
    if decision.verdict == "refuse":
        raise SendBlocked(decision)
    log.info("released", message=ids.show("msg", message_id))


async def reject(runtime: Runtime, access: Access, message_id: UUID) -> None:
    """A second person does not let it go: it ends as failed. The author may take it back the same way."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await _lock(unit, access, message_id, also_author=True)
        await _settle(unit, access, message_id, "failed", "review_rejected", clock.now())
    log.info("not_released", message=ids.show("msg", message_id))


async def _lock(unit: UnitOfWork, access: Access, message_id: UUID, *, also_author: bool = False) -> Any:
    await lock_messages(unit, [message_id])
    row = await unit.sql.fetchrow(
        """
        SELECT conversation_id, seq, state, author_id, purpose_id, arrived_at, content ->> 'category' AS category,
               content ->> 'purpose' AS purpose,
               EXISTS (SELECT FROM gate_decision d WHERE d.organisation_id = $1 AND d.message_id = $2 AND d.verdict = 'hold'
                       AND d.member_id = $3) AS is_own
        FROM message WHERE organisation_id = $1 AND id = $2 AND direction = 'out'
        """,
        unit.tenant,
        message_id,
        access.member_id,
    )
    if row is None:
        raise NotFound("no such message")
    if row["state"] != "held":
        raise Conflict("this message does not wait for anybody any more")
    if row["is_own"] and not also_author:  # wrote it, or started what wrote it
        raise NeedsSecondPerson("somebody else has to look at it")
    return row


async def _settle(unit: UnitOfWork, access: Access, message_id: UUID, state: str, failure: str, due_at: datetime) -> None:
    await unit.sql.execute(
        """
        WITH parts AS (
            UPDATE message_part SET state = $3, failure = $4, due_at = $5
            WHERE organisation_id = $1 AND message_id = $2 AND state = 'held'
        )
        UPDATE message SET failure = $4, reviewed_by = $6, reviewed_at = $7 WHERE organisation_id = $1 AND id = $2
        """,
        unit.tenant,
        message_id,
        state,
        failure,
        due_at,
        access.member_id,
        clock.now(),
    )
    note_messages_changed(unit, await draw_messages(unit, [message_id]))
