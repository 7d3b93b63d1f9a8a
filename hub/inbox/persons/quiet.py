"""Whom nobody wants to hear: a muted conversation is no new work and newsletters leave it out; a blocked one is no work at all, and
nothing goes out either. What comes is stored in both.

Muting touches no consent. A block is a change in the ledger (`barred`); `conversation.barred_at` only follows it, inside the
transaction that records it, so that storing a message has to ask nobody. `hub/listeners.py` subscribes the two hooks.
"""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from hub.consent.hooks import BarLifted, ConsentWithdrawn
from hub.consent.locks import Key
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.feed import note_change

_AT: Final = """
SELECT c.id FROM conversation c
JOIN channel h ON h.organisation_id = c.organisation_id AND h.id = c.channel_id
JOIN identity i ON i.organisation_id = c.organisation_id AND i.id = c.identity_id
WHERE c.organisation_id = $1 AND h.connector = $2 AND ($3 = '' OR h.id::text = $3) AND i.provider_user_id = $4
"""


async def bar_conversations(unit: UnitOfWork, event: ConsentWithdrawn) -> None:
    """Close the conversations of an address that is blocked now."""
    if event.rule != "barred":
        return
    rows = await unit.sql.fetch(
        f"""
        UPDATE conversation SET barred_at = $5, state = 'done', done_at = COALESCE(done_at, $5), snoozed_until = NULL, unread = 0,
               turn = 'customer'
        WHERE organisation_id = $1 AND barred_at IS NULL AND id IN ({_AT}) RETURNING id
        """,
        unit.tenant,
        event.messenger,
        event.scope,
        event.address,
        clock.now(),
    )
    _tell(unit, (row["id"] for row in rows))


async def bar_strangers(unit: UnitOfWork, keys: Collection[Key]) -> None:
    """Close the new conversations of addresses that were blocked before: the same person on another channel."""
    rows = await unit.sql.fetch(
        """
        SELECT s.messenger, s.scope, s.address FROM consent_state s
        JOIN unnest($2::text[], $3::text[], $4::text[]) AS w(messenger, scope, address) USING (messenger, scope, address)
        WHERE s.organisation_id = $1 AND s.bar = 'barred'
        """,
        unit.tenant,
        *([key[part] for key in keys] for part in range(3)),
    )
    for row in rows:
        await bar_conversations(unit, ConsentWithdrawn(**row, rule="barred"))


async def lift_bar(unit: UnitOfWork, event: BarLifted) -> None:
    """What comes from an address is work again. What came meanwhile stays where it is."""
    rows = await unit.sql.fetch(
        f"""
        UPDATE conversation SET barred_at = NULL WHERE organisation_id = $1 AND barred_at IS NOT NULL AND id IN ({_AT}) RETURNING id
        """,
        unit.tenant,
        event.messenger,
        event.scope,
        event.address,
    )
    _tell(unit, (row["id"] for row in rows))


async def set_muted(unit: UnitOfWork, conversation_ids: list[UUID], muted: bool) -> bool:
    """Mute these conversations or lift it; whether that changed anything. The caller holds their rows."""
    rows = await unit.sql.fetch(
        """
        UPDATE conversation SET muted_at = $3, unread = CASE WHEN $3::timestamptz IS NULL THEN unread ELSE 0 END
        WHERE organisation_id = $1 AND id = ANY($2::uuid[]) AND (muted_at IS NULL) = ($3::timestamptz IS NOT NULL) RETURNING id
        """,
        unit.tenant,
        conversation_ids,
        clock.now() if muted else None,
    )
    _tell(unit, (row["id"] for row in rows))
    return bool(rows)


def _tell(unit: UnitOfWork, conversation_ids: Iterable[UUID]) -> None:
    for conversation_id in conversation_ids:
        note_change(unit, "conversation", {"conversation": ids.show("conv", conversation_id)})
