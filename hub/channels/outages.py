"""When nothing could leave over a channel, and whose fault that was (R-184).

An outage begins with the first message that the provider certainly did not take because it was away, and ends with the first one
that it takes. What the provider (or who stands between it and us, a BSP) is to blame for is listed and is no downtime; the way
there and we ourselves count.

    answered      the provider answered that it takes nothing now                                    provider
    unreachable   it does not answer at all. While another provider cannot be reached either, the
                  way there is the likelier cause: then it is said of both                           provider or network
    own           our side let nothing out                                                           ours

The operator knows more than a program: `judge` enters their word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hub.channels import history
from hub.channels.providers import provider_of
from hub.connectors.errors import SendError
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput, NotFound
from hub.core.http import AddressDenied
from hub.organisations import audit
from hub.runtime import Runtime

FAULTS: Final = ("provider", "network", "ours")
COUNTS: Final = frozenset({"network", "ours"})
"""Whose outages are downtime."""
CAUSE: Final = "provider_unavailable"
"""The health of a channel that has an outage; another failure is no outage (another program that takes what comes in)."""
OWN: Final = frozenset({AddressDenied.code, "PoolTimeout"})
"""Codes of a request that never left us."""
UNREACHABLE: Final = frozenset({"ConnectError", "ConnectTimeout"})
"""Codes of a request that found nobody (`connectors/http.NOTHING_LEFT`)."""
SHOWN: Final = 10
"""Outages that a channel's page lists, the newest."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage; `ended_at` None: it goes on."""

    id: UUID
    channel_id: UUID
    connector: str
    channel: str
    began_at: datetime
    ended_at: datetime | None
    fault: str
    cause: str
    text: str

    @property
    def counts(self) -> bool:
        return self.fault in COUNTS

    @property
    def minutes(self) -> int:
        """How long it took, or has taken so far, in whole minutes."""
        return int(((self.ended_at or clock.now()) - self.began_at) / timedelta(minutes=1))

    def lasted(self, since: datetime, until: datetime) -> timedelta:
        """The part of it between two instants."""
        return max(timedelta(), min(self.ended_at or until, until) - max(self.began_at, since))


@dataclass(frozen=True, slots=True)
class Report:
    """The outages of a span of time. `listed` is the time of those that are no downtime, `downtime` of those that are."""

    outages: Sequence[Outage]
    listed: timedelta
    downtime: timedelta

    @property
    def listed_minutes(self) -> int:
        return int(self.listed / timedelta(minutes=1))

    @property
    def downtime_minutes(self) -> int:
        return int(self.downtime / timedelta(minutes=1))


def summed(outages: Sequence[Outage], since: datetime, until: datetime) -> Report:
    """What outages between two instants add up to, channel by channel."""
    spent = {one.id: one.lasted(since, until) for one in outages}
    listed = sum((spent[one.id] for one in outages if not one.counts), timedelta())
    return Report(outages, listed, sum(spent.values(), timedelta()) - listed)


def cause_of(error: SendError) -> str:
    """What is known of an outage from the attempt that met it."""
    if error.provider_code in OWN:
        return "own"
    return "unreachable" if error.provider_code in UNREACHABLE else "answered"


async def begin(unit: UnitOfWork, channel_id: UUID, error: SendError) -> None:
    """An attempt met a provider that is away. Nothing happens while the channel has an outage already."""
    cause = cause_of(error)
    is_new = await unit.sql.fetchval(
        """
        INSERT INTO channel_outage (organisation_id, id, channel_id, began_at, fault, cause, text)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (organisation_id, channel_id) WHERE ended_at IS NULL DO NOTHING RETURNING true
        """,
        unit.tenant,
        ids.new_id(),
        channel_id,
        clock.now(),
        "ours" if cause == "own" else "provider",
        cause,
        f"{error.provider_code} {error.provider_text}".strip(),
    )
    if is_new and cause == "unreachable":
        await _blame_the_way(unit)


async def _blame_the_way(unit: UnitOfWork) -> None:
    """Where several providers cannot be reached at once it is nobody's of them."""
    rows = await unit.sql.fetch(
        """
        SELECT u.id, h.connector
        FROM channel_outage u JOIN channel h ON h.organisation_id = u.organisation_id AND h.id = u.channel_id
        WHERE u.organisation_id = $1 AND u.ended_at IS NULL AND u.cause = 'unreachable'
        """,
        unit.tenant,
    )
    if len({provider_of(row["connector"]).operator for row in rows}) > 1:
        await unit.sql.execute(
            "UPDATE channel_outage SET fault = 'network' WHERE organisation_id = $1 AND id = ANY($2::uuid[])",
            unit.tenant,
            [row["id"] for row in rows],
        )


async def end(unit: UnitOfWork, channel_id: UUID) -> None:
    """The channel's outage is over, if it had one."""
    await unit.sql.execute(
        "UPDATE channel_outage SET ended_at = $3 WHERE organisation_id = $1 AND channel_id = $2 AND ended_at IS NULL",
        unit.tenant,
        channel_id,
        clock.now(),
    )


_LIST: Final = """
SELECT u.id, u.channel_id, h.connector, COALESCE(NULLIF(h.title, ''), h.address) AS channel, u.began_at, u.ended_at, u.fault,
       u.cause, u.text
FROM channel_outage u JOIN channel h ON h.organisation_id = u.organisation_id AND h.id = u.channel_id
WHERE u.organisation_id = $1
"""


async def newest(unit: UnitOfWork, channel_id: UUID) -> list[Outage]:
    """The last outages of a channel."""
    query = f"{_LIST} AND u.channel_id = $2 ORDER BY u.began_at DESC, u.id DESC LIMIT $3"
    return [Outage(**row) for row in await unit.sql.fetch(query, unit.tenant, channel_id, SHOWN)]


async def report(unit: UnitOfWork, since: datetime, until: datetime) -> Report:
    """The outages of the unit's organisation that touch the time from `since` to before `until`."""
    query = f"{_LIST} AND u.began_at < $3 AND (u.ended_at IS NULL OR u.ended_at > $2) ORDER BY u.began_at, u.id"
    rows: list[Any] = await unit.sql.fetch(query, unit.tenant, since, until)
    return summed([Outage(**row) for row in rows], since, min(until, clock.now()))


async def judge(runtime: Runtime, organisation_id: UUID, outage_id: UUID, fault: str, reason: str) -> None:
    """Enter whose fault an outage was, on the operator's word. InvalidInput for another word or without a reason; NotFound."""
    if fault not in FAULTS:
        raise InvalidInput(f"one of {', '.join(FAULTS)}", field="fault")
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason")
    async with runtime.database.unit_of_work(organisation_id) as unit:
        channel_id: UUID | None = await unit.sql.fetchval(
            "UPDATE channel_outage SET fault = $3 WHERE organisation_id = $1 AND id = $2 RETURNING channel_id",
            unit.tenant,
            outage_id,
            fault,
        )
        if channel_id is None:
            raise NotFound("no such outage")
        detail = {"outage": ids.show("out", outage_id), "fault": fault, "reason": reason.strip()}
        await audit.record(unit, None, "channel.outage_judged", ids.show("chn", channel_id), detail)
        await history.note(unit, channel_id, "change", f"outage_{fault}", reason.strip())
