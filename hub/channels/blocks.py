"""The kill switch for a whole messenger, or for all messengers of the organisation (R-183).

It is a row beside the channels: each keeps its own state, so lifting the switch brings back what was before, and an account that is
connected later is stopped as well. The gate sees it as it sees a blocked channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.channels import history
from hub.channels.hooks import ChannelBlocked
from hub.core import clock
from hub.core.db import UnitOfWork
from hub.core.errors import Conflict, InvalidInput
from hub.core.feed import note_change
from hub.organisations import audit
from hub.organisations.actor import Access
from hub.runtime import Runtime

ALL: Final = ""
"""In place of a connector: every messenger of the organisation."""


class AlreadyBlocked(Conflict):
    """The switch is set already; it has to be lifted before it can get another reason."""

    code = "already_blocked"


class BlockedByOperator(Conflict):
    """The operator has set this switch, and only they lift it (R-187)."""

    code = "blocked_by_operator"


@dataclass(frozen=True, slots=True)
class Block:
    """A kill switch that is set. `by` is the member's name; empty: the operator."""

    connector: str
    reason: str
    blocked_at: datetime
    by: str


async def read_blocks(unit: UnitOfWork) -> list[Block]:
    """All that are set in the unit's organisation, the widest first."""
    rows = await unit.sql.fetch(
        """
        SELECT b.connector, b.reason, b.blocked_at, COALESCE(p.name, '') AS by
        FROM channel_block b
        LEFT JOIN member m ON m.organisation_id = b.organisation_id AND m.id = b.blocked_by
        LEFT JOIN person p ON p.id = m.person_id
        WHERE b.organisation_id = $1 ORDER BY b.connector
        """,
        unit.tenant,
    )
    return [Block(**row) for row in rows]


def block_of(blocks: Sequence[Block], connector: str) -> Block | None:
    """The switch that stops a messenger, the widest one that does."""
    return next((one for one in blocks if one.connector in (ALL, connector)), None)


async def block_messenger(runtime: Runtime, access: Access, connector: str, reason: str) -> None:
    """Stop a messenger, or all with ALL: sending ends at once, what is queued fails with `channel_blocked`, what comes in is kept.

    NotFound for a messenger that is not installed, InvalidInput without a reason, AlreadyBlocked.
    """
    if connector != ALL:
        runtime.connectors.get(connector)
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await stop(runtime, unit, access, connector, reason)


async def stop(runtime: Runtime, unit: UnitOfWork, access: Access | None, connector: str, reason: str) -> None:
    """The same in a transaction that has more to do. `access` None: the operator, whose switch takes the place of the business's
    own. Raises InvalidInput, AlreadyBlocked."""
    reason = _given(reason)
    # a claim holds these rows: it is over before the switch is set, or it sees the switch
    channels = await unit.sql.fetch(
        "SELECT id FROM channel WHERE organisation_id = $1 AND $2 IN ('', connector) ORDER BY id FOR UPDATE",
        unit.tenant,
        connector,
    )
    is_new = await unit.sql.fetchval(
        """
        INSERT INTO channel_block (organisation_id, connector, reason, blocked_at, blocked_by) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (organisation_id, connector) DO UPDATE SET reason = $3, blocked_at = $4, blocked_by = NULL WHERE $5 IS NULL
        RETURNING true
        """,
        unit.tenant,
        connector,
        reason,
        clock.now(),
        access.member_id if access else None,
    )
    if not is_new:
        raise AlreadyBlocked(connector)
    await audit.record(unit, access, "messenger.blocked", connector or "all", {"reason": reason})
    await history.note_messenger(unit, connector, f"{_what(connector)}_blocked", reason, by=access)
    for row in channels:
        await runtime.hooks.publish(unit, ChannelBlocked(row["id"], reason))
    note_change(unit, "channel", {})


async def lift_block(runtime: Runtime, access: Access, connector: str, reason: str) -> None:
    """Let a messenger, or all with ALL, send again. Conflict when it is not stopped, BlockedByOperator, InvalidInput."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        await lift(unit, access, connector, reason)


async def lift(unit: UnitOfWork, access: Access | None, connector: str, reason: str) -> None:
    """The same in a transaction that has more to do. `access` None: the operator, who may lift each."""
    reason = _given(reason)
    row = await unit.sql.fetchrow(
        "SELECT blocked_by FROM channel_block WHERE organisation_id = $1 AND connector = $2 FOR UPDATE", unit.tenant, connector
    )
    if row is None:
        raise Conflict("no such kill switch is set")
    if access is not None and row["blocked_by"] is None:
        raise BlockedByOperator(connector)
    await unit.sql.execute("DELETE FROM channel_block WHERE organisation_id = $1 AND connector = $2", unit.tenant, connector)
    await audit.record(unit, access, "messenger.unblocked", connector or "all", {"reason": reason})
    await history.note_messenger(unit, connector, f"{_what(connector)}_unblocked", reason, by=access)
    note_change(unit, "channel", {})


def _what(connector: str) -> str:
    return "all" if connector == ALL else "messenger"


def _given(reason: str) -> str:
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    return reason.strip()
