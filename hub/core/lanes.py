"""Lanes: one worker at a time works one direction of a channel.

A lane is leased for 10 seconds of machine time; every batch renews the lease and checks the fence in its own transaction, so a
worker that was thought dead can do no harm when it wakes. A nudge that finds the lease taken sets `wake`; the holder lets go only
when `wake` is still false.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field

from hub.core.db import STORE_TROUBLE, Database, UnitOfWork
from hub.core.models import Tenant, one_of, refers, when

Result = TypeVar("Result")
LEASE = timedelta(seconds=10)
RENEW_SECONDS = LEASE.total_seconds() / 3
DIRECTIONS = ("in", "out", "listen", "media", "care", "names")
"""`in` applies deliveries, `out` sends, `listen` polls the provider, `media` fetches files, `care` looks after the account,
`names` asks what people are called."""


class ChannelLane(Tenant, table=True):
    """The lease of one direction of one channel. `fence` grows with each holder. `cursor`: how far a poller got (`listen` only)."""

    __tablename__ = "channel_lane"
    __table_args__ = (refers("channel_id", "channel"), one_of("direction", *DIRECTIONS))
    channel_id: UUID = Field(primary_key=True)
    direction: str = Field(primary_key=True)
    leased_by: UUID | None = None
    lease_until: datetime | None = when(default=None, nullable=True)
    fence: int = Field(default=0, sa_type=BigInteger)
    wake: bool = False
    cursor: str = Field(default="", sa_column_kwargs={"server_default": ""})


class LeaseLost(RuntimeError):
    """Another worker holds the lane now; whatever this one was about to write must not be written."""


LANE_TROUBLE: tuple[type[Exception], ...] = (LeaseLost, *STORE_TROUBLE)
"""Errors after which the work on a lane ends and is taken up again later; the deliveries and messages are not to blame."""


def _machine_now() -> datetime:
    return datetime.now(UTC)


class Lane:
    """A lease that is held."""

    def __init__(self, database: Database, organisation_id: UUID, channel_id: UUID, direction: str, fence: int) -> None:
        self._database = database
        self.organisation_id = organisation_id
        self.channel_id = channel_id
        self.direction = direction
        self.fence = fence

    async def hold(self, unit: UnitOfWork) -> None:
        """Renew inside a working transaction; raises LeaseLost if another worker has taken over."""
        held = await unit.sql.fetchval(
            """
            UPDATE channel_lane SET lease_until = $5
            WHERE organisation_id = $1 AND channel_id = $2 AND direction = $3 AND fence = $4
            RETURNING true
            """,
            self.organisation_id,
            self.channel_id,
            self.direction,
            self.fence,
            _machine_now() + LEASE,
        )
        if not held:
            raise LeaseLost

    async def let_go(self) -> bool:
        """Give the lane back. False when somebody asked for another look meanwhile: then it is still held."""
        async with self._database.unit_of_work(self.organisation_id) as unit:
            return await self.let_go_in(unit)

    async def let_go_in(self, unit: UnitOfWork) -> bool:
        """The same at the end of a transaction that has found nothing to do."""
        woken = await unit.sql.fetchval(
            """
            UPDATE channel_lane
            SET wake = false,
                leased_by = CASE WHEN wake THEN leased_by END,
                lease_until = CASE WHEN wake THEN lease_until END
            WHERE organisation_id = $1 AND channel_id = $2 AND direction = $3 AND fence = $4
            RETURNING leased_by IS NOT NULL
            """,
            self.organisation_id,
            self.channel_id,
            self.direction,
            self.fence,
        )
        return not woken


async def take(database: Database, organisation_id: UUID, channel_id: UUID, direction: str, worker_id: UUID) -> Lane | None:
    """Lease the lane, or ask its holder for another look and return None. None too when the channel is gone."""
    async with database.unit_of_work(organisation_id) as unit:
        return await take_in(database, unit, channel_id, direction, worker_id)


async def stop_in(database: Database, unit: UnitOfWork, channel_id: UUID, direction: str, worker_id: UUID, span: timedelta) -> Lane:
    """Take the lane over from whoever holds it, so that nobody works it for `span`: the former holder's next write fails, and what
    it had in hand is worked anew. The lease holds once the transaction has committed; let it go as any other."""
    fence = await unit.sql.fetchval(
        """
        UPDATE channel_lane SET fence = fence + 1, leased_by = $4, lease_until = $5
        WHERE organisation_id = $1 AND channel_id = $2 AND direction = $3 RETURNING fence
        """,
        unit.tenant,
        channel_id,
        direction,
        worker_id,
        _machine_now() + span,
    )
    return Lane(database, unit.tenant, channel_id, direction, fence)


async def take_in(database: Database, unit: UnitOfWork, channel_id: UUID, direction: str, worker_id: UUID) -> Lane | None:
    """The same in a transaction that goes on to read what the work needs. The lease holds once it has committed."""
    now = _machine_now()
    row = await unit.sql.fetchrow(
        """
        UPDATE channel_lane
        SET wake = COALESCE(lease_until > $5, false),
            fence = fence + CASE WHEN lease_until > $5 THEN 0 ELSE 1 END,
            leased_by = CASE WHEN lease_until > $5 THEN leased_by ELSE $4 END,
            lease_until = CASE WHEN lease_until > $5 THEN lease_until ELSE $6 END
        WHERE organisation_id = $1 AND channel_id = $2 AND direction = $3
        RETURNING fence, NOT wake AS mine
        """,
        unit.tenant,
        channel_id,
        direction,
        worker_id,
        now,
        now + LEASE,
    )
    if row is None or not row["mine"]:
        return None
    return Lane(database, unit.tenant, channel_id, direction, row["fence"])


async def hold_while(database: Database, lane: Lane, work: Coroutine[Any, Any, Result]) -> Result:
    """Await something that takes longer than a lease and has no transaction open, and renew the lease meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=RENEW_SECONDS))[0]:
            async with database.unit_of_work(lane.organisation_id) as unit:
                await lane.hold(unit)
        return task.result()
    finally:
        task.cancel()
