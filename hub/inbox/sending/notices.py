"""What the hub itself says to people about their consent: a row when it is due, then a message like any other.

Consent publishes `AnswerDue` inside the transaction in which somebody said something; the row waits until that has committed, and
the sweeper submits it. It leaves at most once: the message carries the row's id as its client key. What the gate refuses stays
refused.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import structlog

from hub.channels.accounts import read_channel
from hub.connectors.events import Sender
from hub.consent import locks
from hub.consent.agreeing import requests
from hub.consent.gate import SendBlocked
from hub.consent.hooks import AnswerDue, PersonErased
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.inbox.arriving.apply import consent_key
from hub.inbox.arriving.people import Named, open_talks
from hub.inbox.sending.outbound import Program, submit
from hub.runtime import Runtime

log = structlog.get_logger()

AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class _Due:
    id: UUID
    channel_id: UUID
    address: str
    purpose: Literal["reply", "opt_in_request", "opt_out_receipt"]
    purpose_id: UUID | None
    text: str
    request_id: UUID | None


async def note_answer(unit: UnitOfWork, event: AnswerDue) -> None:
    """Something is to be said; the sweeper finds the row."""
    now = clock.now()
    await unit.sql.execute(
        """
        INSERT INTO notice (organisation_id, id, channel_id, address, purpose, purpose_id, text, request_id, state, rule,
                            created_at, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'due', '', $9, $9)
        """,
        unit.tenant,
        ids.new_id(),
        event.channel_id,
        event.address,
        event.purpose,
        event.purpose_id,
        event.text,
        event.request_id,
        now,
    )


async def send_due(runtime: Runtime) -> int:
    """Submit what is due; how many there were. Two processes at it at once send nothing twice."""
    async with runtime.database.system() as unit:
        due = await unit.sql.fetch(
            "SELECT organisation_id, id FROM notice WHERE state = 'due' AND due_at <= $1 ORDER BY due_at, id LIMIT $2",
            clock.now(),
            AT_ONCE,
        )
    for row in due:
        await _send(runtime, row["organisation_id"], row["id"])
    return len(due)


async def _send(runtime: Runtime, organisation_id: UUID, notice_id: UUID) -> None:
    async with runtime.database.unit_of_work(organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT id, channel_id, address, purpose, purpose_id, text, request_id FROM notice
            WHERE organisation_id = $1 AND id = $2 AND state = 'due'
            """,
            unit.tenant,
            notice_id,
        )
        if row is None:
            return
        due = _Due(**row)
        channel = await read_channel(runtime, unit, due.channel_id)
        await locks.lock_addresses(unit, [consent_key(channel, due.address)])
        (talk,), _ = await open_talks(unit, channel, [Named(Sender(provider_user_id=due.address), "", clock.now())])
    message_id, rule = None, ""
    try:
        message_id = await submit(
            runtime,
            Program(organisation_id),
            talk.conversation_id,
            purpose=due.purpose,
            purpose_id=due.purpose_id,
            text=due.text,
            client_key=due.id.hex,
        )
    except SendBlocked as refused:
        rule = refused.decision.rule
    except InvalidInput as error:
        log.warning("notice_not_expressible", purpose=due.purpose)
        rule = str(error.values.get("field", "text"))
    except NotFound:  # erased meanwhile
        rule = "gone"
    async with runtime.database.unit_of_work(organisation_id) as unit:
        await unit.sql.execute(
            "UPDATE notice SET state = $3, rule = $4, message_id = $5 WHERE organisation_id = $1 AND id = $2",
            unit.tenant,
            notice_id,
            "sent" if message_id else "refused",
            rule,
            message_id,
        )
        if message_id and due.request_id:
            await requests.note_sent(unit, due.request_id)


async def forget(unit: UnitOfWork, event: PersonErased) -> None:
    """Nothing is to be said any more to a person who is being erased, and nothing of what was said stays."""
    keys = sorted(event.keys)
    await unit.sql.execute(
        """
        DELETE FROM notice n USING channel h, unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address)
        WHERE n.organisation_id = $1 AND h.organisation_id = $1 AND h.id = n.channel_id AND h.connector = w.messenger
          AND (w.scope = '' OR h.id::text = w.scope) AND n.address = w.address
        """,
        unit.tenant,
        *([key[part] for key in keys] for part in range(3)),
    )
