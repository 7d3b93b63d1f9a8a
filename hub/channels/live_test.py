"""The live test: an account counts as working once a message came in and an answer went out.

What is looked at is what happened on the channel, whoever did it: a customer who writes and an agent who answers are as good as a
test. The answer itself is sent by the inbox, over the one road (`inbox/sending/live_test.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.channels import history
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change

LEFT: Final = ("accepted", "sent", "delivered", "read")
"""States of an outgoing message that the provider has taken."""


@dataclass(frozen=True, slots=True)
class LiveTest:
    """What was seen: who wrote last and when, and what became of the newest answer to them."""

    conversation_id: UUID | None = None
    name: str = ""
    received_at: datetime | None = None
    answer_state: str = ""
    answered_at: datetime | None = None
    failure: str = ""
    failure_text: str = ""

    @property
    def has_answered(self) -> bool:
        return self.answer_state in LEFT

    @property
    def has_failed(self) -> bool:
        return self.answer_state in ("failed", "unknown")


async def look(unit: UnitOfWork, channel_id: UUID) -> LiveTest:
    """What has happened on a channel so far. Goes by its identities: a channel under test has few."""
    row = await unit.sql.fetchrow(
        """
        SELECT c.id AS conversation_id, p.name, c.last_inbound_at AS received_at, COALESCE(m.state, '') AS answer_state,
               m.at AS answered_at, COALESCE(m.failure, '') AS failure, COALESCE(m.failure_text, '') AS failure_text
        FROM identity i
        JOIN conversation c ON c.organisation_id = i.organisation_id AND c.identity_id = i.id
        JOIN contact p ON p.organisation_id = c.organisation_id AND p.id = c.contact_id
        LEFT JOIN LATERAL (
            SELECT state, at, failure, failure_text FROM message
            WHERE organisation_id = c.organisation_id AND conversation_id = c.id AND direction = 'out' ORDER BY seq DESC LIMIT 1
        ) AS m ON true
        WHERE i.organisation_id = $1 AND i.channel_id = $2 AND c.last_inbound_at IS NOT NULL
        ORDER BY m.state = ANY($3::text[]) DESC NULLS LAST, c.last_inbound_at DESC LIMIT 1
        """,
        unit.tenant,
        channel_id,
        list(LEFT),
    )
    return LiveTest() if row is None else LiveTest(**row)


async def settle(unit: UnitOfWork, channel_id: UUID) -> LiveTest:
    """The same, and what worked both ways is remembered: from then on the channel is connected."""
    seen = await look(unit, channel_id)
    if seen.received_at is not None and seen.has_answered:
        is_new = await unit.sql.fetchval(
            "UPDATE channel SET tested_at = $3 WHERE organisation_id = $1 AND id = $2 AND tested_at IS NULL RETURNING true",
            unit.tenant,
            channel_id,
            clock.now(),
        )
        if is_new:
            await history.note(unit, channel_id, "change", "tested")
            note_change(unit, "channel", {"channel": ids.show("chn", channel_id)})
    return seen
